import path from "node:path";
import type { Lab } from "./identity.ts";

/** Which cluster the commands are about: the lab's own node, or one that exists and that the lab did not make. */
export type Backend = { kind: "node" } | { kind: "external"; kubeconfig: string | undefined };

/**
 * KUBECONFIG decides, unless it is the lab's own (as after `eval "$(lab env)"`). LAB=external takes the
 * default kubeconfig where KUBECONFIG is not set.
 */
export function chooseBackend(environment: NodeJS.ProcessEnv, lab: Lab): Backend {
  const kubeconfig = environment["KUBECONFIG"] || undefined;
  if (kubeconfig && path.resolve(kubeconfig) !== lab.kubeconfig) return { kind: "external", kubeconfig };
  if (environment["LAB"] === "external") return { kind: "external", kubeconfig: undefined };
  return { kind: "node" };
}
