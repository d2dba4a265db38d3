import { expect, test } from "vitest";
import { clopperPearson, incompleteBeta, logBeta, logGamma } from "../src/intervals.ts";

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
