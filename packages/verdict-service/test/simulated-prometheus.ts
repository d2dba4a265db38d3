import http from "node:http";
import type { AddressInfo } from "node:net";

export interface SimulatedSeries {
  pod: string;
  hash: string;
  ok: number;
  bad: number;
  /** Whether it has nothing of the pod but when it started. */
  isBare?: boolean;
}

/** Answers the instant query for a range with one sample of each series, taken now. */
export async function startPrometheus(read: () => SimulatedSeries[]) {
  const queries: string[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      queries.push(new URLSearchParams(body).get("query") ?? "");
      const at = Date.now() / 1000;
      const result = read().flatMap(({ pod, hash, ok, bad, isBare = false }) => [
        { metric: { __name__: "process_start_time_seconds", pod, hash }, values: [[at, String(at - 3600)]] },
        ...Object.entries(isBare ? {} : { "200": ok, "500": bad }).map(([status, value]) => ({
          metric: { __name__: "http_requests_total", pod, hash, status },
          values: [
            [at - 5, "0"],
            [at, String(value)],
          ],
        })),
      ]);
      response.end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries,
    stop,
    async [Symbol.asyncDispose]() {
      stop();
    },
  };
}
