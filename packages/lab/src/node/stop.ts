import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { run } from "../command.ts";
import { LabError } from "../errors.ts";
import type { Lab } from "../identity.ts";
import type { Progress } from "../progress.ts";
import { cgroupDirectories, listProcesses, removeCgroups } from "./cgroups.ts";
import { mountsBelow, readMounts } from "./mounts.ts";
import { netnsFile, removeNetwork } from "./network.ts";
import { ProcessTable, identify, isAlive, signal, waitForEnd, type ProcessId } from "./process.ts";

const deadlineMs = 60_000;

/**
 * Ends and removes everything the lab made on this machine, however far its `up` came and whatever was killed since.
 * Nothing here trusts a record alone: processes are found by the lab's cgroups, mounts by the lab's directory,
 * the network by the lab's name.
 */
export async function removeNode(lab: Lab, progress: Progress): Promise<void> {
  await progress.step("processes ended", () => endProcesses(lab));
  await progress.step("mounts, network and cgroups removed", async () => {
    for (const target of mountsBelow(lab.state, readMounts())) await unmount(target);
    await removeNetwork(lab);
    await removeAllCgroups(lab);
  });
  await progress.step(`${lab.state} removed`, () => rm(lab.state, { recursive: true, force: true }));
}

/** Whether anything of the lab is on this machine. */
export function leavesTraces(lab: Lab): boolean {
  return (
    existsSync(lab.state) ||
    existsSync(netnsFile(lab)) ||
    existsSync(`/sys/class/net/${lab.links.host}`) ||
    cgroupDirectories(lab.cgroup).length > 0
  );
}

/** Until the cgroups are empty: a component that is still alive may start another process meanwhile. */
async function endProcesses(lab: Lab): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const processes = livingProcesses(lab);
    if (processes.length === 0) return;
    if (Date.now() > deadline) {
      throw new LabError(
        `processes of the lab do not end: ${processes.map(({ pid }) => pid).join(", ")} (still there ${deadlineMs / 1000} s after SIGKILL)`,
        { hint: "They hang in the kernel. Look at /proc/PID/stack, then run `lab down` again." },
      );
    }
    for (const id of processes) signal(id, "SIGKILL");
    await waitForEnd(processes, 1000);
  }
}

function livingProcesses(lab: Lab): ProcessId[] {
  const recorded = [...new ProcessTable(lab).list().values()].filter(isAlive);
  return [...recorded, ...listProcesses(lab.cgroup).flatMap((pid) => identify(pid) ?? [])];
}

async function unmount(target: string): Promise<void> {
  try {
    await run("umount", [target]);
  } catch {
    // Busy: somebody's shell stands in it. Detached now, it goes when they leave.
    await run("umount", ["--lazy", target]);
  }
}

/** A cgroup can be removed only after the kernel has let go of its last process. */
async function removeAllCgroups(lab: Lab): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const left = removeCgroups(lab.cgroup);
    if (left.length === 0) return;
    if (Date.now() > deadline) throw new LabError(`cgroups of the lab cannot be removed: ${left.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
