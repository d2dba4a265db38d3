import { expect, test } from "vitest";
import { defaultPolicy } from "../src/policy.ts";
import { type MetricValues, PlanError, planFromValues, type RolloutValues } from "../src/simulator/plan-from-values.ts";
import { type RolloutPlan, shareAt } from "../src/simulator/rollout-plan.ts";
import {
  buggy,
  degrading,
  flaky,
  healthy,
  lowTraffic,
  prometheusGap,
  replay,
  type Scenario,
  sharedOutage,
} from "../src/simulator/scenario.ts";
import { simulate } from "../src/simulator/simulate.ts";
import { metric } from "./argo-metric.ts";

const below = { operator: "<", limit: 0.01 } as const;
const gate = { ...metric, success: below };

/** 10 % for two minutes, 50 % for five, each judged by six measurements of both versions' 5xx. */
const twoSteps: RolloutPlan = {
  steps: [
    { setWeight: 10 },
    { pauseSeconds: 120 },
    { analysis: [gate] },
    { setWeight: 50 },
    { pauseSeconds: 300 },
    { analysis: [gate] },
    { setWeight: 100 },
  ],
  background: { metrics: [], fromStep: 1 },
  router: true,
  replicas: 6,
  surges: true,
  scrapeSeconds: 5,
  delay: { scaleUp: 2, reconcile: 0.3, router: 1 },
  clockSeconds: 1,
  engine: "thresholds",
  sequential: { policy: defaultPolicy, gateSeconds: 300, askSeconds: 1 },
};

/** Four steps, watched in the background by the success ratio of both versions over five minutes. */
const watched: RolloutPlan = {
  ...twoSteps,
  steps: [5, 20, 50, 80].flatMap((weight) => [{ setWeight: weight }, { pauseSeconds: weight < 50 ? 120 : 300 }]),
  background: {
    metrics: [
      {
        ...metric,
        value: "successRatio",
        windowSeconds: 300,
        success: { operator: ">=", limit: 0.99 },
        failure: { operator: "<", limit: 0.95 },
        count: 10,
        failureLimit: 3,
      },
    ],
    fromStep: 1,
  },
};
const sequential: RolloutPlan = { ...twoSteps, engine: "sequential", scrapeSeconds: 1 };

const run = (plan: RolloutPlan, scenario: Scenario, rollouts = 60, horizonSeconds = 900) =>
  simulate(plan, scenario, { rollouts, seed: 1, horizonSeconds });

// As they came out on a cluster, once each: seconds until the canary had no more requests, and bad requests.
test.each([
  [0.05, 575, 880],
  [0.2, 124, 260],
  [1, 123, 1200],
])("two steps with %d errors end as they did on a cluster: after %d s and %d bad requests", (errors, seconds, bad) => {
  const simulated = run(twoSteps, buggy(errors));
  expect(simulated.ends.aborted.share).toBe(1);
  expect(Math.abs(simulated.seconds.aborted!.median - seconds)).toBeLessThan(4);
  expect(simulated.bad.low).toBeLessThanOrEqual(bad);
  expect(simulated.bad.high).toBeGreaterThanOrEqual(bad);
});

test("a canary that fails everything at weight 5 is never aborted by a sum over both versions: it stands still", () => {
  const simulated = run(watched, buggy(1), 60, 396);
  expect(simulated.ends.paused.share).toBe(1);
  expect(Math.abs(simulated.seconds.paused!.median - 124)).toBeLessThan(4);
  expect(simulated.badByHorizon.low).toBeLessThanOrEqual(2021);
  expect(simulated.badByHorizon.high).toBeGreaterThanOrEqual(2021 * 0.95);
});

test("a condition that compares the vector, or a query that is empty without errors, aborts a healthy release after five errors", () => {
  for (const changes of [{ indexed: false }, { orZero: false }]) {
    const steps = twoSteps.steps.map((step) => ("analysis" in step ? { analysis: [{ ...gate, ...changes }] } : step));
    const { ends, seconds } = run({ ...twoSteps, steps }, healthy(100, 0), 20);
    expect(ends.aborted.share).toBe(1);
    expect(Math.abs(seconds.aborted!.median - 163)).toBeLessThan(4);
  }
});

test("the sequential engine ends the same faults in seconds, and none of the healthy releases", () => {
  for (const errors of [0.05, 0.2, 1]) {
    const simulated = run(sequential, buggy(errors));
    expect(simulated.ends.aborted.share).toBe(1);
    expect(simulated.seconds.aborted!.p99).toBeLessThan(60);
    expect(simulated.bad.p99).toBeLessThan(60);
  }
  expect(run(sequential, healthy()).ends.promoted.share).toBe(1);
});

