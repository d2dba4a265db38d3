import path from "node:path";
import { cacheDirectory } from "../identity.ts";
import { Progress, type Durations } from "../progress.ts";

/** Progress of one command, estimated from its last complete run on this machine. */
export function commandProgress(command: string, defaults: Durations): Progress {
  return new Progress(path.join(cacheDirectory, "durations", `${command}.json`), defaults);
}
