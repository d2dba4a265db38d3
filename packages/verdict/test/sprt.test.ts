import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cusumBoundary, cusumStep } from "../src/cusum.ts";
import { breakEvenRatio, divergence, logLikelihoodRatio, requestsToReject, villeBoundary } from "../src/sprt.ts";
import { seed } from "./seed.ts";

test.each([
  [0.001, 0.01, 332],
  [0.005, 0.02, 198],
  [0.01, 0.05, 73],
])("without a bad request, %d against %d takes %d requests to rule out", (p0, p1, requests) => {
  expect(requestsToReject({ p0, p1 }, 0.05)).toBe(requests);
});

test.each([
  [0.001, 0.01, 0.0039],
  [0.005, 0.02, 0.0108],
  [0.01, 0.05, 0.025],
])("%d against %d breaks even at %d", (p0, p1, ratio) => {
  expect(breakEvenRatio({ p0, p1 })).toBeCloseTo(ratio, 4);
});

test("the shortest alarm for 1 % against 5 % is three bad requests in a row", () => {
  const each = logLikelihoodRatio(1, 1, { p0: 0.01, p1: 0.05 });
  expect(Math.ceil(villeBoundary(0.01) / each)).toBe(3);
});

test("the likelihood ratio's expected factor per request is at most 1 for every good ratio, and its inverse's for every bad one", () => {
  const ratio = fc.double({ min: 1e-6, max: 0.999, noNaN: true });
  fc.assert(
    fc.property(ratio, ratio, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, share) => {
      fc.pre(a !== b);
      const hypotheses = { p0: Math.min(a, b), p1: Math.max(a, b) };
      const factor = (p: number, sign: number) =>
        p * Math.exp(sign * logLikelihoodRatio(1, 1, hypotheses)) +
        (1 - p) * Math.exp(sign * logLikelihoodRatio(1, 0, hypotheses));
      expect(factor(share * hypotheses.p0, 1)).toBeLessThanOrEqual(1 + 1e-9);
      expect(factor(hypotheses.p1 + share * (1 - hypotheses.p1), -1)).toBeLessThanOrEqual(1 + 1e-9);
    }),
    { seed },
  );
});

test("at p1 a request tells on average what p1 differs from p0", () => {
  const hypotheses = { p0: 0.005, p1: 0.02 };
  const drift = 0.02 * logLikelihoodRatio(1, 1, hypotheses) + 0.98 * logLikelihoodRatio(1, 0, hypotheses);
  expect(drift).toBeCloseTo(divergence(0.02, 0.005), 12);
});

test("a cumulative sum is the largest log-likelihood ratio since any start", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5, max: 5 })), (increments) => {
      let score = 0;
      for (const increment of increments) score = cusumStep(score, increment, true);
      const sums = increments.map((_, start) => increments.slice(start).reduce((sum, x) => sum + x, 0));
      expect(score).toBe(Math.max(0, ...sums));
    }),
    { seed },
  );
});

test("a cumulative sum that may not restart goes on below 0", () => {
  expect(cusumStep(1, -3, false)).toBe(-2);
  expect(cusumBoundary(0.001, 1800)).toBeCloseTo(Math.log(1_800_000), 12);
});
