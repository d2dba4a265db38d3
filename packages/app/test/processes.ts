import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const SOURCES = join(import.meta.dirname, "../src");

export type Finished = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };

/** Starts one of the package's programs with nothing but `env` in its environment. It is killed when the test ends. */
export function start(program: "server" | "worker" | "migrate", args: string[], env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [join(SOURCES, `${program}.ts`), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const finished: Promise<Finished> = once(child, "close").then(([code, signal]) => ({ code, signal, stdout, stderr }));
  onTestFinished(() => void child.kill("SIGKILL"));

  /** Resolves with the first log line that has this message. */
  async function logged(message: string): Promise<Record<string, unknown>> {
    for (;;) {
      const line = stdout
        .split("\n")
        .slice(0, -1)
        .map((text) => JSON.parse(text) as Record<string, unknown>)
        .find(({ msg }) => msg === message);
      if (line !== undefined) return line;
      const ended = await Promise.race([once(child.stdout!, "data"), finished]);
      if (!Array.isArray(ended)) throw new Error(`ended before it logged "${message}": ${JSON.stringify(ended)}`);
    }
  }
  return { child, finished, logged };
}

/** Starts the service on free ports and waits until it listens. */
export async function startServer(env: Record<string, string> = {}) {
  const server = start("server", [], { HOST: "127.0.0.1", PORT: "0", ADMIN_PORT: "0", DRAIN_SECONDS: "0", ...env });
  const { address, adminAddress } = (await server.logged("listening")) as { address: string; adminAddress: string };
  return { ...server, url: address, adminUrl: adminAddress };
}

/** Starts a worker on free ports and waits until it listens. */
export async function startWorker(env: Record<string, string>) {
  const worker = start("worker", [], {
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    WORKER_DRAIN_SECONDS: "1",
    ...env,
  });
  const { address, adminAddress } = (await worker.logged("listening")) as { address: string; adminAddress: string };
  return { ...worker, url: address, adminUrl: adminAddress };
}

/** Runs `migrate` to its end. */
export function migrate(args: string[], env: Record<string, string>): Promise<Finished> {
  return start("migrate", args, env).finished;
}

/** Asks until `condition` holds for the answer; the test's own time limit ends it. */
export async function until<T>(ask: () => Promise<T>, condition: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (condition(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
