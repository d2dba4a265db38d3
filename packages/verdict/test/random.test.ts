import { expect, test } from "vitest";
import { PoissonTable } from "../src/simulator/poisson-table.ts";
import { Random } from "../src/random.ts";

/** Pearson's chi-square against the true probabilities, over cells with at least five expected; mean = cells - 1. */
function chiSquare(
  draw: () => number,
  probability: (k: number) => number,
  runs: number,
): { value: number; cells: number } {
  const counts = new Map<number, number>();
  for (let i = 0; i < runs; i++) {
    const k = draw();
    counts.set(k, (counts.get(k) ?? 0) + 1);
  }
  let value = 0;
  let cells = 0;
  let restExpected = runs;
  let restSeen = runs;
  for (let k = 0; k <= 20_000; k++) {
    const expected = runs * probability(k);
    if (expected < 5) continue;
    const seen = counts.get(k) ?? 0;
    value += (seen - expected) ** 2 / expected;
    cells++;
    restExpected -= expected;
    restSeen -= seen;
  }
  if (restExpected > 5) {
    value += (restSeen - restExpected) ** 2 / restExpected;
    cells++;
  }
  return { value, cells };
}

const logFactorial = (() => {
  const sums = [0];
  for (let k = 1; k <= 20_001; k++) sums[k] = sums[k - 1]! + Math.log(k);
  return (k: number) => sums[k]!;
})();
const poisson = (mean: number) => (k: number) => Math.exp(k * Math.log(mean) - mean - logFactorial(k));
const binomial = (n: number, p: number) => (k: number) =>
  k > n
    ? 0
    : Math.exp(logFactorial(n) - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log1p(-p));

const runs = 50_000;
/** Five deviations above a chi-square's mean: the seed is fixed, so this either holds or the sampler is wrong. */
const limit = (cells: number) => cells + 5 * Math.sqrt(2 * cells);

test.each([
  [7, 0.1],
  [900, 0.01],
  [1000, 0.02],
  [600, 0.3],
  [5000, 0.4],
  [300, 0.9],
])("binomial counts of %d at %d are distributed as they should be", (n, p) => {
  const random = new Random(7);
  const { value, cells } = chiSquare(() => random.binomial(n, p), binomial(n, p), runs);
  expect(cells).toBeGreaterThan(3);
  expect(value).toBeLessThan(limit(cells));
});

test.each([0.3, 6, 12, 300, 9000])("Poisson counts of mean %d are distributed as they should be", (mean) => {
  const random = new Random(8);
  const table = new PoissonTable(mean);
  for (const draw of [() => random.poisson(mean), () => table.draw(random)]) {
    const { value, cells } = chiSquare(draw, poisson(mean), runs);
    expect(cells).toBeGreaterThan(2);
    expect(value).toBeLessThan(limit(cells));
  }
});

test("the edges need no luck", () => {
  const random = new Random(9);
  expect([random.binomial(10, 0), random.binomial(10, 1), random.binomial(0, 0.5)]).toEqual([0, 10, 0]);
  expect([random.poisson(0), random.geometric(1), new PoissonTable(0).draw(random)]).toEqual([0, 1, 0]);
});

test("the same seed gives the same numbers, another seed others", () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 5 }, () => random.uniform());
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(draw(1).every((u) => u >= 0 && u < 1)).toBe(true);
});
