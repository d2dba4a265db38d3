import { expect, test } from "vitest";
import { expectedComparison, expectedCrossing, expectedDelay } from "../src/expectation.ts";
import { Random } from "../src/random.ts";
import { divergence, logLikelihoodRatio } from "../src/sprt.ts";

const hypotheses = { p0: 0.005, p1: 0.02 };

test.each([
  [0.02, 1.08],
  [0.05, 1.4],
  [1, 3.8],
])("at %d, bad requests until the boundary are %d times ln(1/alpha) over the divergence", (p, times) => {
  const { bad } = expectedCrossing(hypotheses, Math.log(1000), p);
  const bound = (p * Math.log(1000)) / divergence(p, hypotheses.p0);
  expect(bad / bound).toBeCloseTo(times, 1);
});

test("the recursion agrees with simulation, by request and by look", () => {
  const boundary = Math.log(2000);
  for (const [p, batch] of [
    [0.05, 1],
    [0.2, 1],
    [0.05, 20],
  ] as const) {
    const random = new Random(3);
    const runs = 20_000;
    let sum = 0;
    let squares = 0;
    for (let run = 0; run < runs; run++) {
      let [n, k] = [0, 0];
      while (logLikelihoodRatio(n, k, hypotheses) < boundary) {
        n += batch;
        k += random.binomial(batch, p);
      }
      sum += k;
      squares += k * k;
    }
    const mean = sum / runs;
    const error = Math.sqrt((squares / runs - mean ** 2) / runs);
    const exact = expectedCrossing(hypotheses, boundary, p, { batch });
    expect(Math.abs(exact.bad - mean)).toBeLessThan(4 * error);
    expect(exact.reached).toBeCloseTo(1, 9);
  }
});

test("below the break-even the boundary is reached with a probability of at most alpha", () => {
  const { reached } = expectedCrossing(hypotheses, Math.log(100), hypotheses.p0, { maxRequests: 20_000 });
  expect(reached).toBeGreaterThan(0.005);
  expect(reached).toBeLessThan(0.01);
});

test("a cumulative sum's delay agrees with simulation", () => {
  const boundary = Math.log(1_000_000);
  const p = 0.05;
  const random = new Random(4);
  const runs = 5000;
  let sum = 0;
  let squares = 0;
  for (let run = 0; run < runs; run++) {
    let [score, n] = [0, 0];
    while (score < boundary) {
      score = Math.max(0, score + logLikelihoodRatio(1, random.binomial(1, p), hypotheses));
      n++;
    }
    sum += n;
    squares += n * n;
  }
  const mean = sum / runs;
  const error = Math.sqrt((squares / runs - mean ** 2) / runs);
  expect(Math.abs(expectedDelay(hypotheses, boundary, p).requests - mean)).toBeLessThan(4 * error);
});

test("a comparison with a stable that fails nothing takes ln(1/alpha) over ln(1/rho) bad requests", () => {
  const boundary = Math.log(2000);
  // Half of the requests, 1.5 times tolerated: a bad request falls on the canary with probability 0.6 at most.
  const crossing = expectedComparison({ canary: 0.02, stable: 0, share: 0.5 }, 1.5, boundary);
  expect(crossing.bad).toBeCloseTo(Math.ceil(boundary / Math.log(1 / 0.6)), 6);
  expect(crossing.requests).toBeCloseTo(crossing.bad / 0.02, 3);
});

test("the healthier stable is, the fewer bad requests a comparison takes", () => {
  const costs = [0.0001, 0.001, 0.005].map(
    (stable) => expectedComparison({ canary: 0.02, stable, share: 0.1 }, 1.5, Math.log(2000)).bad,
  );
  expect(costs).toEqual(costs.toSorted((a, b) => a - b));
});
