import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addEvidence, logEvidence, logMixture, noEvidence, ratioSteps } from "../src/count-mixture.ts";
import { seed } from "./seed.ts";

function binomial(n: number, k: number, p: number): number {
  let ways = 1;
  for (let i = 0; i < k; i++) ways = (ways * (n - i)) / (i + 1);
  return ways * p ** k * (1 - p) ** (n - k);
}

/** The exact expectation of one look's evidence. */
function expectedEvidence(nc: number, ns: number, pc: number, ps: number, ratio: number, tolerated: number): number {
  let sum = 0;
  for (let canaryBad = 0; canaryBad <= nc; canaryBad++) {
    for (let stableBad = 0; stableBad <= ns; stableBad++) {
      const counts = { canaryRequests: nc, canaryBad, stableRequests: ns, stableBad };
      sum +=
        binomial(nc, canaryBad, pc) * binomial(ns, stableBad, ps) * Math.exp(logEvidence(counts, ratio, tolerated));
    }
  }
  return sum;
}

test("whatever both versions suffer, evidence against a canary within the tolerance does not grow on average", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 1, max: 4, noNaN: true }),
      fc.constantFrom(...ratioSteps),
      (nc, ns, stable, share, tolerated, step) => {
        const canary = Math.min(1, share * tolerated * stable);
        expect(expectedEvidence(nc, ns, canary, stable, tolerated * step, tolerated)).toBeLessThanOrEqual(1 + 1e-9);
      },
    ),
    { seed },
  );
});

test("the points of the prior lose at most a quarter of the best evidence, from 1.3 to 400 times what is tolerated", () => {
  for (let x = 1.3; x <= 400; x *= 1.02) {
    // Per bad request that is tolerated, with much more stable traffic: the Poisson divergence.
    const best = x * Math.log(x) - x + 1;
    const taken = Math.max(...ratioSteps.map((step) => x * Math.log(step) - step + 1));
    expect(taken / best, `at ${x} times`).toBeGreaterThan(0.75);
  }
});

test("a mixture is the mean of its points' evidence", () => {
  const evidence = noEvidence();
  expect(logMixture(evidence)).toBe(0);
  addEvidence(evidence, { canaryRequests: 10, canaryBad: 3, stableRequests: 90, stableBad: 1 }, 1.5, 1);
  const mean = evidence.reduce((sum, e) => sum + Math.exp(e), 0) / evidence.length;
  expect(logMixture(evidence)).toBeCloseTo(Math.log(mean), 12);
  expect(logMixture([800, 0])).toBeCloseTo(800 - Math.log(2), 9);
});

test("a look without bad requests, or without requests of one version, moves nothing", () => {
  for (const counts of [
    { canaryRequests: 10, canaryBad: 0, stableRequests: 90, stableBad: 0 },
    { canaryRequests: 10, canaryBad: 5, stableRequests: 0, stableBad: 0 },
    { canaryRequests: 0, canaryBad: 0, stableRequests: 90, stableBad: 7 },
  ]) {
    expect(logEvidence(counts, 3, 1.5)).toBeCloseTo(0, 12);
  }
});
