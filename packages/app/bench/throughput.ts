/**
 * Requests per second of this service (metrics and request log on) as a ratio to a bare fastify server that answers
 * the same JSON. Runs alternate, so that a slow moment of the machine meets both; the ratio is that of the medians.
 *
 *   node bench/throughput.ts [pairs, default 5] [seconds per run, default 4]
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import autocannon from "autocannon";

const [pairs = 5, seconds = 4] = process.argv.slice(2).map(Number);
const BARE = `
  import fastify from "fastify";
  const app = fastify();
  app.get("/version", () => ({ version: "bench", commit: "bench" }));
  console.log(JSON.stringify({ msg: "listening", address: await app.listen({ host: "127.0.0.1", port: 0 }) }));
`;
const APP_ENV = {
  HOST: "127.0.0.1",
  PORT: "0",
  ADMIN_PORT: "0",
  DRAIN_SECONDS: "0",
  APP_VERSION: "bench",
  APP_COMMIT: "bench",
};

async function measure(args: string[], env: Record<string, string>): Promise<number> {
  // Output goes to a file: read through a pipe, the log of one server would cost the load generator.
  const folder = await mkdtemp(join(tmpdir(), "app-bench-"));
  const output = await open(join(folder, "stdout"), "w");
  const child = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, ".."),
    env,
    stdio: ["ignore", output.fd, "inherit"],
  });
  try {
    const url = await addressIn(join(folder, "stdout"), child);
    await autocannon({ url: `${url}/version`, connections: 32, duration: 1 });
    const result = await autocannon({ url: `${url}/version`, connections: 32, duration: seconds });
    if (result.non2xx + result.errors > 0)
      throw new Error(`${result.non2xx} answers other than 2xx, ${result.errors} errors`);
    return result.requests.total / result.duration;
  } finally {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "close");
    await output.close();
    await rm(folder, { recursive: true });
  }
}

async function addressIn(file: string, child: ChildProcess): Promise<string> {
  while (child.exitCode === null) {
    const address = /"address":"([^"]+)"/.exec(await readFile(file, "utf8"))?.[1];
    if (address !== undefined) return address;
    await delay(20);
  }
  throw new Error(`the server ended with code ${child.exitCode} before it listened`);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

const bare: number[] = [];
const app: number[] = [];
for (let pair = 0; pair < pairs; pair += 1) {
  bare.push(await measure(["--input-type=module", "-e", BARE], {}));
  app.push(await measure(["dist/server.mjs"], APP_ENV));
  process.stderr.write(`pair ${pair + 1}: bare ${bare.at(-1)?.toFixed(0)}/s, app ${app.at(-1)?.toFixed(0)}/s\n`);
}
process.stdout.write(
  `${JSON.stringify({ bare: Math.round(median(bare)), app: Math.round(median(app)), ratio: Number((median(app) / median(bare)).toFixed(3)) })}\n`,
);
