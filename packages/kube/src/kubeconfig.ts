import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import type { Agent, RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { KubeError } from "./errors.ts";

/** What one request needs to be let in. Read anew for every request: tokens and plugin certificates expire. */
export interface Credentials {
  headers: Record<string, string>;
  tls: Pick<RequestOptions, "ca" | "cert" | "key" | "rejectUnauthorized"> & { servername?: string };
  /** Set when the kubeconfig names a proxy. */
  proxyAgent?: Agent;
}

export interface Login {
  /** The address as the kubeconfig has it, without a slash at its end. */
  server: string;
  /** The namespace of the context, when it names one. */
  namespace?: string;
  /** A new set of credentials; throws KubeError when a plugin or a token file gives none. */
  credentials(): Promise<Credentials>;
  /** What a person can do when the server does not accept these credentials. */
  refusedHint(): string;
}

const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/**
 * The login of a kubeconfig's context, or the pod's own when there is no kubeconfig.
 * Looked for like kubectl does: `kubeconfig`, then $KUBECONFIG (several paths merge, the first to name something wins),
 * then ~/.kube/config, then the pod's service account.
 */
export function login(options: { kubeconfig?: string | undefined; context?: string | undefined }): Login {
  const sources = kubeconfigPaths(options.kubeconfig);
  if (sources.paths.length > 0) return loginFromFiles(sources.paths, options.context);
  if (process.env["KUBERNETES_SERVICE_HOST"] !== undefined && existsSync(serviceAccountToken)) {
    if (options.context !== undefined) {
      throw new KubeError(`there is no context "${options.context}": in a pod only its service account is known`, {
        reason: "Kubeconfig",
        hint: "Leave out the context, or give a kubeconfig.",
      });
    }
    const config = new KubeConfig();
    config.loadFromCluster();
    return loginFrom(config, "the pod's service account");
  }
  throw new KubeError(`no kubeconfig: ${sources.lookedAt}, and this is not a pod`, {
    reason: "Kubeconfig",
    hint: "Give the path of a kubeconfig, or set KUBECONFIG.",
  });
}

function kubeconfigPaths(path: string | undefined): { paths: string[]; lookedAt: string } {
  if (path !== undefined) {
    if (existsSync(path)) return { paths: [path], lookedAt: path };
    throw new KubeError(`the kubeconfig ${path} does not exist`, {
      reason: "Kubeconfig",
      hint: "Check the path that was given for the kubeconfig.",
    });
  }
  const listed = (process.env["KUBECONFIG"] ?? "").split(delimiter).filter((entry) => entry !== "");
  if (listed.length > 0) {
    const paths = listed.filter((entry) => existsSync(entry));
    if (paths.length > 0) return { paths, lookedAt: listed.join(", ") };
    throw new KubeError(
      `KUBECONFIG names ${listed.join(" and ")}, which ${listed.length > 1 ? "do" : "does"} not exist`,
      {
        reason: "Kubeconfig",
        hint: "Correct or unset KUBECONFIG.",
      },
    );
  }
  const home = join(homedir(), ".kube", "config");
  return { paths: existsSync(home) ? [home] : [], lookedAt: `KUBECONFIG is not set and ${home} does not exist` };
}

function loginFromFiles(paths: string[], context: string | undefined): Login {
  const where = paths.join(", ");
  const merged = new KubeConfig();
  merged.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: undefined });
  for (const path of paths) merge(merged, read(path));
  const names = merged.contexts.map((entry) => entry.name);
  const known = names.length === 0 ? "It has no contexts." : `Its contexts: ${names.join(", ")}.`;
  const wanted = context ?? merged.currentContext;
  if (wanted === undefined || wanted === "") {
    throw new KubeError(`the kubeconfig ${where} has no current-context`, {
      reason: "Kubeconfig",
      hint: `${known} Name one of them, or set one with: kubectl config use-context NAME`,
    });
  }
  if (!names.includes(wanted)) {
    throw new KubeError(`the kubeconfig ${where} has no context "${wanted}"`, { reason: "Kubeconfig", hint: known });
  }
  merged.setCurrentContext(wanted);
  for (const [part, name, found] of [
    ["cluster", merged.getContextObject(wanted)?.cluster, merged.getCurrentCluster()],
    ["user", merged.getContextObject(wanted)?.user, merged.getCurrentUser()],
  ] as const) {
    if (!found) {
      throw new KubeError(
        `context "${wanted}" of the kubeconfig ${where} names ${part} "${name}", which it does not have`,
        {
          reason: "Kubeconfig",
          hint: "Correct the context, or fetch a fresh kubeconfig.",
        },
      );
    }
  }
  return loginFrom(merged, `user "${merged.getCurrentUser()?.name}" of context "${wanted}" in ${where}`);
}

