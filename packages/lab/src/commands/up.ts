import { resolveLab } from "../identity.ts";
import { ensureProgramImage } from "../images/binary-image.ts";
import { Registry } from "../images/registry.ts";
import { takeLock } from "../lock.ts";
import { findProblems, installPackages, missingPackages, readMachine, refuseIf } from "../machine/requirements.ts";
import { registryPort } from "../node/config-files.ts";
import { startNode } from "../node/start.ts";
import { isAnyRunning } from "../node/status.ts";
import type { ToolName } from "../toolchain/catalog.ts";
import { missingTools, startTools } from "../toolchain/tools.ts";
import { commandProgress } from "./progress.ts";

export type UpOptions = { install?: boolean; addons: "core" | "all" };

/** What the node and the people in front of it need. */
const nodeTools = ["pause", "kube", "kubectl", "helm"] as const satisfies ToolName[];

/** Starts or heals the lab. */
export async function up(o: UpOptions): Promise<void> {
  const lab = resolveLab();
  const labRuns = isAnyRunning(lab);
  const progress = labRuns
    ? commandProgress("heal", { "node is Ready": 2 })
    : commandProgress("up", { "kube-apiserver answers": 5, "node is Ready": 8, "add-ons are Ready": 40 });
  const missing = missingPackages();
  if (o.install && missing.length > 0) {
    await progress.step(`installed ${missing.join(" ")}`, () => installPackages(missing));
  }
  const toCompile = (await missingTools(nodeTools)).map(({ name }) => name);
  refuseIf(findProblems(await readMachine({ directory: lab.state, toCompile, labRuns })));
  using _lock = await takeLock(lab.name, {
    purpose: "lab up",
    deadlineSeconds: 1800,
    onWait: (holder) => progress.note(`waiting for ${holder} to end`),
  });
  const tools = startTools(nodeTools, { onProgress: (line) => progress.note(line) });
  const node = await startNode(lab, tools.kube, progress);
  const registry = new Registry(`${node.nodeIp}:${registryPort}`);
  await node.registryReady;
  // Without it no pod starts.
  await ensureProgramImage(registry, "pause", tools.pause);
  await node.nodeReady;
  progress.save();
  process.stdout.write(`${lab.name} is up at ${node.nodeIp}\n`);
}
