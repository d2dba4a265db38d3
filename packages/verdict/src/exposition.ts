// oxlint-disable-next-line typescript/triple-slash-reference -- packages that import this one compile it, without its other files
/// <reference path="./parse-prometheus-text-format.d.ts" />
import parsePrometheusTextFormat from "parse-prometheus-text-format";

/** One series of what a process exports: its labels and its value. */
export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads the series of some names in what a process exports: Prometheus' text format 0.0.4, or OpenMetrics. */
export function readExposition(text: string, names: readonly string[]): Series[] {
  // Most of what a process exports is about something else, and parsing costs more than leaving out.
  const lines = text.split("\n").filter((line) => names.some((name) => isOf(line, name)));
  return parsePrometheusTextFormat(`${lines.join("\n")}\n`).flatMap(({ name, metrics }) =>
    metrics.map(({ value, labels = {} }): Series => ({ name, labels, value: Number(value) })),
  );
}

function isOf(line: string, name: string): boolean {
  if (!line.startsWith(name)) return false;
  const next = line[name.length];
  return next === "{" || next === " " || next === "\t";
}

/** A counter of requests, and its label with their status. */
export interface StatusCounter {
  requests: string;
  statusLabel: string;
}

/**
 * What of a counter is not among the series, in words; undefined where all is. Without the counter nothing is seen, and
 * without the label no request would ever be bad.
 */
export function missingOf({ requests, statusLabel }: StatusCounter, series: readonly Series[]): string | undefined {
  const own = series.filter(({ name }) => name === requests);
  if (own.length === 0) return requests;
  return own.some(({ labels }) => statusLabel in labels) ? undefined : `${requests} with a label ${statusLabel}`;
}

/** Whether a process has a counter. One with labels has no series before its first request, but most clients declare it. */
export function isDeclared(text: string, counter: string): boolean {
  return [counter, counter.replace(/_total$/, "")].some((name) => text.includes(`# TYPE ${name} `));
}
