import { Random } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { defaultPrices } from "../src/cost.ts";
import { leastCost } from "../src/dynamic-program.ts";
import { defaultSettings, SimulatedRollout } from "../src/environment/simulated-rollout.ts";
import { smallProblem, twoVersions } from "../src/environment/two-versions.ts";
import { meanOf } from "../src/evaluation/summarize.ts";
import { alwaysUp, sequentialClimb, sequentialGates } from "../src/policies/baselines.ts";
import { play } from "../src/policies/play.ts";

const settings = { prices: defaultPrices, horizon: 100, stepSeconds: 10 };

test("with one step left the best is what can be worked out by hand", () => {
  const one = (badShare: number) => leastCost({ ...smallProblem, badShare }, { ...settings, horizon: 1 });
  // A version that is surely good cannot be promoted any more: to wait costs 1 and then 100, to abort 100.
  expect(one(0)).toBeCloseTo(100, 6);
  // One that is surely bad is aborted: 20 requests, 4.8 % too many of them bad; to wait would cost 1 + 4.8.
  expect(one(1)).toBeCloseTo(0.96, 6);
});

test("a version that is surely good is promoted at once", () => {
  expect(leastCost({ ...smallProblem, badShare: 0 }, settings)).toBeCloseTo(8, 6);
});

test("no policy costs less than the bound, and a finer grid only raises it", () => {
  const coarse = leastCost(smallProblem, settings, 61);
  const fine = leastCost(smallProblem, settings, 161);
  expect(coarse).toBeLessThanOrEqual(fine + 1e-9);
  for (const policy of [alwaysUp, sequentialClimb, sequentialGates]) {
    const costs = Array.from({ length: 1500 }, (_, seed) => {
      const random = new Random(seed);
      return play(new SimulatedRollout(twoVersions(smallProblem).draw(random), random, defaultSettings), policy).cost;
    });
    expect(meanOf(costs).high).toBeGreaterThan(fine);
  }
});
