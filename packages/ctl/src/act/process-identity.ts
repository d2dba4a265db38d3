import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Names one process for ever: `host/boot/pid/start`. The start time tells a process from a later one with the same id.
 * Where there is no /proc, boot and start are `-`.
 */
export function processIdentity(pid = process.pid): string {
  return [hostname(), bootId(), pid, startTime(pid) ?? "-"].join("/");
}

/** Whether that process still runs; `elsewhere` when this machine cannot tell. */
export function stateOf(identity: string): "runs" | "gone" | "elsewhere" {
  const [host, boot, pid, start] = identity.split("/");
  if (host !== hostname() || boot === undefined || boot === "-" || pid === undefined) return "elsewhere";
  if (boot !== bootId()) return "gone";
  return startTime(Number(pid)) === start ? "runs" : "gone";
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 8);
  } catch {
    return "-";
  }
}

/** Clock ticks since boot, as text; undefined when the process is gone or only waits to be reaped. */
function startTime(pid: number): string | undefined {
  try {
    // The command's name, in parentheses, may itself hold spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