test.each([
  ["degrading", degrading(0.1, 600), "aborted", "aborted"],
  ["flaky", flaky(0.3), "aborted", "aborted"],
  ["shared outage", sharedOutage(0.3, 200, 120), "aborted", "promoted"],
  ["low traffic", lowTraffic(), "promoted", "paused"],
  ["Prometheus away at a gate", prometheusGap(120, 100), "aborted", "promoted"],
  ["Prometheus away for good", prometheusGap(60, 10_000), "aborted", "aborted"],
] as const)("%s: thresholds and the sequential engine", (_, scenario, byThresholds, bySequence) => {
  expect(run(twoSteps, scenario, 20).ends[byThresholds].share).toBeGreaterThan(0.8);
  expect(run(sequential, scenario, 20).ends[bySequence].share).toBe(1);
});

test("harm after a promotion counts until the horizon, excess is what stable would not have failed", () => {
  const late: Scenario = { ...healthy(), canary: (second) => (second < 800 ? 0.001 : 0.5) };
  const { ends, bad, badByHorizon } = run(twoSteps, late, 10, 1000);
  expect(ends.promoted.share).toBe(1);
  expect(bad.high).toBeLessThan(60);
  expect(badByHorizon.low).toBeGreaterThan(9000);
  const { excess } = run(twoSteps, healthy(100, 0.005), 200);
  expect(Math.abs(excess.mean)).toBeLessThan(5);
});

test("a pause without an end, and a horizon that comes first, are pauses", () => {
  const manual = { ...twoSteps, steps: [{ setWeight: 10 }, { pauseSeconds: null }] };
  expect(run(manual, healthy(), 3).why[0]!.why).toBe("waits for a person to promote");
  expect(run(twoSteps, healthy(), 3, 200).why[0]!.why).toBe("the horizon came first");
});

test("the same seed gives the same simulation, another seed another", () => {
  const simulateWith = (seed: number) => simulate(twoSteps, buggy(0.05), { rollouts: 5, seed, horizonSeconds: 900 });
  expect(simulateWith(3)).toEqual(simulateWith(3));
  expect(simulateWith(3).bad).not.toEqual(simulateWith(4).bad);
});

// Each expectation by hand from the rule of Argo Rollouts: the nearest share, at least one pod of either version.
test.each([
  // replicas, surges, weight, canary pods, all pods
  [10, false, 10, 1, 10],
  [3, false, 10, 1, 3],
  [3, true, 10, 1, 4],
  [3, true, 33, 1, 3],
  [3, false, 50, 2, 3],
  [3, true, 50, 2, 4],
  [5, true, 50, 3, 6],
  [10, false, 41, 4, 10],
  [4, true, 99, 4, 5],
  [1, true, 50, 1, 2],
])(
  "without a router, of %d replicas (surge: %j) weight %d is %d of %d pods",
  (replicas, surges, weight, canary, all) => {
    expect(shareAt({ router: false, replicas, surges }, weight)).toBeCloseTo(canary / all, 9);
  },
);

test("with a router, and at the ends, the share is the weight", () => {
  expect(shareAt({ router: true, replicas: 3, surges: true }, 10)).toBe(0.1);
  expect([0, 100].map((weight) => shareAt({ router: false, replicas: 3, surges: true }, weight))).toEqual([0, 1]);
});

test("a recording is replayed with its traffic, its errors and its resets", () => {
  const scenario = replay(
    [
      { second: 0, requests: 1000, bad: 10 },
      { second: 10, requests: 2000, bad: 30 },
      { second: 20, requests: 500, bad: 50 },
    ],
    { more: 0.03 },
  );
  expect([scenario.requestsPerSecond(5), scenario.requestsPerSecond(15), scenario.requestsPerSecond(25)]).toEqual([
    100, 50, 100,
  ]);
  expect([scenario.stable(5), scenario.canary(5)]).toEqual([0.02, 0.05]);
  expect(() => replay([])).toThrow("at least two samples");
});

function values(errorRatio: MetricValues, changes: Partial<RolloutValues["rollout"]> = {}): RolloutValues {
  return {
    replicaCount: 6,
    rollout: {
      strategy: "canary",
      router: "traefik",
      waitScale: 1,
      canary: {
        steps: [{ setWeight: 10 }, { pause: { seconds: 120 } }, { analysis: ["errorRatio"] }],
        background: ["errorRatio", "restarts"],
        backgroundFromStep: 1,
      },
      ...changes,
    },
    analysis: {
      engine: "thresholds",
      onNoData: "abort",
      noDataSeconds: 60,
      minRequests: 50,
      intervalSeconds: 5,
      warmUpSeconds: 6,
      windowSeconds: 120,
      limits: { failure: 0, inconclusive: 5, consecutiveError: null },
      metrics: { errorRatio, restarts: { pass: 1 } },
    },
  };
}

