import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** `expand` adds what new code needs; `contract` removes what old code needed. */
export type Phase = "expand" | "contract";

/** SQL to run, and whether it runs inside a transaction. */
export type Script = { sql: string; transaction: boolean };

/** One migration as its files declare it. */
export type Migration = {
  /** `YYYYMMDD` or `YYYYMMDDNN`; versions sort as text. */
  version: string;
  name: string;
  phase: Phase;
  /** Oldest schema version whose code still works after this migration; "0": code that knows no schema. */
  compatibleFrom: string;
  /** SHA-256 of the up file with LF line ends. */
  checksum: string;
  up: Script;
  /** `undefined`: not reversible. */
  down: Script | undefined;
};

/** The migration files are not usable; `problems` holds one line for each reason. */
export class MigrationFilesError extends Error {
  constructor(folder: string, problems: string[]) {
    super(`the migrations in ${folder} cannot be used:\n${problems.map((line) => `  ${line}`).join("\n")}`);
    this.name = "MigrationFilesError";
  }
}

const FILE_NAME = /^(?<version>\d{8}(\d{2})?)_(?<name>[a-z0-9_]+)\.(?<direction>up|down)\.sql$/;
const HEADER_LINE = /^-- (?<key>[a-z-]+): *(?<value>\S+) *$/;
const VERSION = /^(0|\d{8}(\d{2})?)$/;

/**
 * Reads all migrations of a folder, oldest first.
 * @throws MigrationFilesError listing every problem of every file
 */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const problems: string[] = [];
  const files = new Map<string, { version: string; name: string; up?: string; down?: string }>();
  for (const file of (await namesIn(folder)).filter((name) => name.endsWith(".sql"))) {
    const parts = FILE_NAME.exec(file)?.groups;
    if (parts === undefined) {
      problems.push(`${file}: want <YYYYMMDD>[NN]_<name>.{up,down}.sql, the name in lower case with underscores`);
      continue;
    }
    const { version = "", name = "", direction } = parts;
    const entry = files.get(version) ?? { version, name };
    if (entry.name !== name) problems.push(`${file}: version ${version} is already ${version}_${entry.name}`);
    const text = (await readFile(join(folder, file), "utf8")).replaceAll("\r\n", "\n");
    files.set(version, { ...entry, [direction === "up" ? "up" : "down"]: text });
  }
  const migrations = [...files.values()]
    .sort((a, b) => compareVersions(a.version, b.version))
    .flatMap((entry) => parseMigration(entry, problems));
  if (files.size === 0) problems.push("there is no migration file");
  if (problems.length > 0) throw new MigrationFilesError(folder, problems);
  return migrations;
}

/** Order of two versions: by date, then by the number behind it. */
export function compareVersions(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw new MigrationFilesError(folder, [(error as Error).message]);
  }
}

function parseMigration(
  entry: { version: string; name: string; up?: string; down?: string },
  problems: string[],
): Migration[] {
  const { version, name, up, down } = entry;
  const label = `${version}_${name}`;
  const report = (direction: string, problem: string) => problems.push(`${label}.${direction}.sql: ${problem}`);
  if (up === undefined) {
    report("up", "missing");
    return [];
  }

  const header = readHeader(up, ["reversible", "phase", "compatible-from", "transaction"], (line) =>
    report("up", line),
  );
  const choice = (key: string, allowed: string[], fallback?: string): string => {
    const value = header.get(key) ?? fallback;
    if (value !== undefined && allowed.includes(value)) return value;
    report(
      "up",
      `header \`-- ${key}: ${allowed.join("|")}\` ${value === undefined ? "is missing" : `has the value ${value}`}`,
    );
    return "";
  };
  const reversible = choice("reversible", ["yes", "no"]);
  const phase = choice("phase", ["expand", "contract"]) as Phase;
  const transaction = choice("transaction", ["yes", "no"], "yes") === "yes";
  const compatibleFrom = header.get("compatible-from") ?? "";
  if (!VERSION.test(compatibleFrom))
    report("up", "header `-- compatible-from: <version, or 0>` is missing or not a version");
  else if (compareVersions(compatibleFrom, version) > 0)
    report("up", `compatible-from ${compatibleFrom} is newer than the migration`);
  if (reversible === "yes" && down === undefined)
    report("down", "missing, though the migration says `reversible: yes`");
  if (reversible === "no" && down !== undefined) report("down", "exists, though the migration says `reversible: no`");

  const downHeader = readHeader(down ?? "", ["transaction"], (line) => report("down", line));
  const downTransaction = downHeader.get("transaction") !== "no";
  const checksum = createHash("sha256").update(up).digest("hex");
  return [
    {
      version,
      name,
      phase,
      compatibleFrom,
      checksum,
      up: { sql: up, transaction },
      down: down === undefined ? undefined : { sql: down, transaction: downTransaction },
    },
  ];
}

// The header is the block of `-- key: value` lines that opens the file.
function readHeader(text: string, known: string[], report: (problem: string) => void): Map<string, string> {
  const header = new Map<string, string>();
  for (const line of text.split("\n")) {
    const { key, value } = HEADER_LINE.exec(line)?.groups ?? {};
    if (key === undefined || value === undefined) break;
    if (!known.includes(key)) report(`unknown header \`${key}\`; want ${known.join(", ")}`);
    if (header.has(key)) report(`header \`${key}\` is given twice`);
    header.set(key, value);
  }
  return header;
}
