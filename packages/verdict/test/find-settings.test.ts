import { expect, test } from "vitest";
import { judgeSettings, watchFor } from "../src/simulator/find-settings.ts";
import { buggy } from "../src/simulator/scenario.ts";
import { finish, playRollouts } from "../src/simulator/simulate.ts";
import { plannedSeconds, type RolloutPlan } from "../src/simulator/rollout-plan.ts";
import { defaultPolicy } from "../src/policy.ts";
import { metric } from "./argo-metric.ts";

const plan: RolloutPlan = {
  steps: [{ setWeight: 10 }, { pauseSeconds: 60 }, { setWeight: 100 }],
  background: {
    metrics: [
      {
        ...metric,
        of: "canary",
        read: "growth",
        windowSeconds: 120,
        forgive: 4,
        failsOnly: true,
        failure: { operator: ">=", limit: 0.025 },
        intervalSeconds: 3,
        initialDelaySeconds: 8,
        count: 0,
      },
    ],
    fromStep: 1,
  },
  router: true,
  replicas: 3,
  surges: true,
  scrapeSeconds: 5,
  delay: { scaleUp: 2, reconcile: 0.3, router: 1 },
  clockSeconds: 1,
  engine: "thresholds",
  sequential: { policy: defaultPolicy, gateSeconds: 300, askSeconds: 5 },
};
const goal = { budget: 140, confidence: 0.99, faults: 0.3, requestsPerSecond: 100, stable: 0.001, seed: 1 };
const found = finish(judgeSettings(plan, goal));

test("settings that keep a budget are found to, up to the worst fault, and a smaller one is not", () => {
  expect(found.costs.map(({ fault }) => Number(fault.toFixed(2)))).toEqual([0.3, 0.55, 1]);
  expect(found.kept).toBe(true);
  expect(found.good.promoted.share).toBeGreaterThan(0.99);
  const { bad } = found.costs.at(-1)!;
  expect(finish(judgeSettings(plan, { ...goal, faults: 1, budget: bad })).kept).toBe(true);
  expect(finish(judgeSettings(plan, { ...goal, faults: 1, budget: bad - 1 })).kept).toBe(false);
});

test("what is said to be kept is kept in other rollouts", () => {
  const { fault, bad } = found.costs.at(-1)!;
  const options = { rollouts: 5000, seed: 99, horizonSeconds: plannedSeconds(plan) + 600 };
  const exceeded = finish(playRollouts(plan, buggy(fault, 100, 0.001), options)).filter(
    (each) => each.badByHorizon > bad,
  );
  expect(exceeded.length / 5000).toBeLessThanOrEqual(0.01);
});

test("the bounds for 5 % are those of the chart's own library, and for 2 % finer ones", () => {
  expect(watchFor(0.05)).toEqual({ type: "errorRatio", forgive: 4, doubt: 2, pass: 0.025, fail: 0.025 });
  // ln(0.02 x 0.996 / (0.004 x 0.98)) = 1.6257; ln(0.996 / 0.98) = 0.016195; their ratio is 0.00996.
  expect(watchFor(0.02)).toEqual({ type: "errorRatio", forgive: 4, doubt: 2, pass: 0.01, fail: 0.01 });
});
