import { setTimeout as delay } from "node:timers/promises";
import type { Ran } from "./run.ts";
import type { World } from "./world.ts";

/** Runs ctl and kills it, and it alone, after a while; resolves when it has ended. */
export async function killedAfter(world: World, ms: number, args: string[]): Promise<Ran> {
  let pid: number | undefined;
  const ran = world.ctl(args, { onStart: (started) => (pid = started) });
  await Promise.race([delay(ms), ran]);
  if (pid !== undefined) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  return await ran;
}
