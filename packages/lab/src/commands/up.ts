import { resolveLab } from "../identity.ts";
import { takeLock } from "../lock.ts";
import { findProblems, installPackages, missingPackages, readMachine, refuseIf } from "../machine/requirements.ts";
import { startNode } from "../node/start.ts";
import { isAnyRunning } from "../node/status.ts";
import { ensureKube } from "../tools.ts";
import { commandProgress } from "./progress.ts";

export type UpOptions = { install?: boolean; addons: "core" | "all" };

/** Starts or heals the lab. */
export async function up(o: UpOptions): Promise<void> {
  const lab = resolveLab();
  const progress = commandProgress("up", { "kube-apiserver answers": 5, "node is Ready": 8, "add-ons are Ready": 40 });
  if (o.install) {
    const missing = missingPackages();
    if (missing.length > 0) await progress.step(`installed ${missing.join(" ")}`, () => installPackages(missing));
  }
  const machine = await readMachine({ directory: lab.state, toCompile: [], labRuns: isAnyRunning(lab) });
  refuseIf(findProblems(machine));
  using _lock = await takeLock(lab.name, {
    purpose: "lab up",
    deadlineSeconds: 1800,
    onWait: (holder) => progress.note(`waiting for ${holder} to end`),
  });
  const node = await startNode(lab, ensureKube(), progress);
  await node.nodeReady;
  process.stdout.write(`${lab.name} is up at ${node.nodeIp}\n`);
}
