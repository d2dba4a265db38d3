import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { Ratio, Row, Series } from "./figure.ts";
import { median } from "./measure.ts";

export interface Machine {
  cores: number;
  processor: string;
  memoryGiB: number;
  kernel: string;
  node: string;
}

export function readMachine(): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

/** Processes that ran or waited to, over the last minute: work of others makes every figure worse. */
export function readLoad(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10;
}

export interface Run {
  schemaVersion: 2;
  date: string;
  /** With `-dirty` where files differed from it. */
  commit: string;
  command: string;
  machine: Machine;
  measured: Measured[];
  /** Figures that could not be measured. */
  failures: { figure: string; error: string }[];
}

/** What one figure measured. */
export interface Measured {
  figure: string;
  /** Over the minute before it. */
  loadBefore: number;
  rows: Row[];
}

const markers = ["<!-- figures: written by `make bench` -->", "<!-- end of figures -->"] as const;

/**
 * Puts what was measured between the page's markers, each figure in a section of its own with the run it comes from.
 * Sections of other figures stay as they were, and so does the text around the markers, which is written by hand.
 * `order` names every figure there is; a section of another one is dropped.
 */
export function writePage(file: string, run: Run, order: string[]): void {
  const page = readFileSync(file, "utf8");
  const [begin, end] = markers.map((marker) => page.indexOf(marker)) as [number, number];
  if (begin === -1 || end < begin) throw new Error(`${file} lacks the markers ${markers.join(" and ")}`);
  const sections = new Map<string, string>();
  for (const text of page
    .slice(begin, end)
    .split(/^(?=### )/m)
    .slice(1))
    sections.set(text.slice(4, text.indexOf("\n")), text.trimEnd());
  for (const measured of run.measured) sections.set(measured.figure, renderSection(run, measured));
  const kept = order.flatMap((figure) => sections.get(figure) ?? []);
  writeFileSync(file, `${[page.slice(0, begin) + markers[0], ...kept].join("\n\n")}\n\n${page.slice(end)}`);
}

export function renderRun(run: Run): string {
  const failures = run.failures.map(({ figure, error }) => `Not measured in this run: ${figure}: ${error}`);
  return [...run.measured.map((measured) => renderSection(run, measured)), ...failures].join("\n\n");
}

function renderSection({ date, commit, command, machine }: Run, { figure, loadBefore, rows }: Measured): string {
  const { cores, processor, memoryGiB, kernel, node } = machine;
  const notes = rows.filter(({ note }) => note !== undefined);
  return [
    `### ${figure}`,
    "",
    `\`${command}\`, ${date}, commit ${commit}: ${cores} cores (${processor}), ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; load ${loadBefore} before it.`,
    "",
    "| figure | measured | beside | ratio (min to max) | goal | met |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(
      ({ what, subject, baseline, ratio, goal }) =>
        `| ${[
          what,
          renderSeries(subject),
          renderSeries(baseline),
          renderRatio(ratio),
          goal?.text ?? "",
          goal === undefined ? "" : goal.isMet ? "yes" : "**no**",
        ].join(" | ")} |`,
    ),
    ...(notes.length === 0 ? [] : ["", ...notes.map(({ what, note }) => `- ${what}: ${note}.`)]),
  ].join("\n");
}

function renderRatio({ median: middle, min, max, reads, isAtLeast }: Ratio): string {
  const span = min === max ? "" : ` (${digits(min)} to ${digits(max)})`;
  return `${isAtLeast ? "more than " : ""}${digits(middle)} ${reads}${span}`;
}

function renderSeries({ command, unit, values, isAtLeast }: Series): string {
  const name = /^(the|a|preset) /.test(command) ? command : `\`${command}\``;
  return `${name}: ${isAtLeast ? "more than " : ""}${digits(median(values))} ${unit}`;
}

/** Three digits: a benchmark on a shared machine tells no more. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}
