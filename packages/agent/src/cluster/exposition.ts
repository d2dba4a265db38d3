import { isDeclared, missingOf, readExposition, type Series } from "@safe-deploy/verdict";
import type { AgentConfig } from "./config.ts";

/** A pod that does not tell what its version is judged by. */
export class MissingCounterError extends Error {
  constructor(missing: string) {
    super(`it does not export ${missing}`);
    this.name = "MissingCounterError";
  }
}

/** What one pod has counted since it started. */
export interface PodReading {
  requests: number;
  bad: number;
  /** Cumulative, by upper bound in seconds, rising; empty when the pod has no such histogram. */
  buckets: { le: number; count: number }[];
  cpuSeconds: number | undefined;
  memoryBytes: number | undefined;
  /** When the process began, in milliseconds since the epoch. */
  startedAt: number | undefined;
}

/**
 * Sums up what a pod tells in Prometheus' text format.
 *
 * @throws MissingCounterError where its requests, or which of them are bad, are not in it.
 */
export function readCounters(text: string, names: AgentConfig["metrics"]): PodReading {
  const resources = ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"];
  const series = readExposition(text, [names.requests, names.durationBucket, ...resources]);
  const missing = missingOf(names, series);
  if (missing !== undefined && !(missing === names.requests && isDeclared(text, missing))) {
    throw new MissingCounterError(missing);
  }
  const of = (wanted: string) => series.filter(({ name }) => name === wanted);
  const sum = (all: readonly Series[]) => all.reduce((total, { value }) => total + value, 0);
  const [cpuSeconds, memoryBytes, startSeconds] = resources.map((name) => of(name)[0]?.value);
  const buckets = new Map<number, number>();
  for (const { labels, value } of of(names.durationBucket)) {
    const le = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
    buckets.set(le, (buckets.get(le) ?? 0) + value);
  }
  return {
    requests: sum(of(names.requests)),
    bad: sum(of(names.requests).filter(({ labels }) => names.errorStatus.test(labels[names.statusLabel] ?? ""))),
    buckets: [...buckets].map(([le, count]) => ({ le, count })).toSorted((a, b) => a.le - b.le),
    cpuSeconds,
    memoryBytes,
    startedAt: startSeconds === undefined ? undefined : 1000 * startSeconds,
  };
}

/**
 * The 95th percentile of the requests between two readings, in milliseconds, as Prometheus' `histogram_quantile` has it:
 * straight within a bucket, and the last finite bound where it lies beyond. Undefined when there were none.
 */
export function percentile95Ms(grown: readonly { le: number; count: number }[]): number | undefined {
  const total = grown.at(-1)?.count ?? 0;
  if (!(total > 0)) return undefined;
  const rank = 0.95 * total;
  let lower = { le: 0, count: 0 };
  for (const bucket of grown) {
    if (bucket.count >= rank) {
      if (bucket.le === Infinity) return 1000 * lower.le;
      return 1000 * (lower.le + ((bucket.le - lower.le) * (rank - lower.count)) / (bucket.count - lower.count));
    }
    lower = bucket;
  }
  return undefined;
}

/** What was added between two readings of a pod, by bucket. A counter that fell was reset: all of it is new. */
export function bucketGrowth(before: PodReading | undefined, now: PodReading): PodReading["buckets"] {
  const same = before !== undefined && before.buckets.length === now.buckets.length;
  const wasReset = same && now.buckets.some(({ count }, i) => count < before.buckets[i]!.count);
  if (!same || wasReset) return before === undefined ? [] : now.buckets;
  return now.buckets.map(({ le, count }, i) => ({ le, count: count - before.buckets[i]!.count }));
}

/** Buckets of several pods together; those of another layout than the first are left out. */
export function sumBuckets(all: readonly PodReading["buckets"][]): PodReading["buckets"] {
  const first = all.find((buckets) => buckets.length > 0);
  if (first === undefined) return [];
  const alike = all.filter(
    (buckets) => buckets.length === first.length && buckets.every(({ le }, i) => le === first[i]!.le),
  );
  return first.map(({ le }, i) => ({ le, count: alike.reduce((sum, buckets) => sum + buckets[i]!.count, 0) }));
}
