import { join } from "node:path";
import { parseArgs } from "node:util";
import { isPostgresUrl } from "./config.ts";
import { compareVersions, MigrationFilesError, readMigrations, type Migration } from "./migrations/files.ts";
import { checksumMismatches, currentVersion, planDowngrade, planUpgrade, type Applied } from "./migrations/plan.ts";
import { MigrationLockedError, MigrationStepError, MigrationStore } from "./migrations/store.ts";

const USAGE = `Usage: migrate <command> [options]

Commands:
  upgrade [VERSION]      apply migrations until the schema is at VERSION (default: the newest)
  downgrade VERSION|-1   undo migrations until the schema is at VERSION, or one step back
  status                 what the database has and what is pending
  check                  read the migration files and report every problem; needs no database

Options:
  --dir FOLDER           folder of the migration files
  --wait SECONDS         how long to wait for the database to be up and for another run to end (default 30)
  --lock-timeout SECONDS how long a statement waits for a table lock (default 5)
  -o, --output FORMAT    text or json (default text)
  -h, --help             this text

Environment: DB_DSN=postgres://user:password@host:port/database

Exit codes: 0 done, 1 failed, 2 wrong usage or unusable migration files, 3 refused and nothing changed
`;

const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

/** Where the files are: beside the bundle in the image, one folder up in the sources. */
const DEFAULT_DIR = join(import.meta.dirname, import.meta.filename.endsWith(".mjs") ? "migrations" : "../migrations");

class UsageError extends Error {}

type Outcome = { code: number; json: object; text: string };
type Options = { dir: string; wait: number; lockTimeout: number; json: boolean; by: string };

process.exitCode = await main(process.argv.slice(2), process.env);

async function main(args: string[], env: Record<string, string | undefined>): Promise<number> {
  try {
    const { values, positionals } = readArguments(args);
    if (values.help) {
      process.stdout.write(USAGE);
      return EXIT.done;
    }
    const options: Options = {
      dir: values.dir,
      wait: seconds("--wait", values.wait),
      lockTimeout: seconds("--lock-timeout", values["lock-timeout"]),
      json: outputFormat(values.output) === "json",
      by: env.APP_VERSION || "dev",
    };
    const outcome = await runCommand(positionals, options, env.DB_DSN);
    process.stdout.write(
      options.json ? `${JSON.stringify({ schemaVersion: 1, ...outcome.json })}\n` : `${outcome.text}\n`,
    );
    return outcome.code;
  } catch (error) {
    return reportFailure(error);
  }
}

