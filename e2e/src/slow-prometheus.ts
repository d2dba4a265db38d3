import { startServer } from "./small-server.ts";
import type { World } from "./world.ts";

/** Whatever it is asked, the answer is the best there is; only late. */
const program = `
const best = JSON.stringify({ status: "success", data: { resultType: "vector", result: [{ metric: {}, value: [0, "0"] }] } });
require("node:http").createServer((request, response) => {
  request.resume();
  setTimeout(() => {
    response.setHeader("content-type", "application/json");
    response.end(best);
  }, Number(process.env.DELAY_MS));
}).listen(9090);
`;

/**
 * Starts something that answers as Prometheus does, after so many seconds.
 * @returns its address in the cluster
 */
export async function startSlowPrometheus(world: World, namespace: string, seconds: number): Promise<string> {
  const env = { DELAY_MS: String(seconds * 1000) };
  return await startServer(world, namespace, { name: "slow-prometheus", port: 9090, program, env });
}
