import { open, writeFile } from "node:fs/promises";
import { Command, CommanderError, Option } from "commander";
import { DEFAULTS, type ScenarioName } from "../lib/scenarios.ts";
import type { LoadProgress } from "./run-load.ts";
import { type LoadResult, LoadUsageError, runLoad, TargetDownError } from "./index.ts";

const EXIT = { passed: 0, unexpected: 1, usage: 2, targetDown: 3, failed: 6, interrupted: 130 };

const EXIT_CODE_HELP = `
Exit codes:
  0    the load ran and every threshold held
  1    unexpected error, or k6 could not run
  2    wrong usage
  3    nothing answers at the base URL; no load was sent
  6    a threshold was broken
  130  interrupted; the result so far is written`;

interface Flags {
  baseUrl: string;
  rate?: string;
  duration?: string;
  paths?: string;
  header: string[];
  connections?: "new" | "reuse";
  out?: string;
}

async function main(args: string[]): Promise<number> {
  let exitCode = EXIT.passed;
  const program = new Command("load")
    .description(
      "Sends load to a service with k6 and writes what came back, in total and per second, by version and status.",
    )
    .argument("<scenario>", `one of ${Object.keys(DEFAULTS).join(", ")}`)
    .requiredOption("--base-url <url>", "where the service answers, such as http://127.0.0.1:8080")
    .option("--rate <n>", "requests per second")
    .option("--duration <time>", "how long, such as 30s or 5m")
    .option("--paths <list>", "paths to ask one after the other, with commas between them")
    .option(
      "--header <line>",
      "sent with every request, such as 'host: myapp.example.com'; may be repeated",
      (line: string, lines: string[]) => [...lines, line],
      [],
    )
    .addOption(
      new Option("--connections <kind>", "a new connection per request, or kept ones").choices(["new", "reuse"]),
    )
    .option("--out <file>", "write the result there instead of to stdout")
    .addHelpText("after", EXIT_CODE_HELP)
    .exitOverride()
    .action(async (scenario: string, flags: Flags) => {
      exitCode = await runScenario(scenario, flags);
    });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.passed : EXIT.usage;
    process.stderr.write(`error: ${(error as Error).message}\n`);
    if (error instanceof LoadUsageError) return EXIT.usage;
    return error instanceof TargetDownError ? EXIT.targetDown : EXIT.unexpected;
  }
}

async function runScenario(
  scenario: string,
  { baseUrl, rate, duration, paths, header, connections, out }: Flags,
): Promise<number> {
  if (!Object.hasOwn(DEFAULTS, scenario)) {
    throw new LoadUsageError(`there is no scenario "${scenario}"; choose one of ${Object.keys(DEFAULTS).join(", ")}`);
  }
  if (out !== undefined) await requireWritable(out);
  const load = runLoad({
    scenario: scenario as ScenarioName,
    baseUrl,
    ...(rate === undefined ? {} : { rate: Number(rate) }),
    ...(duration === undefined ? {} : { duration }),
    ...(paths === undefined ? {} : { paths: paths.split(",") }),
    ...(header.length === 0 ? {} : { headers: Object.fromEntries(header.map(headerOf)) }),
    ...(connections === undefined ? {} : { connections }),
    onProgress: (progress) => process.stderr.write(`${progressLine(progress)}\n`),
  });
  const interrupt = (): void => void load.stop();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const result = await load.result;
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (out === undefined) process.stdout.write(text);
  else await writeFile(out, text);
  process.stderr.write(summaryText(result));
  if (result.stopped) return EXIT.interrupted;
  return result.passed ? EXIT.passed : EXIT.failed;
}

function headerOf(line: string): [string, string] {
  const [name, value] = line.split(/:(.*)/s);
  return [name!.trim(), (value ?? "").trim()];
}

/** A run of half an hour must not end with nowhere to write its result. */
async function requireWritable(file: string): Promise<void> {
  try {
    await (await open(file, "a")).close();
  } catch (error) {
    throw new LoadUsageError(`cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function progressLine({ elapsedSeconds, requests, failed, dropped, byVersion }: LoadProgress): string {
  return `${elapsedSeconds} s: ${requests} requests, ${failed} failed, ${dropped} dropped; ${list(byVersion)}`;
}

function summaryText({ totals, thresholds }: LoadResult): string {
  const { requests, failed, dropped, byVersion, failedByVersion, byStatus, errors, latencyMs } = totals;
  const latency =
    latencyMs === undefined
      ? "no answers"
      : `median ${latencyMs.median} ms, p95 ${latencyMs.p95} ms, p99 ${latencyMs.p99} ms`;
  const lines = [
    `${requests} requests, ${failed} failed, ${dropped} dropped; ${latency}`,
    `versions: ${list(byVersion)}; statuses: ${list(byStatus)}`,
    ...(failed === 0 ? [] : [`failed by version: ${list(failedByVersion)}`]),
    ...(Object.keys(errors).length === 0 ? [] : [`errors: ${list(errors)}`]),
    ...thresholds.map(({ metric, condition, passed }) => `${passed ? "held  " : "BROKEN"} ${metric} ${condition}`),
  ];
  return `${lines.join("\n")}\n`;
}

function list(counts: Record<string, number>): string {
  const entries = Object.entries(counts);
  return entries.length === 0 ? "none" : entries.map(([name, count]) => `${name} ${count}`).join(", ");
}

process.exitCode = await main(process.argv.slice(2));
