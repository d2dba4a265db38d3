import { hasFailed, type SeriesPoint } from "./result.ts";

/** Whole seconds of Unix time, both included; a side that is missing is open. */
export interface Period {
  from?: number;
  to?: number;
}

export interface VersionCount {
  /** Requests that ended. */
  requests: number;
  /** Of those: no answer, or status 400 and above. */
  failed: number;
}

/** What each version answered in a period, seen from outside; version "none" stands for no answer. */
export function countByVersion(series: readonly SeriesPoint[], period: Period = {}): Record<string, VersionCount> {
  const counts: Record<string, VersionCount> = {};
  for (const { version, status, count } of within(series, period)) {
    const sum = (counts[version] ??= { requests: 0, failed: 0 });
    sum.requests += count;
    if (hasFailed(status)) sum.failed += count;
  }
  return counts;
}

/** Whole seconds of the first and the last failed request that the version answered; undefined without one. */
export function failuresOf(
  series: readonly SeriesPoint[],
  version: string,
): { first: number; last: number } | undefined {
  const times = series.filter((point) => point.version === version && hasFailed(point.status)).map(({ t }) => t);
  return times.length === 0 ? undefined : { first: Math.min(...times), last: Math.max(...times) };
}

export interface WeightComparison {
  /** Answers in the period, of all versions. */
  answers: number;
  /** Of those, from the version. */
  ofVersion: number;
  /** Percent, of `answers`; undefined when there is none. */
  share: number | undefined;
  /** The least and the most percent that chance allows at this weight. */
  allowed: { least: number; most: number };
  /** There were answers, and the share lies within what is allowed. */
  agrees: boolean;
}

/** Standard deviations: a router that keeps to the weight is found at fault once in 16 000 comparisons. */
const TOLERANCE = 4;

/**
 * Compares the share of answers that came from a version with its weight (percent) at the router. A router may choose
 * at random, so what is allowed is the binomial distribution's spread, in the normal approximation and at least one
 * answer wide: weight 0 and 100 allow none and all, nothing else. Leave out the seconds in which the weight changes.
 */
export function compareWeight(
  series: readonly SeriesPoint[],
  { version, weight, ...period }: { version: string; weight: number } & Period,
): WeightComparison {
  const answered = within(series, period).filter(({ status }) => status !== 0);
  const answers = sum(answered);
  const ofVersion = sum(answered.filter((point) => point.version === version));
  const expected = weight / 100;
  const isSure = weight === 0 || weight === 100;
  const spread = isSure ? 0 : Math.max(TOLERANCE * Math.sqrt(answers * expected * (1 - expected)), 1);
  const percent = (count: number): number => (answers === 0 ? 0 : (100 * count) / answers);
  return {
    answers,
    ofVersion,
    share: answers === 0 ? undefined : percent(ofVersion),
    allowed: {
      least: Math.max(0, percent(answers * expected - spread)),
      most: Math.min(100, percent(answers * expected + spread)),
    },
    agrees: answers > 0 && Math.abs(ofVersion - answers * expected) <= spread,
  };
}

function within(series: readonly SeriesPoint[], { from = -Infinity, to = Infinity }: Period): SeriesPoint[] {
  return series.filter(({ t }) => t >= from && t <= to);
}

function sum(points: readonly SeriesPoint[]): number {
  return points.reduce((total, { count }) => total + count, 0);
}
