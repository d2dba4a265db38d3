/** One server for all pods of the bench: every address of the loopback network is one of them. Tells its port to its parent. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { collectDefaultMetrics, Registry } from "prom-client";

const routes = Number(process.argv[2] ?? 20);
const registry = new Registry();
collectDefaultMetrics({ register: registry });
const runtime = await registry.metrics();
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 2, 5, 10];

const server = http.createServer((_, response) => response.end(exposition()));

/** About ten good requests a second for each pod, over all routes. */
function exposition(): string {
  const total = Math.floor(Date.now() / 100) % 1_000_000_000;
  const lines = [runtime, "# TYPE http_requests_total counter"];
  for (let route = 0; route < routes; route++) {
    const count = Math.floor(total / routes);
    const labels = `method="GET",route="/api/v1/route-${route}"`;
    lines.push(`http_requests_total{${labels},status="200"} ${count}`);
    lines.push(`http_requests_total{${labels},status="500"} ${Math.floor(count / 1000)}`);
    for (const le of buckets) lines.push(`http_request_duration_seconds_bucket{le="${le}",${labels}} ${count}`);
  }
  return `${lines.join("\n")}\n`;
}

server.listen(0, "0.0.0.0", 8_192, () => process.send?.({ port: (server.address() as AddressInfo).port }));
