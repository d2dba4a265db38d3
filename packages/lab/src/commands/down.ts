import { chooseBackend } from "../backend.ts";
import { refusal } from "../errors.ts";
import { resolveLab } from "../identity.ts";
import { takeLock } from "../lock.ts";
import { requireRoot } from "../machine/requirements.ts";
import { leavesTraces, removeNode } from "../node/stop.ts";
import { commandProgress } from "./progress.ts";

/** Removes the lab from the machine. Its registry's contents and the built binaries stay in the cache. */
export async function down(): Promise<void> {
  const lab = resolveLab();
  refuseExternal("down");
  if (!leavesTraces(lab)) {
    process.stdout.write(`nothing to do: there is no lab ${lab.name} on this machine\n`);
    return;
  }
  requireRoot("down");
  const progress = commandProgress("down", { "processes ended": 1 });
  using _lock = await takeLock(lab.name, {
    purpose: "lab down",
    deadlineSeconds: 600,
    onWait: (holder) => progress.note(`waiting for ${holder} to end`),
  });
  await removeNode(lab, progress);
  progress.save();
  process.stdout.write(`${lab.name} is down\n`);
}

/** A cluster that the lab did not make is not the lab's to empty or remove. */
export function refuseExternal(command: string): void {
  const backend = chooseBackend(process.env, resolveLab());
  if (backend.kind === "node") return;
  throw refusal(
    `\`lab ${command}\` would change a cluster that the lab did not make (${backend.kubeconfig ?? "LAB=external"})`,
    "Unset KUBECONFIG and LAB to mean this checkout's own lab; clean up the other cluster with its own tools.",
  );
}
