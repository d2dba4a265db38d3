import { stripVTControlCharacters } from "node:util";
import { apiGroup } from "./resources.ts";

/** One entry of a Status's details: which field, and what is wrong with it. */
export interface StatusCause {
  reason: string;
  message: string;
  field: string;
}

/** The reasons of errors that do not come from the API server. All of them have status 0. */
export type LocalReason =
  | "Kubeconfig" // the kubeconfig is missing, unreadable or does not fit
  | "Credentials" // an exec plugin or a token file gave no credentials
  | "Unreachable" // no connection
  | "TLS" // a connection, but no trust
  | "Timeout" // a connection, but no answer in time
  | "ConnectionLost"; // the connection ended before the answer was complete

/** What was asked of the server when the error came; it names the object in messages and hints. */
export interface RequestTarget {
  verb: string;
  group: string;
  resource: string;
  namespace?: string | undefined;
  name?: string | undefined;
}

/**
 * A request to a Kubernetes API server failed, or could not be made.
 * `status` is the HTTP status (0: there was no answer), `reason` the API's machine-readable word (`NotFound`, `Conflict`,
 * `AlreadyExists`, `Forbidden`, ...) or one of LocalReason, `hint` what a person can do.
 * It never carries headers, credentials or bodies.
 */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;
  readonly reason: string;
  readonly hint?: string;
  /** Seconds that the server asked to wait before trying again. */
  readonly retryAfterSeconds?: number;
  /** Every field that was refused; for a server-side apply conflict, every field that another manager owns. */
  readonly causes: readonly StatusCause[];

  constructor(
    message: string,
    options: {
      status?: number;
      reason: LocalReason | (string & {});
      hint?: string | undefined;
      retryAfterSeconds?: number | undefined;
      causes?: readonly StatusCause[];
      cause?: unknown;
    },
  ) {
    super(printable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status ?? 0;
    this.reason = options.reason;
    if (options.hint !== undefined) this.hint = printable(options.hint);
    if (options.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
    this.causes = options.causes ?? [];
  }
}

/** Text of others may move the terminal's cursor or colour it; line feeds and tabs stay. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the control characters are what is looked for
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}

interface Status {
  kind?: unknown;
  message?: unknown;
  reason?: unknown;
  code?: unknown;
  details?: { retryAfterSeconds?: unknown; causes?: { reason?: string; message?: string; field?: string }[] };
}

/** The error that an answer with status >= 400 stands for. `body` is its text. */
export function errorFromResponse(
  response: { status: number; body: string; retryAfter?: string | undefined },
  target: RequestTarget,
  credentials: () => string,
): KubeError {
  return errorFromStatus(parseStatus(response.body), response, target, credentials);
}

/** The error of a watch's ERROR event, whose object is a Status. */
export function errorFromWatchEvent(object: unknown, target: RequestTarget, credentials: () => string): KubeError {
  const status = isStatus(object) ? object : {};
  const code = typeof status.code === "number" ? status.code : 500;
  return errorFromStatus(status, { status: code, body: "" }, target, credentials);
}

function errorFromStatus(
  status: Status,
  response: { status: number; body: string; retryAfter?: string | undefined },
  target: RequestTarget,
  credentials: () => string,
): KubeError {
  const reason = typeof status.reason === "string" && status.reason !== "" ? status.reason : wordFor(response.status);
  const said = typeof status.message === "string" && status.message !== "" ? status.message : firstLine(response.body);
  const causes = (status.details?.causes ?? []).map((cause) => ({
    reason: cause.reason ?? "",
    message: printable(cause.message ?? ""),
    field: cause.field ?? "",
  }));
  const retryAfter = Number(response.retryAfter ?? status.details?.retryAfterSeconds);
  return new KubeError(`cannot ${describe(target)}: ${said === "" ? reason : said}`, {
    status: response.status,
    reason,
    causes,
    hint: hintFor(response.status, said, causes, target, credentials),
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter >= 0 ? retryAfter : undefined,
  });
}

function parseStatus(body: string): Status {
  try {
    const value: unknown = JSON.parse(body);
    return isStatus(value) ? value : {};
  } catch {
    return {};
  }
}

function isStatus(value: unknown): value is Status {
  return typeof value === "object" && value !== null && (value as Status).kind === "Status";
}

/** Not every 4xx or 5xx comes from the API server: a proxy in between may answer with a page. */
function firstLine(body: string): string {
  const line = body.trimStart().split("\n", 1)[0] ?? "";
  return line.startsWith("<") || line.startsWith("{") ? "" : line.slice(0, 300);
}

function wordFor(status: number): string {
  const words: Record<number, string> = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    // An object that is not there comes with a Status that says NotFound; without one the whole path is not served.
    404: "NotServed",
    409: "Conflict",
    410: "Gone",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
  };
  return words[status] ?? `HTTP ${status}`;
}

