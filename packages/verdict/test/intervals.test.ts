import { expect, test } from "vitest";
import { clopperPearson, incompleteBeta, logBeta, logGamma, quantileRanks } from "../src/intervals.ts";
import { Random } from "../src/random.ts";

test("the gamma function of whole numbers is a factorial", () => {
  let factorial = 1;
  for (let n = 1; n <= 60; n++) {
    expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 9);
    factorial *= n;
  }
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
  expect(logBeta(2, 3)).toBeCloseTo(Math.log(1 / 12), 12);
});

test("the incomplete beta function is the binomial's tail", () => {
  const [n, p] = [20, 0.3];
  let tail = 0;
  let probability = (1 - p) ** n;
  for (let k = 0; k <= n; k++) {
    if (k > 0) probability *= (((n - k + 1) / k) * p) / (1 - p);
    tail += probability;
    if (k < n) expect(1 - tail).toBeCloseTo(incompleteBeta(p, k + 1, n - k), 12);
  }
});

test("20 of 20 successes show at least 83 %, 30 rollouts without an abort at most 11.6 % false aborts", () => {
  expect(clopperPearson(20, 20).low).toBeCloseTo(0.8316, 4);
  expect(clopperPearson(0, 30).high).toBeCloseTo(0.1157, 4);
  expect(clopperPearson(0, 30, 0.9).high).toBeCloseTo(0.095, 3);
  expect(clopperPearson(0, 0)).toEqual({ low: 0, high: 1 });
});

test("ranks between which a quantile lies are those of binomial tables", () => {
  // Conover, Practical Nonparametric Statistics, for 95 %: of 10 values the 2nd and the 9th, of 20 the 6th and the 15th.
  expect(quantileRanks(0.5, 10)).toEqual({ low: 2, high: 9 });
  expect(quantileRanks(0.5, 20)).toEqual({ low: 6, high: 15 });
  // 5 values bound no median, 59 do not bound a 95th percentile from above: 0.95^59 is 0.0485, more than 2.5 %.
  expect(quantileRanks(0.5, 5)).toEqual({ low: 0, high: 6 });
  expect(quantileRanks(0.95, 59).high).toBe(60);
  expect(quantileRanks(0.95, 59, 0.9).high).toBe(59);
});

test("intervals of a quantile hold it in 95 % of samples", () => {
  const random = new Random(5);
  let holds = 0;
  for (let run = 0; run < 1000; run++) {
    const values = Array.from({ length: 80 }, () => random.uniform()).toSorted((a, b) => a - b);
    const { low, high } = quantileRanks(0.8, 80);
    if (values[low - 1]! <= 0.8 && values[high - 1]! >= 0.8) holds++;
  }
  expect(clopperPearson(holds, 1000, 0.998).high).toBeGreaterThanOrEqual(0.95);
});
