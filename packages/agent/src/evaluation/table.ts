import type { Evaluation } from "./evaluate.ts";
import { publishedFigures } from "./published-figures.ts";
import type { Mean, Share, Summary } from "./summarize.ts";

/** A table in Markdown: readable in a terminal, and in docs/agent.md. */
export type Table = { head: readonly string[]; rows: readonly (readonly string[])[] };

export function scenarioTable(summaries: readonly Summary[]): Table {
  return {
    head: ["scenario", "policy", "promoted %", "aborted %", "steps", "bad until decided", "bad in all", "cost"],
    rows: summaries.map((summary, index) => [
      summary.scenario === summaries[index - 1]?.scenario ? "" : summary.scenario + (summary.good ? " (good)" : ""),
      summary.policy,
      share(summary.promoted),
      share(summary.aborted),
      mean(summary.steps),
      mean(summary.badUntilDecision),
      mean(summary.bad),
      mean(summary.cost),
    ]),
  };
}

export function overallTable(overall: Evaluation["overall"], bound: number): Table {
  const rows = overall.map(({ environment, policy, cost, steps, excess }, index) => [
    environment === overall[index - 1]?.environment ? "" : environment,
    policy,
    mean(cost),
    mean(excess),
    mean(steps),
  ]);
  return {
    head: ["environment", "policy", "cost", "excess bad requests", "steps"],
    rows: [...rows, ["", "least that any policy can reach (bound)", bound.toFixed(2), "", ""]],
  };
}

/** How often the agent alone would have aborted, which the verdict did not ask for. */
export function advisoryTable(summaries: readonly Summary[], agent: string): Table {
  return {
    head: ["environment", "scenario", "it told to abort, % of rollouts", "that would be"],
    rows: summaries
      .filter(({ policy }) => policy === agent)
      .map(({ environment, scenario, advisedAbort, good }) => [
        environment,
        scenario,
        share(advisedAbort),
        good ? "a false abort" : "right",
      ]),
  };
}

/** The source's figures beside ours in its dynamics, until the decision as they were measured. */
export function publishedTable(summaries: readonly Summary[]): Table {
  const ours = [...new Set(summaries.map(({ policy }) => policy))].map((policy) => {
    const of = (scenario: string) =>
      summaries.find((one) => one.environment === "source" && one.policy === policy && one.scenario === scenario)!;
    const bad = (scenario: string) => of(scenario).badUntilDecision.mean.toFixed(1);
    const healthy = of("healthy");
    return [
      policy,
      `${(100 * healthy.promoted.share).toFixed(1)} %`,
      healthy.steps.mean.toFixed(1),
      bad("buggy"),
      bad("degrading"),
      bad("flaky"),
    ];
  });
  const theirs = publishedFigures.map(({ policy, healthyPromoted, healthySteps, bad }) => [
    `${policy} (published)`,
    `${(100 * healthyPromoted).toFixed(1)} %`,
    `${healthySteps} (median)`,
    ...[bad.buggy, bad.degrading, bad.flaky].map((value) => value.toFixed(1)),
  ]);
  return {
    head: ["policy", "healthy: promoted", "healthy: steps", "buggy: bad", "degrading: bad", "flaky: bad"],
    rows: [...theirs, ...ours],
  };
}

export function markdown({ head, rows }: Table): string {
  const widths = head.map((cell, column) => Math.max(3, cell.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n");
}

const share = ({ share: part, low, high }: Share) => `${percent(part)} (${percent(low)}–${percent(high)})`;
const percent = (ratio: number) => String(Number((100 * ratio).toFixed(ratio > 0 && ratio < 0.01 ? 2 : 1)));
const mean = ({ mean: value, low, high }: Mean) => `${digits(value)} (${digits(low)}–${digits(high)})`;
const digits = (value: number) => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toFixed(1));
