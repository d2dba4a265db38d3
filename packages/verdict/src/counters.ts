import { BucketBoundError, countSlower } from "./latency.ts";
import type { Sample, Version } from "./observation.ts";
import type { Rule } from "./policy.ts";

/** Cumulative requests and bad requests of one rule. */
type Pair = [requests: number, bad: number];

/** A sample, reduced to what the rules count: one pair for each rule, null where the rule reads another source. */
interface Reading {
  at: number;
  pairs: (Pair | null)[];
}

/** What is remembered of one series. */
export interface Series {
  version: Version;
  source: Sample["source"];
  /** Until then its requests stay out of the comparison. */
  warmUntil: number;
  /** The newest sample that was taken in. */
  lastAt: number;
  /** What is counted already. */
  counted: Reading;
  /** Taken in, but newer than what stable's samples reach to. */
  waiting: Reading[];
}

export interface Counters {
  series: Record<string, Series>;
}

/** What one version adds for one rule; `warm`: of pods that were warming up; `samples`: how many it comes from. */
export interface Added {
  requests: number;
  bad: number;
  warmRequests: number;
  warmBad: number;
  samples: number;
}

/** What a look adds for one rule. */
export interface Increment {
  canary: Added;
  stable: Added;
}

export interface CountOptions {
  rules: readonly Rule[];
  /** When the attempt began, in milliseconds: what started later is counted from zero, the rest from its first sample. */
  since: number;
  now: number;
  warmUpMs: number;
  staleMs: number;
  /** Whether the canary waits for stable's samples: there is a serving stable, and a rule that compares with it. */
  align: boolean;
}

export interface Counted {
  increments: Increment[];
  /** When each version was last seen, in milliseconds; undefined when never. A version's oldest series decides. */
  seen: { canary: number | undefined; stable: number | undefined };
  /** Samples that could not be used, in plain words. */
  problems: string[];
}

export const nothingAdded = (): Added => ({ requests: 0, bad: 0, warmRequests: 0, warmBad: 0, samples: 0 });
const keyOf = ({ version, source, series }: Sample) => `${version}/${source}/${series}`;

/**
 * Takes samples in, in place, and gives what may be counted now.
 *
 * - A series that started after the attempt counts from zero, so one born at 15 counts 15; an older one from its first
 *   sample.
 * - A counter that fell was reset: what it shows now is new, what it counted unseen before is lost.
 * - A sample that is no newer than the last of its series says nothing new, however often it is served again.
 * - The canary counts only up to the oldest last sample among stable's series. Were it ahead, an outage of both
 *   versions would be counted for the canary first.
 */
export function count(
  counters: Counters,
  samples: readonly Sample[],
  gone: readonly string[],
  o: CountOptions,
): Counted {
  const problems: string[] = [];
  const increments = o.rules.map((): Increment => ({ canary: nothingAdded(), stable: nothingAdded() }));
  const inOrder = samples.toSorted((a, b) => a.at - b.at);
  for (const sample of inOrder) takeIn(counters, sample, o, problems);

  for (const [key, series] of Object.entries(counters.series)) {
    if (series.version === "stable") drain(series, Infinity, increments);
    const name = key.slice(key.indexOf("/", key.indexOf("/") + 1) + 1);
    if (gone.includes(name)) {
      drain(series, Infinity, increments);
      delete counters.series[key];
    }
  }
  const all = Object.values(counters.series);
  const newest = Math.max(...all.map(({ lastAt }) => lastAt), -Infinity);
  const live = all.filter(({ lastAt }) => newest - lastAt <= o.staleMs);
  for (const series of all) {
    if (series.version !== "canary") continue;
    const partners = live.filter(({ version, source }) => version === "stable" && source === series.source);
    drain(series, o.align ? horizonOf(partners) : Infinity, increments);
  }
  const seen = (wanted: Version) => {
    const moments = live.filter(({ version }) => version === wanted).map(({ lastAt }) => lastAt);
    return moments.length === 0 ? undefined : Math.min(...moments);
  };
  return { increments, seen: { canary: seen("canary"), stable: seen("stable") }, problems };
}

