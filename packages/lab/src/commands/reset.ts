import { Kube } from "@safe-deploy/kube";
import { existsSync } from "node:fs";
import { LabError } from "../errors.ts";
import { resolveLab } from "../identity.ts";
import { takeLock } from "../lock.ts";
import { resetCluster } from "../reset.ts";
import { refuseExternal } from "./down.ts";
import { commandProgress } from "./progress.ts";

const deadlineSeconds = 120;

/** Empties the cluster of what people put there; the cluster and its add-ons stay. */
export async function reset(): Promise<void> {
  const lab = resolveLab();
  refuseExternal("reset");
  if (!existsSync(lab.kubeconfig)) {
    throw new LabError(`the lab ${lab.name} is not up`, { hint: "`lab up` starts an empty one." });
  }
  const progress = commandProgress("reset", { "the cluster is empty": 10 });
  using _lock = await takeLock(lab.name, {
    purpose: "lab reset",
    deadlineSeconds: 1800,
    onWait: (holder) => progress.note(`waiting for ${holder} to end`),
  });
  const kube = await Kube.connect({ kubeconfig: lab.kubeconfig });
  const deleted = await progress.step("the cluster is empty", () => resetCluster(kube, deadlineSeconds));
  progress.save();
  process.stdout.write(
    `${lab.name} is empty; ${deleted.length === 0 ? "there was no namespace to delete" : `deleted: ${deleted.join(" ")}`}\n`,
  );
}
