import { type Answer, compare } from "./argo-analysis.ts";
import type { Metric } from "./rollout-plan.ts";

/** An instant query does not see a series whose last sample is older: Prometheus' `--query.lookback-delta`. */
const lookbackSeconds = 300;

/** What Prometheus has of the two versions: samples of cumulative counters, and the queries' answers from them. */
export class ScrapedCounters {
  readonly #scrapeSeconds: number;
  readonly #at: number[] = [];
  readonly #series = {
    canary: { good: [] as number[], bad: [] as number[] },
    stable: { good: [] as number[], bad: [] as number[] },
  };

  constructor(scrapeSeconds: number) {
    this.#scrapeSeconds = scrapeSeconds;
  }

  /** Seconds since the last scrape; Infinity before the first. */
  age(at: number): number {
    return at - (this.#at.at(-1) ?? -Infinity);
  }

  scrape(at: number, counters: { canary: Counter; stable: Counter }): void {
    this.#at.push(at);
    for (const version of ["canary", "stable"] as const) {
      this.#series[version].good.push(counters[version].requests - counters[version].bad);
      this.#series[version].bad.push(counters[version].bad);
    }
  }

  /** What a metric's query answers at a moment. */
  ask(metric: Metric, at: number): Answer {
    const grown = { good: 0, bad: 0, goodKnown: false, badKnown: false };
    for (const version of metric.of === "both" ? (["canary", "stable"] as const) : (["canary"] as const)) {
      for (const kind of ["good", "bad"] as const) {
        const growth = this.#growth(this.#series[version][kind], metric, at);
        if (growth === undefined) continue;
        grown[kind] += growth;
        grown[`${kind}Known`] = true;
      }
    }
    if (!grown.goodKnown && !grown.badKnown) return "empty";
    const all = grown.good + grown.bad;
    // A sum over no series is no answer, and so is what is divided by it.
    if (metric.value !== "successRatio" && !grown.badKnown && !metric.orZero) return "empty";
    if (metric.value === "successRatio" && !grown.goodKnown && !metric.orZero) return "empty";
    if (metric.value === "errorCount") return all >= metric.minRequests ? grown.bad : "empty";
    return shareOf(metric, grown.bad, all);
  }

  #growth(values: readonly number[], metric: Metric, at: number): number | undefined {
    const last = this.#lastAt(at);
    // A series exists from its first event on.
    if (last < 0 || values[last] === 0 || at - this.#at[last]! > lookbackSeconds) return undefined;
    return metric.read === "growth"
      ? values[last]! - this.#valueAt(values, at - metric.windowSeconds)
      : this.#extrapolatedIncrease(values, last, at - metric.windowSeconds, at);
  }

  #valueAt(values: readonly number[], at: number): number {
    const index = this.#lastAt(at);
    return index < 0 || at - this.#at[index]! > lookbackSeconds ? 0 : values[index]!;
  }

  /**
   * Prometheus' `rate` and `increase` before the division by the window: `extrapolatedRate` in promql/functions.go. The
   * growth between the first and the last sample is stretched to the window's ends where a sample lies near them, by
   * half an interval where it does not, and never to before the counter was 0.
   */
  #extrapolatedIncrease(values: readonly number[], last: number, from: number, to: number): number | undefined {
    let first = this.#lastAt(from);
    if (first < 0 || this.#at[first]! < from) first++;
    while (first <= last && values[first] === 0) first++;
    if (first >= last) return undefined;
    const increase = values[last]! - values[first]!;
    const sampled = this.#at[last]! - this.#at[first]!;
    const between = sampled / (last - first);
    const near = between * 1.1;
    let before = this.#at[first]! - from;
    const after = to - this.#at[last]!;
    if (before >= near) before = between / 2;
    if (increase > 0) before = Math.min(before, sampled * (values[first]! / increase));
    return (increase * (sampled + before + (after >= near ? between / 2 : after))) / sampled;
  }

  /** The index of the last sample at or before a moment; -1 when there is none. Samples come one scrape apart, except for gaps. */
  #lastAt(at: number): number {
    const last = this.#at.length - 1;
    if (last < 0 || this.#at[0]! > at) return -1;
    let index = Math.min(last, Math.max(0, last - Math.floor((this.#at[last]! - at) / this.#scrapeSeconds) + 1));
    while (index < last && this.#at[index + 1]! <= at) index++;
    while (this.#at[index]! > at) index--;
    return index;
  }
}

/** The share that the chart's query of a ratio gives: `myapp.ratioQuery` in charts/myapp/templates/_analysis.tpl. */
function shareOf(metric: Metric, bad: number, all: number): Answer {
  const { forgive, doubt, failsOnly, minRequests, success, failure } = metric;
  const share = (ratio: number) => (metric.value === "successRatio" ? 1 - ratio : ratio);
  if (forgive > 0 && all > 0) {
    const beyond = share(Math.max(0, bad - forgive) / all);
    if (failsOnly || (failure !== undefined && compare(beyond, failure))) return beyond;
  }
  if (all < minRequests || (failsOnly && forgive > 0)) return "empty";
  const doubted = share((bad + doubt) / all);
  return doubt === 0 || (success !== undefined && compare(doubted, success)) ? doubted : Number.NaN;
}

/** Cumulative counts of one version. */
export interface Counter {
  requests: number;
  bad: number;
}
