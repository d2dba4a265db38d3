import { X509Certificate, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import path from "node:path";
import { run } from "../command.ts";
import type { Lab } from "../identity.ts";
import { apiServiceIp } from "./network.ts";

/**
 * Authorities of the lab. etcd and the aggregation layer have their own, so that a certificate of the cluster
 * opens neither the database nor impersonates users to an extension server.
 */
const authorities = ["ca", "etcd-ca", "front-proxy-ca"] as const;
type Authority = (typeof authorities)[number];

export type CertificateRequest = {
  authority: Authority;
  commonName: string;
  organization?: string;
  usage: "client" | "server";
  /** DNS names and IP addresses, of server certificates only. */
  names?: string[];
};

/** Every certificate of a lab by the name of its files. */
export function certificateRequests(node: { name: string; ip: string }): Record<string, CertificateRequest> {
  const local = ["localhost", "127.0.0.1"];
  return {
    apiserver: {
      authority: "ca",
      commonName: "kube-apiserver",
      usage: "server",
      names: [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        apiServiceIp,
        node.ip,
        ...local,
      ],
    },
    // Kubelet, controller manager and scheduler serve on the same machine under the same address.
    node: { authority: "ca", commonName: node.name, usage: "server", names: [node.name, node.ip, ...local] },
    "apiserver-kubelet-client": { authority: "ca", commonName: kubeletClientUser, usage: "client" },
    "front-proxy-client": { authority: "front-proxy-ca", commonName: "front-proxy-client", usage: "client" },
    etcd: { authority: "etcd-ca", commonName: "etcd", usage: "server", names: [node.ip, ...local] },
    "apiserver-etcd-client": { authority: "etcd-ca", commonName: "kube-apiserver-etcd-client", usage: "client" },
    admin: { authority: "ca", commonName: "kubernetes-admin", organization: "system:masters", usage: "client" },
    "controller-manager": { authority: "ca", commonName: "system:kube-controller-manager", usage: "client" },
    scheduler: { authority: "ca", commonName: "system:kube-scheduler", usage: "client" },
    kubelet: {
      authority: "ca",
      commonName: `system:node:${node.name}`,
      organization: "system:nodes",
      usage: "client",
    },
    "kube-proxy": { authority: "ca", commonName: "system:kube-proxy", usage: "client" },
  };
}

/** The user kube-apiserver is to kubelets (logs, exec); bound to system:kubelet-api-admin. */
export const kubeletClientUser = "kube-apiserver-kubelet-client";

export function pkiFile(lab: Lab, name: string): string {
  return path.join(lab.state, "pki", name);
}

/** Makes what is missing, no longer fits the node's address, or ends within a month. */
export async function ensureCertificates(lab: Lab, nodeIp: string): Promise<void> {
  mkdirSync(pkiFile(lab, ""), { recursive: true, mode: 0o700 });
  const config = pkiFile(lab, "openssl.cnf");
  const requests = certificateRequests({ name: lab.name, ip: nodeIp });
  writeFileSync(config, opensslConfig(requests));
  await Promise.all(
    authorities
      .filter((name) => !existsSync(pkiFile(lab, `${name}.crt`)))
      .map((name) => issue(lab, name, `lab ${name}`)),
  );
  await Promise.all(
    Object.entries(requests)
      .filter(([name, request]) => !fits(lab, name, request))
      .map(([name, request]) =>
        issue(lab, name, request.commonName, { authority: request.authority, organization: request.organization }),
      ),
  );
  if (!existsSync(pkiFile(lab, "service-accounts.pub"))) createServiceAccountKeys(lab);
}

async function issue(
  lab: Lab,
  name: string,
  commonName: string,
  signed?: { authority: Authority; organization: string | undefined },
): Promise<void> {
  const files = { key: pkiFile(lab, `${name}.key`), crt: pkiFile(lab, `${name}.crt`) };
  const subject = `${signed?.organization ? `/O=${signed.organization}` : ""}/CN=${commonName}`;
  const args = `req -x509 -nodes -sha256 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days ${signed ? 365 : 3650}`;
  const signer = signed && [
    "-CA",
    pkiFile(lab, `${signed.authority}.crt`),
    "-CAkey",
    pkiFile(lab, `${signed.authority}.key`),
  ];
  await run("openssl", [
    ...args.split(" "),
    "-config",
    pkiFile(lab, "openssl.cnf"),
    "-extensions",
    signed ? name : "authority",
    "-subj",
    subject,
    "-keyout",
    `${files.key}.new`,
    "-out",
    `${files.crt}.new`,
    ...(signer ?? []),
  ]);
  renameSync(`${files.key}.new`, files.key);
  renameSync(`${files.crt}.new`, files.crt);
}

/** OpenSSL's configuration with one section of extensions per certificate. */
export function opensslConfig(requests: Record<string, CertificateRequest>): string {
  const sections = Object.entries(requests).map(([name, request]) =>
    [
      `[${name}]`,
      "basicConstraints = critical,CA:FALSE",
      "keyUsage = critical,digitalSignature",
      `extendedKeyUsage = ${extendedUsages(name, request)}`,
      ...(request.names ? [`subjectAltName = ${request.names.map(alternativeName).join(",")}`] : []),
    ].join("\n"),
  );
  return [
    "[req]\ndistinguished_name = subject\n[subject]",
    "[authority]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign,digitalSignature",
    ...sections,
    "",
  ].join("\n");
}

/** etcd's gateway dials its own server with the server's certificate. */
function extendedUsages(name: string, request: CertificateRequest): string {
  if (name === "etcd") return "serverAuth,clientAuth";
  return request.usage === "server" ? "serverAuth" : "clientAuth";
}

function alternativeName(name: string): string {
  return isIP(name) ? `IP:${name}` : `DNS:${name}`;
}

function fits(lab: Lab, name: string, request: CertificateRequest): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(pkiFile(lab, `${name}.crt`)));
    const authority = new X509Certificate(readFileSync(pkiFile(lab, `${request.authority}.crt`)));
    const month = 30 * 24 * 3600 * 1000;
    return (
      certificate.verify(authority.publicKey) &&
      certificate.checkPrivateKey(createPrivateKey(readFileSync(pkiFile(lab, `${name}.key`)))) &&
      Date.parse(certificate.validTo) - Date.now() > month &&
      certificate.subject.split("\n").includes(`CN=${request.commonName}`) &&
      (request.names ?? []).every((wanted) =>
        isIP(wanted) ? certificate.checkIP(wanted) : certificate.checkHost(wanted),
      )
    );
  } catch {
    // Missing or cut off by a crash: made again.
    return false;
  }
}

function createServiceAccountKeys(lab: Lab): void {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  rmSync(pkiFile(lab, "service-accounts.key"), { force: true });
  writeFileSync(pkiFile(lab, "service-accounts.key"), privateKey, { mode: 0o600 });
  writeFileSync(pkiFile(lab, "service-accounts.pub"), publicKey);
}
