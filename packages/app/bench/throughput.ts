/**
 * Requests per second of this service, with metrics and a log line for each request, beside a bare fastify server that
 * answers the same JSON. Both run throughout; rounds alternate between them in changing order, so that a slow moment of
 * the machine meets both. The load comes from a process of its own.
 *
 * The load generator may tire before a server does, which hides a difference. Therefore each round also yields the
 * requests per second of the server's own processor time: what it would answer if nothing else held it back.
 *
 *   node bench/throughput.ts [rounds, default 10] [seconds per round, default 2]
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import autocannon from "autocannon";

const [rounds = 10, seconds = 2] = process.argv.slice(2).map(Number);
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
/** Linux counts processor time in hundredths of a second (USER_HZ). */
const TICKS_PER_SECOND = 100;

type Round = { perSecond: number; perCpuSecond: number };

class Server {
  readonly rounds: Round[] = [];
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = `${url}/version`;
  }

  /** @param output file for its stdout: through a pipe, the log of one server would cost the load generator */
  static async start(args: string[], env: Record<string, string>, output: string): Promise<Server> {
    const file = await open(output, "w");
    const child = spawn(process.execPath, args, {
      cwd: join(import.meta.dirname, ".."),
      env,
      stdio: ["ignore", file.fd, "inherit"],
    });
    await file.close();
    return new Server(child, await addressIn(output, child));
  }

  async load(seconds: number): Promise<Round> {
    const before = await this.#cpuSeconds();
    const result = await autocannon({ url: this.#url, connections: 32, duration: seconds });
    if (result.non2xx + result.errors > 0)
      throw new Error(`${result.non2xx} answers other than 2xx, ${result.errors} errors`);
    const { total } = result.requests;
    return { perSecond: total / result.duration, perCpuSecond: total / ((await this.#cpuSeconds()) - before) };
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    if (this.#child.exitCode === null) await once(this.#child, "close");
  }

  async #cpuSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, "utf8");
    const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12).map(Number);
    return (user! + system!) / TICKS_PER_SECOND;
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

const folder = await mkdtemp(join(tmpdir(), "app-bench-"));
const bare = await Server.start(["--input-type=module", "-e", BARE], {}, join(folder, "bare"));
const app = await Server.start(["dist/server.mjs"], APP_ENV, join(folder, "app"));
try {
  for (const server of [bare, app]) await server.load(2);
  for (let round = 1; round <= rounds; round += 1) {
    for (const server of round % 2 === 0 ? [bare, app] : [app, bare]) server.rounds.push(await server.load(seconds));
    const [one, other] = [bare.rounds.at(-1)!, app.rounds.at(-1)!];
    process.stderr.write(
      `round ${round}: bare ${one.perSecond.toFixed(0)}/s, app ${other.perSecond.toFixed(0)}/s; of processor time ${one.perCpuSecond.toFixed(0)}/s, ${other.perCpuSecond.toFixed(0)}/s\n`,
    );
  }
} finally {
  await bare.stop();
  await app.stop();
  await rm(folder, { recursive: true });
}
process.stdout.write(`${JSON.stringify({ bare: bare.rounds, app: app.rounds })}\n`);
