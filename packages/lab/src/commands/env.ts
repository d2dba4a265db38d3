import { existsSync } from "node:fs";
import path from "node:path";
import { chooseBackend } from "../backend.ts";
import { LabError } from "../errors.ts";
import { resolveLab, type Lab } from "../identity.ts";
import { registryPort } from "../node/config-files.ts";
import { readSubnet } from "../node/network.ts";
import type { ToolName } from "../toolchain/catalog.ts";
import { missingTools, toolPath } from "../toolchain/tools.ts";

/** The programs that people use; what is not built yet is left out until `lab tools` builds it. */
const programs: ToolName[] = ["kubectl", "helm", "helm3", "k6", "kubeconform"];

/** Prints the shell lines that make this cluster the one that kubectl, helm and ctl use. */
export async function env(): Promise<void> {
  const lab = resolveLab();
  for (const [name, value] of Object.entries(await labEnvironment(lab))) {
    process.stdout.write(`export ${name}=${quote(value)}\n`);
  }
}

/** Throws if the lab is not up: half an environment would point at some other cluster. */
export async function labEnvironment(lab: Lab): Promise<Record<string, string>> {
  const PATH = await pathWithTools();
  const backend = chooseBackend(process.env, lab);
  if (backend.kind === "external") {
    return { ...(backend.kubeconfig ? { KUBECONFIG: backend.kubeconfig } : { LAB: "external" }), PATH };
  }
  const subnet = readSubnet(lab);
  if (!subnet || !existsSync(lab.kubeconfig)) {
    throw new LabError(`the lab ${lab.name} is not up`, { hint: "`lab up` starts it." });
  }
  return {
    LAB_NAME: lab.name,
    KUBECONFIG: lab.kubeconfig,
    // kubectl and helm keep what an API server serves by its address, which the next lab has too.
    KUBECACHEDIR: path.join(lab.state, "kube-cache"),
    CTL_REGISTRY_MIRRORS: `registry.local=http://${subnet.nodeIp}:${registryPort}`,
    PATH,
  };
}

/** PATH with the lab's programs first; unchanged if they are already there. */
async function pathWithTools(): Promise<string> {
  const missing = (await missingTools(programs)).map(({ name }) => name);
  const directory = await toolPath(programs.filter((name) => !missing.includes(name)));
  const directories = (process.env["PATH"] ?? "").split(":").filter((entry) => entry !== directory);
  return [directory, ...directories].join(":");
}

/** One word for a POSIX shell. */
export function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