function readArguments(args: string[]) {
  // "-1" is a version here, not an option.
  const step = args.indexOf("-1");
  const before = step < 0 ? args : args.toSpliced(step, 1, "one-step");
  try {
    const { values, positionals } = parseArgs({
      args: before,
      allowPositionals: true,
      options: {
        dir: { type: "string", default: DEFAULT_DIR },
        wait: { type: "string", default: "30" },
        "lock-timeout": { type: "string", default: "5" },
        output: { type: "string", short: "o", default: "text" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return { values, positionals: positionals.map((word) => (word === "one-step" ? "-1" : word)) };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function runCommand(words: string[], options: Options, url: string | undefined): Promise<Outcome> {
  const [command, target, ...rest] = words;
  if (rest.length > 0) throw new UsageError(`too many arguments: ${rest.join(" ")}`);
  switch (command) {
    case "check": {
      const files = await readMigrations(options.dir);
      return {
        code: EXIT.done,
        json: { files: files.map(({ version }) => version) },
        text: `${files.length} migrations, no problem`,
      };
    }
    case "status": {
      const files = await readMigrations(options.dir);
      return withStore(url, options, async (store) => describeStatus(files, await store.applied()));
    }
    case "upgrade": {
      const version = target === undefined ? undefined : wantVersion(target);
      const files = await readMigrations(options.dir);
      return withStore(url, options, (store) =>
        migrate(store, options, (applied) => planUpgrade(files, applied, version)),
      );
    }
    case "downgrade": {
      if (target === undefined) throw new UsageError("downgrade: want the version to end at, or -1 for one step back");
      const version = target === "-1" || target === "0" ? target : wantVersion(target);
      return withStore(url, options, (store) => migrate(store, options, (applied) => planDowngrade(applied, version)));
    }
    default:
      throw new UsageError(command === undefined ? "no command given" : `unknown command ${JSON.stringify(command)}`);
  }
}

type AnyPlan = ReturnType<typeof planUpgrade> | ReturnType<typeof planDowngrade>;

async function migrate(
  store: MigrationStore,
  options: Options,
  plan: (applied: Applied[]) => AnyPlan,
): Promise<Outcome> {
  await store.lock(options.wait, progress);
  const planned = plan(await store.applied());
  switch (planned.kind) {
    case "nothing":
      return {
        code: EXIT.done,
        json: { result: "nothing", at: planned.at, reason: planned.reason },
        text: `nothing to do: ${planned.reason}`,
      };
    case "refused":
      return refusal(planned.at, planned.reasons);
    case "run": {
      const steps: string[] = [];
      for (const batch of planned.batches) {
        const names = batch.map((step) => {
          const { version, name } = step.direction === "up" ? step.migration : step.applied;
          return `${step.direction} ${version}_${name}`;
        });
        progress(names.join(", "));
        const started = performance.now();
        try {
          await store.run(batch, { by: options.by, lockTimeoutSeconds: options.lockTimeout });
        } catch (error) {
          if (steps.length > 0 || !(error instanceof MigrationStepError && error.refused)) throw error;
          return refusal(planned.from, [error.message]);
        }
        progress(`done in ${Math.round(performance.now() - started)} ms`);
        steps.push(...names);
      }
      const at = currentVersion(await store.applied());
      return {
        code: EXIT.done,
        json: { result: "migrated", from: planned.from, at, steps },
        text: `migrated from ${planned.from} to ${at}`,
      };
    }
  }
}

function refusal(at: string, reasons: string[]): Outcome {
  return {
    code: EXIT.refused,
    json: { result: "refused", at, reasons },
    text: `refused, nothing was changed; the database is at ${at}:\n${reasons.map((line) => `  ${line}`).join("\n")}`,
  };
}

function describeStatus(files: readonly Migration[], applied: readonly Applied[]): Outcome {
  const at = currentVersion(applied);
  const latest = files.at(-1)?.version ?? "0";
  const byVersion = new Map(applied.map((entry) => [entry.version, entry]));
  const pending = files
    .filter(({ version }) => byVersion.get(version)?.finished !== true)
    .map(({ version }) => version);
  const ahead = compareVersions(at, latest) > 0;
  const problems = checksumMismatches(files, applied);
  const rows = applied.map((entry) => ({
    version: entry.version,
    name: entry.name,
    phase: entry.phase,
    reversible: entry.down !== undefined,
    compatibleFrom: entry.compatibleFrom,
    appliedAt: entry.appliedAt.toISOString(),
    appliedBy: entry.appliedBy,
    finished: entry.finished,
    inThisImage: files.some(({ version }) => version === entry.version),
  }));
  const text = [
    `schema at ${at}, newest here ${latest}${ahead ? " (the database is ahead)" : ""}`,
    ...rows.map(
      (row) =>
        `  ${row.finished ? "applied   " : "UNFINISHED"} ${row.version}_${row.name} ${row.phase}, ${row.reversible ? "reversible" : "not reversible"}, code from ${row.compatibleFrom} on works, by ${row.appliedBy} at ${row.appliedAt}${row.inThisImage ? "" : ", not in this image"}`,
    ),
    ...files
      .filter(({ version }) => !byVersion.has(version))
      .map(({ version, name, phase }) => `  pending    ${version}_${name} ${phase}`),
    ...problems.map((line) => `  PROBLEM    ${line}`),
  ].join("\n");
  return { code: EXIT.done, json: { current: at, latest, ahead, pending, problems, applied: rows }, text };
}

async function withStore<T>(
  url: string | undefined,
  options: Options,
  use: (store: MigrationStore) => Promise<T>,
): Promise<T> {
  if (url === undefined || url === "")
    throw new UsageError("DB_DSN is not set: want postgres://user:password@host:port/database");
  if (!isPostgresUrl(url))
    throw new UsageError("DB_DSN (value not shown): want postgres://user:password@host:port/database");
  const store = await MigrationStore.connect(url, options.wait, progress);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function reportFailure(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`migrate: ${error.message}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (error instanceof MigrationFilesError) {
    process.stderr.write(`migrate: ${error.message}\n`);
    return EXIT.usage;
  }
  if (error instanceof MigrationLockedError) {
    process.stderr.write(
      `migrate: refused, nothing was changed: ${error.message}. Run it again when that one is done.\n`,
    );
    return EXIT.refused;
  }
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const subject = error instanceof MigrationStepError ? "failed at" : "cannot migrate:";
  process.stderr.write(`migrate: ${subject} ${cause instanceof Error ? cause.message : String(cause)}\n`);
  return EXIT.failed;
}

function wantVersion(text: string): string {
  if (/^\d{8}(\d{2})?$/.test(text)) return text;
  throw new UsageError(`${JSON.stringify(text)} is not a version: want YYYYMMDD or YYYYMMDDNN`);
}

function seconds(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0 && value <= 86_400) return value;
  throw new UsageError(`${name} ${JSON.stringify(text)}: want seconds from 0 to 86400`);
}

function outputFormat(text: string): "text" | "json" {
  if (text === "text" || text === "json") return text;
  throw new UsageError(`--output ${JSON.stringify(text)}: want text or json`);
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