/** "get deployments.apps "web" in namespace "shop"" */
export function describe(target: RequestTarget): string {
  const kind = target.group === "" ? target.resource : `${target.resource}.${target.group}`;
  const name = target.name === undefined ? "" : ` "${target.name}"`;
  const where = target.namespace === undefined ? "" : ` in namespace "${target.namespace}"`;
  return `${target.verb} ${kind}${name}${where}`;
}

function hintFor(
  status: number,
  message: string,
  causes: readonly StatusCause[],
  target: RequestTarget,
  credentials: () => string,
): string | undefined {
  if (status === 401) return credentials();
  if (status === 404 && message === "404 page not found") {
    return "The API server does not serve this: a CustomResourceDefinition may be missing.";
  }
  if (status === 403) return forbiddenHint(message, target);
  // The server calls what server-side apply does not understand an internal error.
  if (message.includes("field not declared in schema")) {
    return "The object has a field that its kind does not have: check the spelling and the place of the field.";
  }
  if (status === 409 && causes.some((cause) => cause.reason === "FieldManagerConflict")) {
    return "Another field manager owns these fields. Leave them out of what is applied, or force the apply to take them over.";
  }
  return undefined;
}

/** `User "u" cannot list resource "pods/log" in API group "" in the namespace "shop"`: the RBAC authorizer's words. */
const denial =
  /^(?:.*?\bforbidden: )?User "(?<user>[^"]*)" cannot (?<verb>\S+) resource "(?<resource>[^"]+)" in API group "(?<group>[^"]*)"(?: in the namespace "(?<namespace>[^"]+)")?/s;

function forbiddenHint(message: string, target: RequestTarget): string | undefined {
  if (message.includes("exceeded quota")) {
    return "The namespace's ResourceQuota is used up: raise it, lower the requests, or free some of it.";
  }
  if (message.includes("violates PodSecurity")) {
    return "The namespace enforces a Pod Security level that the pods do not meet: change the pods' securityContext.";
  }
  const match = denial.exec(message)?.groups;
  // Another admission plugin or authorizer said no in its own words: a role would not help.
  if (match === undefined && /forbidden: (?!User )/.test(message)) return undefined;
  const user = match?.["user"];
  const verb = match?.["verb"] ?? target.verb;
  const resource = match?.["resource"] ?? target.resource;
  const group = match?.["group"] ?? target.group;
  const namespace = match === undefined ? target.namespace : match["namespace"];
  const role = namespace === undefined ? "ClusterRole" : `Role in namespace "${namespace}"`;
  return [
    `${user === undefined ? "The user" : `"${user}"`} may not ${verb} ${resource}. Add to its ${role}:`,
    `  - apiGroups: ["${group}"]`,
    `    resources: ["${resource}"]`,
    `    verbs: ["${verb}"]`,
  ].join("\n");
}

/** The error for a request that got no answer. `server` is the address as the kubeconfig has it. */
export function errorFromNetwork(cause: unknown, server: string): KubeError {
  const code = errorCode(cause);
  const known = networkErrors[code];
  if (known !== undefined) {
    return new KubeError(`${known.message} ${server} (${code})`, { reason: known.reason, hint: known.hint, cause });
  }
  if (/^(?:ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO)/.test(code)) {
    return new KubeError(`no trusted connection to the API server ${server} (${code})`, {
      reason: "TLS",
      hint: "Check the certificates in the kubeconfig, and that the address is that of a Kubernetes API server.",
      cause,
    });
  }
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new KubeError(`request to the API server ${server} failed: ${detail}`, { reason: "Unreachable", cause });
}

/** Node's code of a system or TLS error; that of the first attempt when several addresses were tried. */
export function errorCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string")
    return error.code;
  return "";
}

