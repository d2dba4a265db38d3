import { type FileHandle, open, readFile } from "node:fs/promises";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseChecks } from "./parse.ts";
import { renderJson } from "./render-json.ts";
import { renderJunit } from "./render-junit.ts";
import { renderProgress, renderText } from "./render-text.ts";
import type { Outcome } from "./report.ts";
import { BaseUrlError, runChecks } from "./run.ts";
import { CheckSpecError } from "./spec.ts";

export const EXIT_CODES: Record<Outcome | "unexpected" | "usage", number> = {
  passed: 0,
  unexpected: 1,
  usage: 2,
  deadline: 4,
  failed: 6,
  interrupted: 130,
};

const FORMATS = { text: renderText, json: renderJson, junit: renderJunit };

const EXIT_CODE_HELP = `
Exit codes:
  0    every check passed
  1    unexpected error
  2    wrong usage, or checks that cannot be used
  4    the total deadline passed
  6    a check failed, or did not run because one that it depends on failed
  130  interrupted`;

export interface Terminal {
  stdout: NodeJS.WriteStream | NodeJS.WritableStream;
  stderr: NodeJS.WriteStream | NodeJS.WritableStream;
  signal: AbortSignal;
}

interface RunFlags {
  baseUrl: string;
  output: keyof typeof FORMATS;
  outputFile?: string;
}

/** The user asked for something that cannot be done; the message says what to do. */
class UsageError extends Error {}

/** Runs the command line and returns the exit code. */
export async function run(args: string[], terminal: Terminal): Promise<number> {
  let exitCode = EXIT_CODES.passed;
  const program = new Command("smoke")
    .description("Runs declared HTTP checks against a URL and says pass or fail.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    })
    .showHelpAfterError("(smoke --help shows the usage)")
    .addHelpText("after", EXIT_CODE_HELP);
  program
    .command("run")
    .description("run the checks of a file")
    .argument("<checks>", "YAML or JSON file with the checks")
    .requiredOption("--base-url <url>", "where the service answers, such as http://myapp:80", nonEmpty)
    .addOption(
      new Option("-o, --output <format>", "format of the report").choices(Object.keys(FORMATS)).default("text"),
    )
    .option("--output-file <path>", "write the report there, and text to stdout", nonEmpty)
    .addHelpText("after", EXIT_CODE_HELP)
    .action(async (file: string, flags: RunFlags) => {
      exitCode = await runFile(file, flags, terminal);
    });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.passed : EXIT_CODES.usage;
    if (error instanceof UsageError || error instanceof BaseUrlError) {
      terminal.stderr.write(`error: ${error.message}\n`);
      return EXIT_CODES.usage;
    }
    terminal.stderr.write(`unexpected error: ${error instanceof Error ? error.stack : String(error)}\n`);
    return EXIT_CODES.unexpected;
  }
}

async function runFile(file: string, flags: RunFlags, { stdout, stderr, signal }: Terminal): Promise<number> {
  const spec = await readChecks(file);
  const render = FORMATS[flags.output];
  // Opened before the run, so that a report never gets lost for want of a place.
  await using outputFile = flags.outputFile === undefined ? undefined : await openForReport(flags.outputFile);
  const progressColour = "hasColors" in stderr && stderr.hasColors();
  const report = await runChecks(spec, {
    baseUrl: flags.baseUrl,
    signal,
    onProgress: (event) => {
      // A text report on stdout tells of each check anyway.
      if (event.type === "attemptFailed" || (flags.output !== "text" && outputFile === undefined)) {
        stderr.write(`${renderProgress(event, { colour: progressColour })}\n`);
      }
    },
  });
  const colour = "hasColors" in stdout && stdout.hasColors();
  const text = flags.output === "text" || outputFile !== undefined;
  stdout.write(text ? renderText(report, { colour }) : render(report));
  await outputFile?.writeFile(render(report));
  return EXIT_CODES[report.outcome];
}

async function readChecks(file: string): Promise<ReturnType<typeof parseChecks>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  try {
    return parseChecks(text);
  } catch (error) {
    if (!(error instanceof CheckSpecError)) throw error;
    throw new UsageError(`${file}: ${error.message}`, { cause: error });
  }
}

async function openForReport(path: string): Promise<FileHandle> {
  try {
    return await open(path, "w");
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It must not be empty.");
  return value;
}
