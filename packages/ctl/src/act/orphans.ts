import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { operationVariable } from "../domain/operation.ts";

/**
 * Ends the child processes that a killed ctl left on this machine: those whose environment carries the operation's id.
 * On a system without /proc there is nothing to look at; there, the Lease's expiry is the only guard.
 *
 * @returns the process ids that were ended.
 */
export async function endOrphans(operation: string): Promise<number[]> {
  const ended = new Set<number>();
  for (;;) {
    const orphans = await findByEnvironment(`${operationVariable}=${operation}`);
    if (orphans.length === 0) return [...ended];
    for (const pid of orphans) {
      ended.add(pid);
      kill(pid);
    }
    await delay(20);
  }
}

/** A process that has ended has no environment any more, even while its parent has yet to reap it. */
async function findByEnvironment(mark: string): Promise<number[]> {
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  const matches = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
      return environment.split("\0").includes(mark) ? [Number(pid)] : [];
    }),
  );
  return matches.flat();
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
