import { setTimeout as delay } from "node:timers/promises";
import { buildAdmin } from "./admin.ts";
import { buildApp } from "./app.ts";
import { ConfigError, readConfig, type Config } from "./config.ts";
import { Database } from "./database.ts";
import { FaultDials } from "./faults.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createLogger } from "./logger.ts";
import { Metrics } from "./metrics.ts";

const EXIT_FAILED = 1;
const EXIT_BAD_CONFIG = 2;
const SIGNAL_NUMBERS = { SIGTERM: 15, SIGINT: 2 };

const config = configOrExit();
const { log, logRequest, flush } = createLogger(config.logLevel, { service: "myapp", version: config.version });
process.on("exit", flush);
process.on("uncaughtException", (error) => die(error, "uncaught error"));

const metrics = new Metrics({ version: config.version, commit: config.commit });
const lifecycle = new Lifecycle(config.bootDelay);
const faults = new FaultDials({
  seed: config.faultSeed,
  crash: (afterSeconds) => die(new Error(`the fault dial \`crash\` was set to ${afterSeconds} s`), "crash"),
});
const database =
  config.databaseUrl === undefined
    ? undefined
    : new Database({ url: config.databaseUrl, log, onSchemaVersion: (version) => metrics.setSchemaVersion(version) });
const app = await buildApp({ config, log, logRequest, metrics, faults, lifecycle, database });
const admin = buildAdmin({ log, version: config.version, faults });

// Before listening: as process 1 of a container a signal without a handler is ignored.
let listening = false;
let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.on(signal, () => {
    if (!listening) process.exit(0);
    if (stopping) {
      log.warn({ signal }, "second signal: exit at once");
      process.exit(128 + SIGNAL_NUMBERS[signal]);
    }
    stopping = true;
    stop(signal).catch((error: unknown) => die(error, "shutdown failed"));
  });

try {
  const address = await app.listen({ host: config.host, port: config.port });
  const adminAddress =
    config.adminPort === undefined ? null : await admin.listen({ host: config.host, port: config.adminPort });
  log.info({ address, adminAddress, commit: config.commit, database: database !== undefined }, "listening");
} catch (error) {
  die(error, `cannot listen on ${config.host} port ${config.port} or ${config.adminPort}`);
}
listening = true;
faults.set(config.faults);
void database?.watchSchema();

/**
 * Unready first, and still serving while the cluster takes this pod out of its endpoints; then no new connections, and
 * the process ends by itself when the last response is out.
 */
async function stop(signal: string): Promise<void> {
  log.info({ signal, drainSeconds: config.drainSeconds }, "shutting down");
  lifecycle.drain();
  await delay(config.drainSeconds * 1000);
  await app.close();
  await admin.close();
  await database?.close();
  log.info("stopped");
  process.exitCode = 0;
}

function die(error: unknown, message: string): never {
  log.fatal({ err: error }, message);
  process.exit(EXIT_FAILED);
}

function configOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`myapp: ${error.message}\n`);
    process.exit(EXIT_BAD_CONFIG);
  }
}