const wrongAuthority =
  "The server's certificate is not signed by the authority that the kubeconfig names: check certificate-authority(-data), or fetch a fresh kubeconfig; the cluster may have been made anew.";

const networkErrors: Record<string, { message: string; reason: LocalReason; hint: string }> = {
  ECONNREFUSED: {
    message: "nothing listens at the API server's address",
    reason: "Unreachable",
    hint: "Check that the cluster runs, and that the kubeconfig's current context is the right one.",
  },
  ENOTFOUND: {
    message: "cannot resolve the host name of the API server",
    reason: "Unreachable",
    hint: "Check the server address in the kubeconfig, your DNS and your VPN.",
  },
  EAI_AGAIN: {
    message: "cannot resolve the host name of the API server",
    reason: "Unreachable",
    hint: "The name server does not answer: check your network and your VPN.",
  },
  ETIMEDOUT: {
    message: "no answer from the API server",
    reason: "Timeout",
    hint: "Check the network, the VPN and firewalls between here and the API server.",
  },
  EHOSTUNREACH: {
    message: "no route to the API server",
    reason: "Unreachable",
    hint: "Check the network and the VPN.",
  },
  ENETUNREACH: {
    message: "no route to the API server",
    reason: "Unreachable",
    hint: "Check the network and the VPN.",
  },
  ECONNRESET: {
    message: "lost the connection to the API server",
    reason: "ConnectionLost",
    hint: "The API server, or a load balancer before it, may be restarting.",
  },
  EPIPE: {
    message: "lost the connection to the API server",
    reason: "ConnectionLost",
    hint: "The API server, or a load balancer before it, may be restarting.",
  },
  CERT_HAS_EXPIRED: {
    message: "the certificate has expired of the API server",
    reason: "TLS",
    hint: "Renew the API server's certificate, and check this machine's clock.",
  },
  CERT_NOT_YET_VALID: {
    message: "the certificate is not valid yet of the API server",
    reason: "TLS",
    hint: "Check the clocks of this machine and of the API server.",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    message: "the certificate is for another host name than that of the API server",
    reason: "TLS",
    hint: "Use an address that the certificate names, or set tls-server-name in the kubeconfig's cluster.",
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    message: "no trusted connection to the API server",
    reason: "TLS",
    hint: wrongAuthority,
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    message: "no trusted connection to the API server",
    reason: "TLS",
    hint: wrongAuthority,
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    message: "no trusted connection to the API server",
    reason: "TLS",
    hint: wrongAuthority,
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    message: "no trusted connection to the API server",
    reason: "TLS",
    hint: wrongAuthority,
  },
  CERT_SIGNATURE_FAILURE: {
    message: "no trusted connection to the API server",
    reason: "TLS",
    hint: wrongAuthority,
  },
};

/** The error for a resource type that the server does not serve. */
export function unknownKind(apiVersion: string, kind: string): KubeError {
  const group = apiGroup(apiVersion);
  return new KubeError(`the API server does not serve ${kind} of ${apiVersion}`, {
    status: 404,
    reason: "NotFound",
    hint:
      group === ""
        ? "Check the apiVersion and the kind."
        : `Check the apiVersion and the kind, and that the CustomResourceDefinition of ${group} is installed.`,
  });
}
