import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "./world.ts";

/** Column title to cell, in the order of the columns. */
export type Row = Record<string, string | number>;

interface Recorded {
  table: string;
  row: Row;
}

/** Rows of one run, appended by its tests (each test file is a process of its own) and made into a page at its end. */
export class Results {
  readonly #rows: string;
  readonly #page: string;

  constructor(o: { rows: string; page: string }) {
    this.#rows = o.rows;
    this.#page = o.page;
  }

  /** Forgets what an interrupted run recorded. */
  begin(): void {
    rmSync(this.#rows, { force: true });
  }

  record(table: string, row: Row): void {
    if (/[|\n]/.test([table, ...Object.keys(row), ...Object.values(row)].join("")))
      throw new Error(`a row of a table holds a pipe or a line break: ${JSON.stringify(row)}`);
    mkdirSync(path.dirname(this.#rows), { recursive: true });
    appendFileSync(this.#rows, `${JSON.stringify({ table, row } satisfies Recorded)}\n`);
  }

  /**
   * Writes the page: tables of this run anew, the others as they were. Without a row the page stays as it is.
   * `source` says where the rows come from: when, which commit, which seed.
   */
  finish(source: string): void {
    if (!existsSync(this.#rows)) return;
    const recorded = readFileSync(this.#rows, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Recorded);
    const page = existsSync(this.#page) ? readFileSync(this.#page, "utf8") : "";
    writeFileSync(this.#page, renderPage(mergeSections(page, recorded, source)));
    rmSync(this.#rows);
  }
}

/** Where the tests of this checkout record. */
export const results = new Results({
  rows: path.join(root, "artifacts/e2e-results.jsonl"),
  page: path.join(root, "docs/e2e-results.md"),
});

/** Adds a row to a table of docs/e2e-results.md, which a run with E2E_FULL=1 writes when all of it has ended. */
export function recordRow(table: string, row: Row): void {
  results.record(table, row);
}

const intro = `# Results of the whole end-to-end suite

Written by \`make e2e-full\` itself; [testing.md](testing.md) says which test stands behind each table.
Seconds are of one machine and one run: compare rows of the same table, not tables of different days.
`;

function mergeSections(page: string, recorded: Recorded[], source: string): Map<string, string> {
  const sections = new Map<string, string>();
  for (const text of page.split(/^(?=## )/m).filter((part) => part.startsWith("## ")))
    sections.set(text.slice(3, text.indexOf("\n")), text.trimEnd());
  const tables = new Set(recorded.map(({ table }) => table));
  for (const table of tables) {
    const rows = recorded.filter((line) => line.table === table).map(({ row }) => row);
    sections.set(table, renderSection(table, source, rows));
  }
  return sections;
}

function renderSection(table: string, source: string, rows: Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [
    `## ${table}`,
    "",
    `${source}.`,
    "",
    line(columns),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ""))),
  ].join("\n");
}

function renderPage(sections: Map<string, string>): string {
  const sorted = [...sections].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${[intro.trimEnd(), ...sorted.map(([, text]) => text)].join("\n\n")}\n`;
}