test("values become a plan with the chart's arithmetic", () => {
  const { plan, alwaysGood } = planFromValues(values({ forgive: 4, pass: 0.025, fail: 0.025 }));
  expect(alwaysGood).toEqual(["restarts"]);
  expect(plan.steps.at(-1)).toEqual({ setWeight: 100 });
  const [gate] = (plan.steps[2] as { analysis: unknown[] }).analysis;
  expect(gate).toMatchObject({
    of: "canary",
    read: "growth",
    windowSeconds: 120,
    intervalSeconds: 5,
    count: 11,
    consecutiveSuccessLimit: 1,
    inconclusiveLimit: 5,
    consecutiveErrorLimit: 6,
    minRequests: 50,
    success: { operator: "<", limit: 0.025 },
  });
  expect(plan.background.metrics).toHaveLength(1);
  expect(plan.background.metrics[0]).toMatchObject({ count: 0, initialDelaySeconds: 6, failsOnly: true });
  expect(plan.background.metrics[0]!.success).toBeUndefined();
});

test("a count, a bake, a factor for waits and a pause on no data are read", () => {
  const { plan } = planFromValues(
    values(
      { pass: 0.01, count: 6, intervalSeconds: 30 },
      { waitScale: 0.1, bake: { seconds: 300, analysis: ["errorRatio"] } },
    ),
  );
  expect(plan.steps[1]).toEqual({ pauseSeconds: 12 });
  expect((plan.steps[2] as { analysis: { count: number }[] }).analysis[0]).toMatchObject({
    count: 6,
    intervalSeconds: 3,
  });
  expect((plan.steps.at(-1) as { analysis: { count: number }[] }).analysis[0]!.count).toBe(11);
  const pausing = values({ pass: 0.01 });
  pausing.analysis.onNoData = "pause";
  expect(planFromValues(pausing).plan.background.metrics[0]).toMatchObject({
    guarded: true,
    inconclusiveLimit: 12,
    success: { operator: ">=", limit: 0.01, negated: true },
  });
});

test("metrics of errors by other names are simulated as well", () => {
  const named = values({ type: "errorCount", pass: 1, windowSeconds: 300 });
  expect(planFromValues(named).plan.background.metrics[0]).toMatchObject({
    value: "errorCount",
    windowSeconds: 300,
    failure: { operator: ">=", limit: 1 },
  });
  const atRouter = values({ type: "ingressSuccessRatio", pass: 0.99, fail: 0.95 });
  expect(planFromValues(atRouter).plan.background.metrics[0]).toMatchObject({
    value: "successRatio",
    failure: { operator: "<", limit: 0.95 },
  });
});

test("values that cannot be simulated are refused with every reason", () => {
  expect(() => planFromValues(values({}, { strategy: "blueGreen" }))).toThrow("blue-green");
  const wrong = values({});
  wrong.rollout.canary.steps = [{ analysis: ["nothing", "errorRatio"] }];
  expect(() => planFromValues(wrong)).toThrow(PlanError);
  for (const words of ["sets a weight", "no metric of analysis.metrics is named nothing", "has no `pass`"]) {
    expect(() => planFromValues(wrong)).toThrow(words);
  }
});

test("the chart's own values take a bad release back within seconds", () => {
  const { plan } = planFromValues(values({ forgive: 4, pass: 0.025, fail: 0.025 }));
  const simulated = run(plan, buggy(0.2), 40);
  expect(simulated.ends.aborted.share).toBe(1);
  expect(simulated.seconds.aborted!.p99).toBeLessThan(30);
  expect(run(plan, healthy(), 40).ends.promoted.share).toBe(1);
});

// As they came out once, so that a change of the simulator shows. Those that a cluster saw are above.
test.each<[string, RolloutPlan, Scenario, seconds: number[], bad: number[]]>([
  ["thresholds, buggy 5 %", twoSteps, buggy(0.05), [573.38, 575.41, 577.73], [837, 885, 945]],
  ["thresholds, shared outage", twoSteps, sharedOutage(0.3, 200, 120), [211.45, 213.1, 214.99], [26, 39, 56]],
  ["the sequential engine, buggy 20 %", sequential, buggy(0.2), [5.66, 8.72, 12.33], [7, 10, 16]],
  ["the sequential engine, degrading", sequential, degrading(0.1, 600), [113.26, 153.05, 195.48], [18, 25, 58]],
])("%s with seed 1 comes out as before", (_, plan, scenario, expectedSeconds, expectedBad) => {
  const { ends, seconds, bad } = run(plan, scenario, 200);
  expect(ends.aborted.count).toBe(200);
  const { low, median, high } = seconds.aborted!;
  expect([low, median, high].map((value) => Number(value.toFixed(2)))).toEqual(expectedSeconds);
  expect([bad.low, bad.median, bad.high]).toEqual(expectedBad);
});
