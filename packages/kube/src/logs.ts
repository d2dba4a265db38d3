import { setTimeout as delay } from "node:timers/promises";
import { KubeError, type RequestTarget } from "./errors.ts";
import { backoffMs, type Transport } from "./transport.ts";
import { lines } from "./watch.ts";

export interface LogSource {
  transport: Transport;
  target: RequestTarget;
  path(query: Record<string, string | number | boolean | undefined>): string;
  tailLines: number | undefined;
  signal: AbortSignal;
}

/**
 * The lines of a container's log until it ends. The server stamps every line with its time to the nanosecond
 * (RFC 3339 in the node's own time zone, so that their text sorts like the times); after a lost connection the log is read again from the last
 * second on, and lines up to the last one given are left out.
 */
export async function* followLogs(source: LogSource): AsyncGenerator<string, void, void> {
  const { transport, target, signal } = source;
  let last = "";
  let failures = 0;
  while (!signal.aborted) {
    try {
      const from = last === "" ? { tailLines: source.tailLines } : { sinceTime: new Date(last).toISOString() };
      const path = source.path({ follow: true, timestamps: true, ...from });
      const response = await transport.stream({ method: "GET", path, target, signal });
      const resumedAt = last;
      for await (const line of lines(response, transport.server)) {
        const space = line.indexOf(" ");
        const stamp = space < 0 ? line : line.slice(0, space);
        if (sortable(stamp) <= sortable(resumedAt)) continue;
        last = stamp;
        failures = 0;
        yield space < 0 ? "" : line.slice(space + 1);
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      const lost = error instanceof KubeError && error.status === 0 && transport.reached && last !== "";
      if (!lost) throw error;
      await delay(backoffMs(failures++), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Trailing zeros of the fraction are left out by the server: `...:05Z` and `...:05.1Z` only sort when padded. */
function sortable(stamp: string): string {
  if (stamp === "") return "";
  const [seconds = "", fraction = ""] = stamp.replace(/(?:Z|[+-]\d\d:\d\d)$/, "").split(".");
  return `${seconds}.${fraction.padEnd(9, "0")}`;
}
