import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { DEFAULTS, REQUEST_TIMEOUT_SECONDS, type ScenarioName } from "../lib/scenarios.ts";
import { NOTHING_ANSWERS, readSettings, type Settings } from "../lib/settings.ts";
import type { Summary } from "../lib/summary.ts";
import type { LoadResult } from "./result.ts";
import { Samples } from "./samples.ts";

/** For k6 to start, probe the target, let the last requests end and write its summary. */
const MARGIN_SECONDS = 30 + REQUEST_TIMEOUT_SECONDS;
const KILL_AFTER_MS = 10_000;
/** k6's exit codes for a run that came to its summary: all well, a threshold broken, ended by a signal. */
const RAN = [0, 99, 105];

export interface LoadOptions {
  scenario: ScenarioName;
  baseUrl: string;
  /** Requests per second. Default: the scenario's. */
  rate?: number;
  /** Such as "30s". Default: the scenario's. */
  duration?: string;
  paths?: string[];
  /** Sent with every request. A router chooses by `host`: `{ host: "myapp.example.com" }`. */
  headers?: Record<string, string>;
  connections?: "new" | "reuse";
  /** The k6 program. Default: the environment variable K6, else k6 on PATH. */
  k6?: string;
  /** Put before the command, such as `["nsenter", "--net=/run/netns/lab"]`; it must pass on signals, as one that execs does. */
  wrapper?: string[];
  /** Called about once a second while requests end. */
  onProgress?: (progress: LoadProgress) => void;
}

export interface LoadProgress {
  elapsedSeconds: number;
  requests: number;
  failed: number;
  dropped: number;
  byVersion: Record<string, number>;
}

export interface Load {
  result: Promise<LoadResult>;
  /** Ends the load now; the result tells of what was sent so far. */
  stop(): Promise<LoadResult>;
}

/** The options cannot be used; nothing was started. */
export class LoadUsageError extends Error {
  override readonly name = "LoadUsageError";
}

/** Nothing answers at the base URL; no load was sent. */
export class TargetDownError extends Error {
  override readonly name = "TargetDownError";
}

/** k6 could not be started, or ended without a result. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}

/**
 * Runs a scenario with k6. Bounded by its duration plus half a minute.
 * @throws {LoadUsageError} at once. The result rejects with TargetDownError or LoadError.
 */
export function runLoad(options: LoadOptions): Load {
  const env = environmentOf(options);
  let settings: Settings;
  try {
    settings = readSettings(env, DEFAULTS[options.scenario]);
  } catch (error) {
    throw new LoadUsageError((error as Error).message, { cause: error });
  }
  const stop = new AbortController();
  const result = run(options, env, settings, stop.signal);
  // Who only calls stop() later must not be ended by a rejection that nobody heard of yet.
  result.catch(() => {});
  return {
    result,
    stop: () => {
      stop.abort();
      return result;
    },
  };
}

type Environment = Record<string, string>;

function environmentOf({ baseUrl, rate, duration, paths, headers, connections }: LoadOptions): Environment {
  return {
    BASE_URL: baseUrl,
    ...(rate === undefined ? {} : { RATE: String(rate) }),
    ...(duration === undefined ? {} : { DURATION: duration }),
    ...(paths === undefined ? {} : { PATHS: paths.join(",") }),
    ...(headers === undefined ? {} : { HEADERS: lines(headers) }),
    ...(connections === undefined ? {} : { CONNECTIONS: connections }),
  };
}

function lines(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}