function read(path: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new KubeError(`cannot read the kubeconfig ${path}: ${withoutExcerpt(error)}`, {
      reason: "Kubeconfig",
      hint: "Correct the file, or fetch a fresh one.",
    });
  }
  return config;
}

/** A YAML error quotes the lines around it, which may hold a key or a token: only its first line is told. */
function withoutExcerpt(error: unknown): string {
  if (error instanceof TypeError) return "it is not a kubeconfig";
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}

/** The first file to name a cluster, user, context or current-context wins, as with kubectl. */
function merge(into: KubeConfig, from: KubeConfig): void {
  for (const part of ["clusters", "users", "contexts"] as const) {
    const have: { name: string }[] = into[part];
    for (const entry of from[part]) if (!have.some((other) => other.name === entry.name)) have.push(entry);
  }
  if (!into.currentContext && from.currentContext) into.setCurrentContext(from.currentContext);
}

function loginFrom(config: KubeConfig, identity: string): Login {
  const server = config.getCurrentCluster()?.server ?? "";
  if (!URL.canParse(server)) {
    throw new KubeError(`the server address "${server}" of ${identity} is not a URL`, {
      reason: "Kubeconfig",
      hint: "It looks like https://host:6443.",
    });
  }
  const user = config.getCurrentUser();
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace?.trim();
  let certificate: Credentials["tls"]["cert"];

  async function credentials(): Promise<Credentials> {
    const options: RequestOptions & { servername?: string } = {};
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      throw credentialsError(error, identity, user?.exec?.command);
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = String(value).trim();
    if (options.auth) headers["Authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    certificate = cert;
    const tls = Object.fromEntries(
      Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(([, value]) => value !== undefined),
    );
    const proxied = config.getCurrentCluster()?.proxyUrl !== undefined;
    return { headers, tls, ...(proxied && options.agent ? { proxyAgent: options.agent as Agent } : {}) };
  }

  return {
    server,
    ...(namespace ? { namespace } : {}),
    credentials,
    refusedHint() {
      const expired = expiredOn(certificate);
      if (expired !== undefined) return `The client certificate of ${identity} expired on ${expired}: get a new one.`;
      if (user?.exec) return `The credentials of ${identity} come from ${user.exec.command}: log in there again.`;
      return `The server does not accept the credentials of ${identity}: a token may have expired, or the cluster may have been made anew. Fetch a fresh kubeconfig.`;
    },
  };
}

function credentialsError(error: unknown, identity: string, plugin: string | undefined): KubeError {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith("HTTP protocol is not allowed")) {
    return new KubeError(`${identity} would send credentials over plain http`, {
      reason: "Kubeconfig",
      hint: "Use an https server address. For a local proxy, set insecure-skip-tls-verify: true in its cluster.",
    });
  }
  if (plugin === undefined) {
    return new KubeError(`no credentials for ${identity}: ${withoutExcerpt(error)}`, { reason: "Credentials" });
  }
  const missing = message.includes("ENOENT");
  return new KubeError(
    `no credentials for ${identity}: ${plugin} ${missing ? "is not installed" : `failed: ${message.trim() || "it said nothing"}`}`,
    {
      reason: "Credentials",
      hint: missing ? `Install ${plugin}, or put it on PATH.` : `Run ${plugin} by hand, or log in again.`,
    },
  );
}

function expiredOn(certificate: Credentials["tls"]["cert"]): string | undefined {
  const first = Array.isArray(certificate) ? certificate[0] : certificate;
  if (first === undefined) return undefined;
  try {
    const { validTo } = new X509Certificate(first);
    return Date.parse(validTo) < Date.now() ? validTo : undefined;
  } catch {
    return undefined;
  }
}
