import { expect, test } from "vitest";
import { BucketBoundError, countSlower } from "../src/latency.ts";

const buckets = [
  { le: 0.1, count: 80 },
  { le: 0.25, count: 95 },
  { le: 0.5, count: 98 },
  { le: Infinity, count: 100 },
];

test("the share above a bound is counted exactly", () => {
  expect(countSlower(buckets, 0.25)).toEqual({ requests: 100, bad: 5 });
});

test("a limit that is no bound is refused with the nearest ones", () => {
  expect(() => countSlower(buckets, 0.3)).toThrow(
    "no bucket of the histogram ends at 0.3 s, so how many requests took longer is not known; take 0.25 s or 0.5 s, or give the application a bucket at 0.3",
  );
  expect(() => countSlower(buckets, 2)).toThrow("take 0.5 s,");
  expect(() => countSlower([], 2)).toThrow(BucketBoundError);
});
