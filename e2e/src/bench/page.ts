import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { Row, Series } from "./figure.ts";
import { median } from "./measure.ts";

export interface Machine {
  cores: number;
  processor: string;
  memoryGiB: number;
  kernel: string;
  node: string;
  /** Over the minute before the run: work of others makes every figure worse. */
  loadBefore: number;
}

export function readMachine(): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

export interface Run {
  schemaVersion: 1;
  date: string;
  commit: string;
  command: string;
  machine: Machine;
  rows: Row[];
  /** Figures that could not be measured. */
  failures: { figure: string; error: string }[];
}

const markers = ["<!-- figures: written by `make bench` -->", "<!-- end of figures -->"] as const;

/** Puts the figures between the page's markers; what is around them is written by hand and stays. */
export function writePage(file: string, run: Run): void {
  const page = readFileSync(file, "utf8");
  const [begin, end] = markers.map((marker) => page.indexOf(marker)) as [number, number];
  if (begin === -1 || end < begin) throw new Error(`${file} lacks the markers ${markers.join(" and ")}`);
  writeFileSync(file, `${page.slice(0, begin + markers[0].length)}\n${renderRun(run)}\n${page.slice(end)}`);
}

export function renderRun({ date, commit, command, machine, rows, failures }: Run): string {
  const { cores, processor, memoryGiB, kernel, node, loadBefore } = machine;
  const notes = rows.filter(({ note }) => note !== undefined);
  return [
    `\`${command}\`, ${date}, commit ${commit}: ${cores} cores (${processor}), ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; load ${loadBefore} before the run${
      loadBefore > cores / 2 ? ", so the machine was busy with other work" : ""
    }.`,
    "",
    "| figure | measured | beside | ratio (min to max) | goal | met |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(
      ({ what, subject, baseline, ratio, goal }) =>
        `| ${[
          what,
          renderSeries(subject),
          renderSeries(baseline),
          `${digits(ratio.median)} ${ratio.reads}${ratio.min === ratio.max ? "" : ` (${digits(ratio.min)} to ${digits(ratio.max)})`}`,
          goal?.text ?? "",
          goal === undefined ? "" : goal.isMet ? "yes" : "**no**",
        ].join(" | ")} |`,
    ),
    ...(notes.length === 0 ? [] : ["", ...notes.map(({ what, note }) => `- ${what}: ${note}.`)]),
    ...(failures.length === 0 ? [] : ["", ...failures.map(({ figure }) => `Not measured in this run: ${figure}.`)]),
  ].join("\n");
}

function renderSeries({ command, unit, values }: Series): string {
  const name = command.startsWith("the ") || command.startsWith("a ") ? command : `\`${command}\``;
  return `${name}: ${digits(median(values))} ${unit}`;
}

/** Three digits: a benchmark on a shared machine tells no more. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}
