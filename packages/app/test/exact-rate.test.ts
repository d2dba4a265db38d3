import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExactRate, seedFor } from "../src/exact-rate.ts";

const ratio = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9, 1),
);
const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

function decisions(rate: ExactRate, count: number): boolean[] {
  return Array.from({ length: count }, () => rate.next());
}

describe("ExactRate", () => {
  it("differs from the exact number of failures by at most 1, after every request", () => {
    fc.assert(
      fc.property(ratio, seed, fc.integer({ min: 1, max: 2000 }), (ratio, seed, count) => {
        let failures = 0;
        for (const [index, failed] of decisions(new ExactRate(ratio, seed), count).entries()) {
          failures += Number(failed);
          expect(Math.abs(failures - ratio * (index + 1))).toBeLessThanOrEqual(1 + 1e-9);
        }
      }),
    );
  });

  it("differs by at most 2 in any window", () => {
    fc.assert(
      fc.property(ratio, seed, fc.nat(500), fc.integer({ min: 1, max: 500 }), (ratio, seed, from, length) => {
        const window = decisions(new ExactRate(ratio, seed), from + length).slice(from);
        expect(Math.abs(window.filter(Boolean).length - ratio * length)).toBeLessThanOrEqual(2 + 1e-9);
      }),
    );
  });

  it("gives the same sequence for the same seed and others for other seeds", () => {
    expect(decisions(new ExactRate(0.3, 7), 200)).toEqual(decisions(new ExactRate(0.3, 7), 200));
    const sequences = Array.from({ length: 50 }, (_, seed) => decisions(new ExactRate(0.3, seed), 40).join());
    expect(new Set(sequences).size).toBe(50);
  });

  it("fails each single request with the ratio as its probability", () => {
    const seeds = 4000;
    for (const ratio of [0.05, 0.3, 0.75]) {
      const failures = Array.from({ length: 25 }, () => 0);
      for (let seed = 0; seed < seeds; seed += 1)
        for (const [index, failed] of decisions(new ExactRate(ratio, seedFor(seed, "test")), 25).entries())
          failures[index] = (failures[index] ?? 0) + Number(failed);
      // Five standard deviations of a binomial share.
      const tolerance = 5 * Math.sqrt((ratio * (1 - ratio)) / seeds);
      for (const count of failures) expect(Math.abs(count / seeds - ratio)).toBeLessThan(tolerance);
    }
  });
});
