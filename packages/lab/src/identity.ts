import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { refusal } from "./errors.ts";

/** The checkout this file belongs to. */
export const checkout = realpathSync(path.resolve(import.meta.dirname, "../../.."));

/** Where everything lives that outlives a lab: binaries, image layers, durations of earlier runs. */
export const cacheDirectory = path.join(process.env["XDG_CACHE_HOME"] || path.join(homedir(), ".cache"), "safe-deploy");

/** The names and places of one lab. Everything that is global on the machine carries the lab's name. */
export type Lab = {
  name: string;
  /** Removed by `down`. */
  state: string;
  /** Contents of the lab's registry; kept by `down` so that the next `up` is warm. */
  registryData: string;
  kubeconfig: string;
  netns: string;
  /** The veth pair: its ends on the host and in the lab. At most 15 characters, the kernel's limit. */
  links: { host: string; node: string };
  /** Path below every cgroup hierarchy. */
  cgroup: string;
};

/** A sockaddr_un holds 108 bytes; this is the longest socket path below the state directory. */
const longestSocket = "kubelet/pod-resources/kubelet.sock";

export function labName(environment: NodeJS.ProcessEnv, checkoutPath: string): string {
  return environment["LAB_NAME"] || `lab-${shortHash(checkoutPath)}`;
}

/** Throws a refusal for a name that cannot be a node name or a state directory too deep for unix sockets. */
export function resolveLab(environment: NodeJS.ProcessEnv = process.env, checkoutPath: string = checkout): Lab {
  const name = labName(environment, checkoutPath);
  if (!/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name)) {
    throw refusal(
      `LAB_NAME=${JSON.stringify(name)} cannot name a lab: it becomes a node name`,
      "Use 1 to 40 lower-case letters, digits and dashes, with a letter or digit at both ends.",
    );
  }
  const home =
    environment["LAB_HOME"] ||
    path.join(environment["XDG_STATE_HOME"] || path.join(homedir(), ".local/state"), "safe-deploy");
  const state = path.join(path.resolve(home), name);
  if (Buffer.byteLength(path.join(state, longestSocket)) > 107) {
    throw refusal(
      `the lab's state directory ${state} is too long a path for the unix sockets in it`,
      "Set LAB_HOME to a shorter directory, for example LAB_HOME=/var/lib/safe-deploy.",
    );
  }
  const id = shortHash(name);
  return {
    name,
    state,
    registryData: path.join(cacheDirectory, "registry", name),
    kubeconfig: path.join(state, "kubeconfig"),
    netns: `safe-deploy-${name}`,
    links: { host: `sd-${id}-h`, node: `sd-${id}-n` },
    cgroup: `safe-deploy-${name}`,
  };
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 6);
}
