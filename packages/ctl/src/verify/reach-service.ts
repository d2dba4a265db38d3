import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const betweenTriesMs = 100;
const connectTimeoutMs = 1_000;

/**
 * Waits until the Service's address takes a connection from here. A node learns of a new Service a little after the API
 * server has its endpoints, and until then refuses; on a busy node that takes seconds.
 *
 * @param deadline milliseconds since the epoch.
 * @returns whether it did; if not, the declared checks say how it fails.
 */
export async function untilReachable(baseUrl: string, deadline: number, signal: AbortSignal): Promise<boolean> {
  const { hostname, port, protocol } = new URL(baseUrl);
  const at = { host: hostname, port: Number(port || (protocol === "https:" ? 443 : 80)) };
  while (!signal.aborted && Date.now() < deadline) {
    if (await accepts(at)) return true;
    await delay(betweenTriesMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

function accepts(at: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...at, timeout: connectTimeoutMs });
    const end = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
