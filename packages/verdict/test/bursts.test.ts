import { expect, test } from "vitest";
import { estimateBursts } from "../src/bursts.ts";
import { Random } from "../src/random.ts";

function past(burst: () => number, random: Random, windows = 2000) {
  return Array.from({ length: windows }, () => {
    let bad = 0;
    for (let bursts = random.poisson(4); bursts > 0; bursts--) bad += burst();
    return { requests: 2000, bad };
  });
}

test("requests that fail alone give 1", () => {
  const random = new Random(1);
  expect(estimateBursts(past(() => 1, random))!.phi).toBeCloseTo(1, 0);
});

test("bursts of one size give that size, and mixed ones more than their mean", () => {
  const random = new Random(2);
  expect(Math.abs(estimateBursts(past(() => 5, random))!.phi - 5)).toBeLessThan(0.5);
  // E[m^2]/E[m] of a geometric size with mean 3 is 5.
  expect(Math.abs(estimateBursts(past(() => random.geometric(1 / 3), random))!.phi - 5)).toBeLessThan(0.6);
});

test("too little of the past gives no estimate", () => {
  expect(estimateBursts([])).toBeUndefined();
  expect(estimateBursts(past(() => 1, new Random(3), 29))).toBeUndefined();
  expect(estimateBursts(Array.from({ length: 100 }, () => ({ requests: 1000, bad: 0 })))).toBeUndefined();
  expect(estimateBursts(Array.from({ length: 100 }, () => ({ requests: 0, bad: 0 })))).toBeUndefined();
});
