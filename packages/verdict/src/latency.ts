import type { Sample } from "./observation.ts";

/** A latency that no bucket of the histogram ends at. */
export class BucketBoundError extends Error {
  readonly nearest: readonly number[];

  constructor(limit: number, bounds: readonly number[]) {
    const finite = bounds.filter((bound) => Number.isFinite(bound)).toSorted((a, b) => a - b);
    const below = finite.filter((bound) => bound < limit).at(-1);
    const above = finite.find((bound) => bound > limit);
    const nearest = [below, above].filter((bound) => bound !== undefined);
    super(
      nearest.length === 0
        ? `the histogram has no buckets, so how many requests took longer than ${limit} s is not known`
        : `no bucket of the histogram ends at ${limit} s, so how many requests took longer is not known; take ${nearest.join(" s or ")} s, or give the application a bucket at ${limit}`,
    );
    this.name = "BucketBoundError";
    this.nearest = nearest;
  }
}

/**
 * How many requests of a cumulative histogram took longer than `limit` seconds, and how many there were.
 *
 * A quantile moves only when it crosses a bound, and by how much is a guess; the share above a bound is counted exactly
 * and is a proportion like the share of errors: a 99th percentile of at most 0.5 s is at most 1 % above 0.5 s.
 *
 * @throws BucketBoundError when no bucket ends at the limit, naming the nearest.
 */
export function countSlower(buckets: NonNullable<Sample["buckets"]>, limit: number): { requests: number; bad: number } {
  const bucket = buckets.find(({ le }) => le === limit);
  if (bucket === undefined) {
    throw new BucketBoundError(
      limit,
      buckets.map(({ le }) => le),
    );
  }
  const requests = Math.max(...buckets.map(({ count }) => count));
  return { requests, bad: requests - bucket.count };
}