async function run(
  options: LoadOptions,
  env: Environment,
  { rate, durationSeconds, headers }: Settings,
  stop: AbortSignal,
): Promise<LoadResult> {
  const directory = await mkdtemp(path.join(tmpdir(), "safe-deploy-load-"));
  try {
    const summaryFile = path.join(directory, "summary.json");
    const samples = new Samples();
    const startedAt = new Date();
    const k6 = await runK6(options, { ...env, SUMMARY: summaryFile }, durationSeconds, samples, stop);
    const targetDown = k6.errors.find((message) => message.startsWith(NOTHING_ANSWERS));
    if (targetDown !== undefined) throw new TargetDownError(targetDown);
    const { thresholds, requests } = await readSummary(summaryFile, k6);
    // Ending k6 may come between its two ways of counting the same request.
    if (requests !== samples.requests && !stop.aborted) {
      throw new LoadError(`k6 counted ${requests} requests, but its stream of samples holds ${samples.requests}`);
    }
    return {
      schemaVersion: 1,
      scenario: options.scenario,
      baseUrl: options.baseUrl,
      headers,
      rate,
      startedAt: startedAt.toISOString(),
      endedAt: new Date().toISOString(),
      stopped: stop.aborted,
      totals: samples.totals(),
      thresholds,
      passed: samples.requests > 0 && thresholds.every(({ passed }) => passed),
      series: samples.series(),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function readSummary(file: string, { exitCode, errors }: Ended): Promise<Summary> {
  try {
    if (RAN.includes(exitCode)) return JSON.parse(await readFile(file, "utf8")) as Summary;
  } catch (error) {
    throw new LoadError(`k6 ended with code ${exitCode} and wrote no summary`, { cause: error });
  }
  throw new LoadError([`k6 failed with code ${exitCode}:`, ...errors.map((line) => `  ${line}`)].join("\n"));
}

interface Ended {
  exitCode: number;
  /** The messages of level error. */
  errors: string[];
}

async function runK6(
  options: LoadOptions,
  env: Environment,
  durationSeconds: number,
  samples: Samples,
  stop: AbortSignal,
): Promise<Ended> {
  const script = fileURLToPath(new URL(`../${options.scenario}.ts`, import.meta.url));
  const variables = Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const flags = [
    "--quiet",
    "--no-usage-report",
    "--include-system-env-vars=false",
    "--log-format=json",
    "--out=json=-",
  ];
  const program = options.k6 ?? process.env.K6 ?? "k6";
  const [command, ...args] = [...(options.wrapper ?? []), program, "run", ...flags, ...variables, script];
  // A process group of its own: Ctrl-C in a terminal would reach k6 beside our own signal, and two end it without a summary.
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const started = performance.now();
  const ended = waitForEnd(child, command);

  const errors: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => errors.push(...errorMessage(line)));
  createInterface({ input: child.stdout }).on("line", (line) => samples.add(line));

  let killTimer: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    child.kill("SIGINT");
    killTimer ??= setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  };
  const killOnExit = (): void => void child.kill("SIGKILL");
  const limitMs = (durationSeconds + MARGIN_SECONDS) * 1000;
  let overdue = false;
  const limitTimer = setTimeout(() => {
    overdue = true;
    interrupt();
  }, limitMs);
  const progressTimer = setInterval(() => {
    if (samples.requests + samples.dropped === 0) return;
    const { requests, failed, dropped, byVersion } = samples;
    const elapsedSeconds = Math.round((performance.now() - started) / 1000);
    options.onProgress?.({ elapsedSeconds, requests, failed, dropped, byVersion: Object.fromEntries(byVersion) });
  }, 1000);
  process.once("exit", killOnExit);
  if (stop.aborted) interrupt();
  else stop.addEventListener("abort", interrupt, { once: true });
  try {
    const exitCode = await ended;
    if (overdue) throw new LoadError(`k6 did not end within ${limitMs / 1000} s and was stopped`);
    return { exitCode, errors };
  } finally {
    clearTimeout(limitTimer);
    clearTimeout(killTimer);
    clearInterval(progressTimer);
    process.off("exit", killOnExit);
    stop.removeEventListener("abort", interrupt);
  }
}

function waitForEnd(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      const hint =
        error.code === "ENOENT" ? "; install k6 1.0 or later, or name it in the environment variable K6" : "";
      reject(new LoadError(`cannot start ${command}: ${error.message}${hint}`, { cause: error }));
    });
    child.once("close", (code, signal) => {
      if (code === null) reject(new LoadError(`k6 was ended by ${signal} before it wrote a summary`));
      else resolve(code);
    });
  });
}

/** The message of a line of k6's log when it is an error; text that is no log line is one as well. */
function errorMessage(line: string): string[] {
  try {
    const { level, msg } = JSON.parse(line) as { level: string; msg: string };
    return level === "error" ? [firstLine(msg)] : [];
  } catch {
    return line.trim() === "" ? [] : [line];
  }
}

/** Without the stack of the script that k6 adds to its errors. */
function firstLine(message: string): string {
  return message.split(/\n\tat |\n/, 1)[0]!.replace(/^Error: /, "");
}
