import type { Logger } from "pino";
import { buildAdmin } from "./admin.ts";
import { ConfigError, readConfig, type Config } from "./config.ts";
import { Database } from "./database.ts";
import { FaultDials } from "./faults.ts";
import type { Http } from "./http.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createLogger, type Logging } from "./logger.ts";
import { Metrics } from "./metrics.ts";

const EXIT_FAILED = 1;
const EXIT_BAD_CONFIG = 2;
const SIGNAL_NUMBERS = { SIGTERM: 15, SIGINT: 2 };

/** What a program is built from. */
export type Parts = {
  config: Config;
  log: Logger;
  logRequest: Logging["logRequest"];
  metrics: Metrics;
  faults: FaultDials;
  lifecycle: Lifecycle;
  database: Database | undefined;
};

export type Program = {
  app: Http;
  /** Called when the program listens. */
  begin?: () => void;
  /** Called after SIGTERM, when the program is unready and still serves; the listener closes when this is done. */
  drain: () => Promise<void>;
  /** Called when the last response is out. */
  end?: () => Promise<void>;
};

/**
 * Runs one of the image's programs: configuration, log, fault dials and their port, signals, exit codes.
 * @param about.service name in the log
 * @param about.oldestSchema oldest schema version that the program works with
 */
export async function run(
  about: { service: string; oldestSchema: string; needsDatabase: boolean },
  build: (parts: Parts) => Promise<Program>,
): Promise<void> {
  const config = configOrExit({ database: about.needsDatabase });
  const { log, logRequest, flush, linesByLevel } = createLogger(config.logLevel, {
    service: about.service,
    version: config.version,
  });
  process.on("exit", flush);
  process.on("uncaughtException", (error) => die(error, "uncaught error"));

  const metrics = new Metrics({ version: config.version, commit: config.commit }, linesByLevel);
  const lifecycle = new Lifecycle(config.bootDelay);
  const faults = new FaultDials({
    seed: config.faultSeed,
    crash: (when) => die(new Error(`a fault dial was set to crash ${when}`), "crash"),
  });
  const database =
    config.databaseUrl === undefined
      ? undefined
      : new Database({
          url: config.databaseUrl,
          oldestSchema: about.oldestSchema,
          log,
          onSchemaVersion: (version) => metrics.setSchemaVersion(version),
        });
  const program = await build({ config, log, logRequest, metrics, faults, lifecycle, database });
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
    const address = await program.app.listen({ host: config.host, port: config.port });
    const adminAddress =
      config.adminPort === undefined ? null : await admin.listen({ host: config.host, port: config.adminPort });
    log.info({ address, adminAddress, commit: config.commit, database: database !== undefined }, "listening");
  } catch (error) {
    die(error, `cannot listen on ${config.host} port ${config.port} or ${config.adminPort}`);
  }
  listening = true;
  faults.set(config.faults);
  void database?.watchSchema();
  program.begin?.();

  // Unready first, and still serving while the cluster takes this pod out of its endpoints; then no new connections,
  // and the process ends by itself when the last response is out.
  async function stop(signal: string): Promise<void> {
    log.info({ signal }, "shutting down");
    lifecycle.drain();
    await program.drain();
    await program.app.close();
    await admin.close();
    await program.end?.();
    await database?.close();
    log.info("stopped");
    process.exitCode = 0;
  }

  function die(error: unknown, message: string): never {
    log.fatal({ err: error }, message);
    process.exit(EXIT_FAILED);
  }
}

function configOrExit(needs: { database: boolean }): Config {
  try {
    return readConfig(process.env, needs);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`myapp: ${error.message}\n`);
    process.exit(EXIT_BAD_CONFIG);
  }
}
