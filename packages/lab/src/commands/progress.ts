import path from "node:path";
import { cacheDirectory } from "../identity.ts";
import { Progress, type Durations } from "../progress.ts";

/**
 * Progress of one command, estimated from its last complete run of that kind on this machine.
 * Ctrl-C says how things stand.
 */
export function commandProgress(command: string, defaults: Durations, kind = command): Progress {
  process.once("SIGINT", () => {
    process.stderr.write(
      `\nlab: interrupted. What was started goes on; \`lab ${command}\` continues, \`lab down\` removes.\n`,
    );
    process.exit(130);
  });
  return new Progress(path.join(cacheDirectory, "durations", `${kind}.json`), defaults);
}