function takeIn(counters: Counters, sample: Sample, o: CountOptions, problems: string[]): void {
  const key = keyOf(sample);
  if (sample.at > o.now + o.staleMs) {
    problems.push(`${sample.series}'s sample is ${Math.round((sample.at - o.now) / 1000)} s in the future`);
    return;
  }
  const known = counters.series[key];
  if (known !== undefined && sample.at <= known.lastAt) return;
  let reading: Reading;
  try {
    reading = read(sample, o.rules);
  } catch (error) {
    if (!(error instanceof UnusableSample || error instanceof BucketBoundError)) throw error;
    problems.push(`${sample.series}: ${error.message}`);
    return;
  }
  if (known !== undefined) {
    known.lastAt = sample.at;
    known.waiting.push(reading);
    return;
  }
  // A pod that was the other version until now has been counted there.
  const otherVersion = keyOf({ ...sample, version: sample.version === "canary" ? "stable" : "canary" });
  const isNew =
    sample.startedAt !== undefined && sample.startedAt >= o.since && counters.series[otherVersion] === undefined;
  counters.series[key] = {
    version: sample.version,
    source: sample.source,
    warmUntil: isNew ? sample.startedAt! + o.warmUpMs : -1,
    lastAt: sample.at,
    counted: isNew
      ? { at: sample.startedAt!, pairs: reading.pairs.map((pair) => (pair === null ? null : [0, 0])) }
      : reading,
    waiting: isNew ? [reading] : [],
  };
}

/** Before stable has been seen nothing of the canary may be counted. */
function horizonOf(partners: readonly Series[]): number {
  return partners.length === 0 ? -Infinity : Math.min(...partners.map(({ lastAt }) => lastAt));
}

class UnusableSample extends Error {}

function read(sample: Sample, rules: readonly Rule[]): Reading {
  const pairs = rules.map((rule): Pair | null => {
    if (rule.source !== sample.source) return null;
    const pair = pairOf(sample, rule);
    for (const value of pair) {
      if (!Number.isFinite(value) || value < 0) {
        throw new UnusableSample(`rule ${rule.name} cannot count ${value} requests`);
      }
    }
    return pair;
  });
  return { at: sample.at, pairs };
}

function pairOf(sample: Sample, { name, bad }: Rule): Pair {
  switch (bad.kind) {
    case "errors":
      return [sample.requests, sample.errors];
    case "slower": {
      if (sample.buckets === undefined) {
        // A histogram with labels appears with its first request.
        if (sample.requests === 0) return [0, 0];
        throw new UnusableSample(`rule ${name} needs a histogram and there is none`);
      }
      const counted = countSlower(sample.buckets, bad.than);
      return [counted.requests, counted.bad];
    }
    case "event":
      // A counter with labels appears with its first event.
      return [sample.requests, sample.events?.[bad.name] ?? 0];
    case "silence":
      return [sample.requests, 0];
  }
}

/** Counts what waits, up to and including `horizon`. */
function drain(series: Series, horizon: number, increments: Increment[]): void {
  while (series.waiting.length > 0 && series.waiting[0]!.at <= horizon) {
    const next = series.waiting.shift()!;
    const warm = next.at <= series.warmUntil;
    const wasReset = next.pairs.some((pair, index) => {
      const before = series.counted.pairs[index];
      return pair !== null && before !== undefined && before !== null && (pair[0] < before[0] || pair[1] < before[1]);
    });
    for (const [index, pair] of next.pairs.entries()) {
      if (pair === null) continue;
      const before = wasReset ? [0, 0] : (series.counted.pairs[index] ?? [0, 0]);
      const requests = pair[0] - before[0]!;
      // A scrape may fall between a counter's bad request and its request: never more bad ones than all.
      const bad = Math.min(pair[1] - before[1]!, requests);
      if (bad < pair[1] - before[1]!) pair[1] = before[1]! + bad;
      const to = increments[index]![series.version];
      to.samples++;
      to.requests += requests;
      to.bad += bad;
      if (warm) {
        to.warmRequests += requests;
        to.warmBad += bad;
      }
    }
    series.counted = next;
  }
}
