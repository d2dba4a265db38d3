import type { Interval } from "../intervals.ts";
import type { Share, Simulation, Spread } from "./simulate.ts";

/** A simulation under the name that a person gave it: of its values file, or of its engine. */
export interface NamedSimulation {
  name: string;
  simulation: Simulation;
}

/** Simulations side by side, as a table for a terminal or a Markdown page. */
export function renderSimulations(simulations: readonly NamedSimulation[]): string {
  const columns: [title: string, cell: (named: NamedSimulation) => string][] = [
    ["rollout", ({ name }) => name],
    ["engine", ({ simulation }) => simulation.engine],
    ["scenario", ({ simulation }) => simulation.scenario],
    ["promoted", ({ simulation }) => share(simulation.ends.promoted)],
    ["aborted", ({ simulation }) => share(simulation.ends.aborted)],
    ["stands still", ({ simulation }) => share(simulation.ends.paused)],
    ["seconds to the end", ({ simulation }) => seconds(simulation)],
    ["bad requests", ({ simulation }) => spread(simulation.bad)],
    ["of them in excess of stable's", ({ simulation }) => simulation.excess.mean.toFixed(0)],
    ["bad by the horizon", ({ simulation }) => spread(simulation.badByHorizon)],
    ["mostly because", ({ simulation }) => simulation.why[0]?.why ?? ""],
  ];
  const rows = [columns.map(([title]) => title), ...simulations.map((named) => columns.map(([, cell]) => cell(named)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const [head, ...body] = rows;
  return [
    line(head!),
    `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`,
    ...body.map(line),
    "",
    "Shares with their 95 % confidence interval; seconds and bad requests as mean and what one rollout lies in with 95 %.",
    "",
  ].join("\n");
}

function share({ share, low, high, count }: Share & Interval): string {
  return count === 0 && high < 0.005
    ? `0 (< ${percent(high)})`
    : `${percent(share)} (${percent(low)} to ${percent(high)})`;
}

function seconds({ seconds }: Simulation): string {
  return Object.entries(seconds)
    .map(([end, own]) => `${end === "paused" ? "still" : end} ${spread(own)}`)
    .join(", ");
}

const spread = ({ mean, low, high }: Spread) => `${mean.toFixed(0)} (${low.toFixed(0)} to ${high.toFixed(0)})`;
const percent = (ratio: number) => `${Number((100 * ratio).toPrecision(3))} %`;
