import { planFromValues, type RolloutPlan, scenarios, simulate } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { readModel } from "../src/model-file.ts";
import { shippedModel } from "../src/shipped-model.ts";
import { simulatedSteering } from "../src/simulated-steering.ts";

const { network } = await readModel(shippedModel);
const settings = { stepSeconds: 10, maxSteps: 100, sloLatencyMs: 200, ownAbort: "advises" } as const;

const tens = [10, 20, 30, 40, 50, 60, 70, 80, 90];

/** The weights in tens that the agent steers through, and nothing else that judges. */
const plan = (own: { maxSteps?: number } = {}): RolloutPlan => ({
  ...planFromValues({
    replicaCount: 3,
    rollout: {
      router: "traefik",
      canary: { steps: tens.flatMap((setWeight) => [{ setWeight }, { pause: null }]) },
    },
    analysis: { engine: "thresholds", metrics: {} },
  }).plan,
  steering: simulatedSteering(network, { ...settings, ...own }),
});

const play = (used: RolloutPlan, scenario: Parameters<typeof simulate>[1], seed = 1) =>
  simulate(used, scenario, { rollouts: 50, seed, horizonSeconds: 1200 });

test("good versions go up through every weight, a step at each at least", () => {
  const { ends, seconds } = play(plan(), scenarios.healthy(100, 0.001));
  expect(ends.promoted.count).toBe(50);
  expect(seconds.promoted!.low).toBeGreaterThan(9 * 10);
});

test("bad versions are aborted by the verdict, after few requests", () => {
  const { ends, bad, why } = play(plan(), scenarios.buggy(0.2, 100, 0.001));
  expect(ends.aborted.count).toBe(50);
  expect(new Set(why.map(({ why: words }) => words))).toEqual(new Set(["the agent aborts"]));
  // At 10 % it has ten requests a second, of which two fail.
  expect(bad.p99).toBeLessThan(60);
});

test("without requests it holds, and after its last step as well", () => {
  expect(play(plan(), scenarios.healthy(0.001, 0)).ends.promoted.count).toBe(0);
  expect(play(plan({ maxSteps: 5 }), scenarios.healthy(100, 0.001)).ends.promoted.count).toBe(0);
});

test("the same seed gives the same rollouts", () => {
  const of = (seed: number) => play(plan(), scenarios.degrading(0.1, 300, 100, 0.001), seed);
  expect(of(3)).toEqual(of(3));
  expect(of(3).bad).not.toEqual(of(4).bad);
});
