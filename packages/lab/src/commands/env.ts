import { existsSync } from "node:fs";
import { chooseBackend } from "../backend.ts";
import { LabError } from "../errors.ts";
import { resolveLab, type Lab } from "../identity.ts";
import { registryPort } from "../node/config-files.ts";
import { readSubnet } from "../node/network.ts";
import { toolsDirectory } from "../tools.ts";

/** Prints the shell lines that make this cluster the one that kubectl, helm and ctl use. */
export function env(): void {
  const lab = resolveLab();
  for (const [name, value] of Object.entries(labEnvironment(lab))) {
    process.stdout.write(`export ${name}=${quote(value)}\n`);
  }
}

/** Throws if the lab is not up: half an environment would point at some other cluster. */
export function labEnvironment(lab: Lab): Record<string, string> {
  const path = [toolsDirectory(), process.env["PATH"]].filter(Boolean).join(":");
  const backend = chooseBackend(process.env, lab);
  if (backend.kind === "external") {
    return { ...(backend.kubeconfig ? { KUBECONFIG: backend.kubeconfig } : { LAB: "external" }), PATH: path };
  }
  const subnet = readSubnet(lab);
  if (!subnet || !existsSync(lab.kubeconfig)) {
    throw new LabError(`the lab ${lab.name} is not up`, { hint: "`lab up` starts it." });
  }
  return {
    LAB_NAME: lab.name,
    KUBECONFIG: lab.kubeconfig,
    CTL_REGISTRY_MIRRORS: `registry.local=http://${subnet.nodeIp}:${registryPort}`,
    PATH: path,
  };
}

/** One word for a POSIX shell. */
export function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
