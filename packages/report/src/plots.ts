import { formatLimit, formatTime, formatValue, noData } from "./format.ts";
import type { Report, Role, Traffic, TrafficMetric, Unit } from "./report.ts";
import { visible } from "./visible.ts";
import { roleWord } from "./words.ts";

/** One plot: lines over the common grid of times, with all that is drawn behind and above them. */
export interface Plot {
  id: "requests" | "errors" | "latency";
  title: string;
  unit: Unit;
  /** Seconds since the epoch, rising. */
  times: number[];
  /** The choices of a plot that shows one metric at a time; one when there is nothing to choose. */
  views: View[];
  /** Moment in seconds since the epoch, percent. */
  weights: [at: number, weight: number][];
  marks: Mark[];
}

export interface View {
  /** "p95"; empty when there is no choice. */
  name: string;
  lines: Line[];
  limits: LimitLine[];
}

export interface Line {
  /** "canary 20251028.2" */
  label: string;
  role: Role;
  values: (number | null)[];
  /** What a look at the line would tell. */
  summary: string;
}

export interface LimitLine {
  value: number;
  /** max: values above it are bad. */
  side: "min" | "max";
  /** "at most 5 %" */
  label: string;
}

export interface Mark {
  at: number;
  text: string;
  bad: boolean;
}

const metrics: { id: Plot["id"]; title: string; unit: Unit; views: { name: string; metric: TrafficMetric }[] }[] = [
  { id: "requests", title: "Request rate", unit: "perSecond", views: [{ name: "", metric: "requestRate" }] },
  { id: "errors", title: "Error ratio", unit: "ratio", views: [{ name: "", metric: "errorRatio" }] },
  {
    id: "latency",
    title: "Latency",
    unit: "seconds",
    views: [
      { name: "p95", metric: "latencyP95" },
      { name: "p99", metric: "latencyP99" },
      { name: "p50", metric: "latencyP50" },
    ],
  },
];

/** The plots of a report: one for each metric that has a series. Those without a value anywhere are there too. */
export function plotsOf(report: Report): Plot[] {
  const { traffic } = report;
  if (traffic === undefined || traffic.times.length === 0) return [];
  const weights = (report.weights ?? []).map(({ at, weight }): [number, number] => [epoch(at), weight]);
  const marks = report.timeline.flatMap(({ at, mark, outcome }) =>
    mark === undefined ? [] : [{ at: epoch(at), text: visible(mark), bad: outcome === "bad" }],
  );
  return metrics.flatMap(({ id, title, unit, views: wanted }) => {
    const views = wanted
      .map(({ name, metric }): View => {
        const limits = limitsOf(traffic, metric, unit);
        const lines = linesOf(report, traffic, metric);
        return {
          name,
          limits,
          lines: lines.map((line) => ({ ...line, summary: summarize(line.values, traffic.times, limits, unit) })),
        };
      })
      .filter(({ lines }) => lines.length > 0);
    if (views.length === 0) return [];
    // What has a limit is what was decided on.
    const first = views.findIndex(({ limits }) => limits.length > 0);
    if (first > 0) views.unshift(...views.splice(first, 1));
    return [{ id, title, unit, times: traffic.times, views, weights, marks }];
  });
}

function linesOf({ strategy }: Report, { times, series }: Traffic, metric: TrafficMetric): Omit<Line, "summary">[] {
  return series
    .filter((one) => one.metric === metric)
    .toSorted((a, b) => Number(a.role === "new") - Number(b.role === "new"))
    .map(({ version, role, values }) => ({
      label: visible(`${roleWord(role, strategy)} ${version}`),
      role,
      values: times.map((_, index) => values[index] ?? null),
    }));
}

function summarize(values: Line["values"], times: number[], limits: LimitLine[], unit: Unit): string {
  const known = values.flatMap((value, index) => (value === null ? [] : [{ value, at: times[index] ?? 0 }]));
  const [first] = known;
  if (first === undefined) return noData;
  const highest = known.reduce((most, point) => (point.value > most.value ? point : most), first);
  const sorted = known.map(({ value }) => value).toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const broken = limits.flatMap(({ value: limit, side }) => {
    const at = known.find(({ value }) => (side === "max" ? value > limit : value < limit))?.at;
    return at === undefined ? [] : [`first ${side === "max" ? "over" : "under"} the limit at ${formatTime(at)}`];
  });
  const extremes = `median ${formatValue(median, unit)}, highest ${formatValue(highest.value, unit)} at ${formatTime(highest.at)}`;
  return [extremes, ...broken].join("; ");
}

function limitsOf({ thresholds = [] }: Traffic, metric: TrafficMetric, unit: Unit): LimitLine[] {
  return thresholds
    .filter((threshold) => threshold.metric === metric)
    .flatMap((threshold) =>
      (["min", "max"] as const).flatMap((side): LimitLine[] => {
        const value = threshold[side];
        return value === undefined ? [] : [{ value, side, label: formatLimit({ [side]: value }, unit) }];
      }),
    );
}

function epoch(at: string): number {
  return Date.parse(at) / 1000;
}
