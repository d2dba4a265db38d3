import { parseErrorRatios, type FaultSettings } from "./faults.ts";
import { SCENARIOS, type Scenario } from "./scenario.ts";

/** Everything the service takes from its environment, checked. */
export type Config = {
  host: string;
  port: number;
  /** `undefined`: no admin listener. */
  adminPort: number | undefined;
  /** Seconds after start during which /ready answers 503. */
  bootDelay: number;
  featureNew: boolean;
  /** Share of /feature/new requests that fail while `featureNew` is on, 0 to 1. */
  featureErrorRatio: number;
  databaseUrl: string | undefined;
  logLevel: string;
  version: string;
  commit: string;
  /** Seconds between SIGTERM (unready at once) and the moment the listener closes. */
  drainSeconds: number;
  /** Jobs that a worker does at the same time. */
  workerConcurrency: number;
  /** Seconds after SIGTERM in which a worker finishes the jobs that it has. */
  workerDrainSeconds: number;
  faultSeed: number;
  faults: FaultSettings;
};

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
const FAULT_VARIABLES = [
  "FAULT_SEED",
  "FAULT_ERRORS",
  "FAULT_JOB_CRASHES",
  "FAULT_LATENCY_MS",
  "FAULT_LEAK_MB_PER_S",
  "FAULT_CRASH_AFTER_S",
  "FAULT_UNREADY",
  "FAULT_SICK",
  "FAULT_SCENARIO",
];
const LARGEST_DELAY_S = 24 * 3600;

/** The environment has values that the service refuses; `problems` holds one line for each of them. */
export class ConfigError extends Error {
  readonly problems: string[];

  constructor(problems: string[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super(`${count} in the configuration, nothing was started:\n${problems.map((line) => `  ${line}`).join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/**
 * Reads the configuration from environment variables. An empty variable counts as not set.
 * @param needs what the program cannot do without
 * @throws ConfigError naming every variable that is wrong, what it is and what is allowed; the value of a secret is left out
 */
export function readConfig(env: Record<string, string | undefined>, needs = { database: false }): Config {
  const problems: string[] = [];

  function read<T>(name: string, fallback: T, allowed: string, parse: (text: string) => T | undefined): T {
    const text = env[name]?.trim();
    if (text === undefined || text === "") return fallback;
    const value = parse(text);
    if (value !== undefined) return value;
    problems.push(`${name}=${JSON.stringify(text)}: want ${allowed}`);
    return fallback;
  }

  function readNumber<T>(name: string, fallback: T, low: number, high: number): number | T {
    return read<number | T>(name, fallback, `a number from ${low} to ${high}`, (text) => numberWithin(text, low, high));
  }

  function readFlag(name: string): boolean {
    return read(name, false, "true or false", (text) => ({ true: true, "1": true, false: false, "0": false })[text]);
  }

  function readPort(name: string, fallback: number): number {
    return read(name, fallback, "a port number from 0 to 65535 (0: any free port)", portNumber);
  }

  const headerSafe = (text: string) => (/^[\x21-\x7e]{1,128}$/.test(text) ? text : undefined);
  const config: Config = {
    host: read("HOST", "0.0.0.0", "a host name or IP address", (text) => (/^[\w.:-]+$/.test(text) ? text : undefined)),
    port: readPort("PORT", 8080),
    adminPort: env.ADMIN_PORT?.trim() === "off" ? undefined : readPort("ADMIN_PORT", 8081),
    bootDelay: readNumber("BOOT_DELAY", 0, 0, LARGEST_DELAY_S),
    featureNew: readFlag("FEATURE_NEW"),
    featureErrorRatio: readNumber("FEATURE_ERROR_RATIO", 0.3, 0, 1),
    databaseUrl: env.DB_DSN?.trim() || undefined,
    logLevel: read("LOG_LEVEL", "info", `one of ${LOG_LEVELS.join(", ")}`, (text) =>
      LOG_LEVELS.includes(text) ? text : undefined,
    ),
    version: read("APP_VERSION", "dev", "1 to 128 printable characters without spaces", headerSafe),
    commit: read("APP_COMMIT", "unknown", "1 to 128 printable characters without spaces", headerSafe),
    drainSeconds: readNumber("DRAIN_SECONDS", 3, 0, 600),
    workerConcurrency: read("WORKER_CONCURRENCY", 4, "a whole number from 1 to 64", (text) => {
      const value = numberWithin(text, 1, 64);
      return Number.isInteger(value) ? value : undefined;
    }),
    workerDrainSeconds: readNumber("WORKER_DRAIN_SECONDS", 15, 1, 600),
    faultSeed: readNumber("FAULT_SEED", 1, 0, 2 ** 32 - 1),
    faults: {
      errors: readErrorRatios(),
      jobCrashes: readNumber("FAULT_JOB_CRASHES", 0, 0, 1),
      latencyMs: readNumber("FAULT_LATENCY_MS", 0, 0, 600_000),
      leakMbPerSecond: readNumber("FAULT_LEAK_MB_PER_S", 0, 0, 10_000),
      crashAfterSeconds: readNumber("FAULT_CRASH_AFTER_S", null, 0, LARGEST_DELAY_S),
      unready: readFlag("FAULT_UNREADY"),
      sick: readFlag("FAULT_SICK"),
      scenario: read<Scenario | null>("FAULT_SCENARIO", null, `one of ${SCENARIOS.join(", ")}`, (text) =>
        SCENARIOS.find((name) => name === text),
      ),
    },
  };

  function readErrorRatios(): Record<string, number> {
    const parsed = parseErrorRatios(env.FAULT_ERRORS ?? "");
    problems.push(...parsed.problems.map((problem) => `FAULT_ERRORS: ${problem}`));
    return parsed.ratios;
  }

  if (config.databaseUrl !== undefined && !isPostgresUrl(config.databaseUrl))
    problems.push("DB_DSN (value not shown): want postgres://user:password@host:port/database");
  if (config.databaseUrl === undefined && needs.database)
    problems.push("DB_DSN is not set: want postgres://user:password@host:port/database");
  if (config.port !== 0 && config.port === config.adminPort)
    problems.push(`ADMIN_PORT="${config.adminPort}": want a port other than PORT, or "off"`);
  for (const name of misspelledFaults(env))
    problems.push(`${name}: not a fault dial; want ${FAULT_VARIABLES.join(", ")}`);

  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function numberWithin(text: string, low: number, high: number): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) && value >= low && value <= high ? value : undefined;
}

function portNumber(text: string): number | undefined {
  const value = numberWithin(text, 0, 65535);
  return Number.isInteger(value) ? value : undefined;
}

/** Whether `text` is a connection URL that node-postgres takes. */
export function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);
}

// Kubernetes adds <SERVICE>_SERVICE_HOST and <SERVICE>_PORT... for each Service of the namespace: those are not ours.
function misspelledFaults(env: Record<string, string | undefined>): string[] {
  return Object.keys(env).filter(
    (name) => name.startsWith("FAULT_") && !FAULT_VARIABLES.includes(name) && !/_(SERVICE|PORT)(_|$)/.test(name),
  );
}
