const EXPLANATIONS: Record<string, (host: string) => string> = {
  ECONNREFUSED: (host) =>
    `nothing listens on ${host} (connection refused); the service has no ready pod, or the port is wrong`,
  ECONNRESET: (host) =>
    `${host} closed the connection before it answered; the server may have crashed or is shutting down`,
  EPIPE: (host) => `${host} closed the connection while the request was sent`,
  ENOTFOUND: (host) =>
    `the name in ${host} does not resolve; is it spelled right, and does the service exist in that namespace?`,
  EAI_AGAIN: (host) => `the name in ${host} could not be looked up; the DNS server does not answer`,
  ETIMEDOUT: (host) => `${host} did not answer the attempt to connect; a firewall or network policy may drop it`,
  EHOSTUNREACH: (host) => `there is no way to ${host} (host unreachable)`,
  ENETUNREACH: (host) => `there is no way to ${host} (network unreachable)`,
  EACCES: (host) => `this machine refuses connections to ${host}`,
  CERT_HAS_EXPIRED: (host) => `the TLS certificate of ${host} has expired`,
  CERT_NOT_YET_VALID: (host) => `the TLS certificate of ${host} is not valid yet; are both clocks right?`,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: (host) => `the TLS certificate of ${host} is made out for another name`,
  EPROTO: (host) => `${host} does not speak TLS there; is it an http address?`,
  ERR_SSL_WRONG_VERSION_NUMBER: (host) => `${host} does not speak TLS there; is it an http address?`,
};

function untrusted(host: string): string {
  return `the TLS certificate of ${host} is signed by nobody trusted here; name its CA in NODE_EXTRA_CA_CERTS`;
}

/** Why a connection failed, in plain words, with the system's own code. */
export function explainConnectionError(error: unknown, { host, protocol }: URL): { code: string; message: string } {
  const { code = "UNKNOWN", message = String(error) } = error as { code?: string; message?: string };
  const explain = EXPLANATIONS[code];
  if (explain !== undefined) return { code, message: explain(host) };
  if (code.startsWith("HPE_")) {
    const https = protocol === "http:" ? "; is it an https address?" : "";
    return { code, message: `what ${host} sent is not HTTP (${message})${https}` };
  }
  return { code, message: `the connection to ${host} failed: ${message}` };
}
