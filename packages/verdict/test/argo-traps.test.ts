import { expect, test } from "vitest";
import { defaultPolicy } from "../src/policy.ts";
import { Random } from "../src/random.ts";
import type { Metric, RolloutPlan, Step } from "../src/simulator/rollout-plan.ts";
import { healthy, type Scenario } from "../src/simulator/scenario.ts";
import { simulateRollout } from "../src/simulator/simulate-rollout.ts";
import { evaluate, measure, startRun } from "../src/simulator/argo-analysis.ts";
import { metric as usual } from "./argo-metric.ts";

// A canary with half of the requests from second 0 on, a pause of a minute, and then what is tested. Nothing takes time
// but what the steps say, and times are noted exactly, so each moment can be worked out by hand.

const steps: Step[] = [{ setWeight: 50 }, { pauseSeconds: 60 }];
const metric: Metric = {
  ...usual,
  of: "canary",
  read: "growth",
  windowSeconds: 15,
  success: { operator: "<", limit: 0.01 },
  failure: { operator: ">=", limit: 0.5 },
  intervalSeconds: 20,
  count: 1,
};

function play(o: {
  gate?: Partial<Metric>[];
  background?: Partial<Metric>;
  fromStep?: number;
  canary?: (second: number) => number;
  gaps?: Scenario["gaps"];
  horizon?: number;
  clockSeconds?: number;
}) {
  const gate = (o.gate ?? []).map((changes) => ({ ...metric, ...changes }));
  const plan: RolloutPlan = {
    steps: [...steps, ...(gate.length === 0 ? [] : [{ analysis: gate }]), { setWeight: 100 }],
    background: {
      metrics: o.background === undefined ? [] : [{ ...metric, count: 0, ...o.background }],
      fromStep: o.fromStep ?? 1,
    },
    router: true,
    replicas: 2,
    surges: true,
    scrapeSeconds: 5,
    delay: { scaleUp: 0, reconcile: 0, router: 0 },
    clockSeconds: o.clockSeconds ?? 0,
    engine: "thresholds",
    sequential: { policy: defaultPolicy, gateSeconds: 300, askSeconds: 1 },
  };
  const scenario: Scenario = { ...healthy(100, 0), canary: o.canary ?? (() => 0), gaps: o.gaps ?? [] };
  const { end, seconds, weight, why, bad, badByHorizon } = simulateRollout(
    plan,
    scenario,
    new Random(1),
    o.horizon ?? 600,
  );
  return { end, seconds: Math.round(seconds * 1000) / 1000, weight, why, bad, badByHorizon };
}

const bad = () => 1;
const between = () => 0.1;

test("without an initial delay a gate measures at once; with one, so much later", () => {
  expect(play({ gate: [{}] })).toMatchObject({ end: "promoted", seconds: 60 });
  expect(play({ gate: [{ initialDelaySeconds: 45 }] })).toMatchObject({ end: "promoted", seconds: 105 });
  expect(play({ gate: [{ initialDelaySeconds: 45 }], canary: bad })).toMatchObject({ end: "aborted", seconds: 105 });
});

test("a count of three, 20 s apart, takes 40 s", () => {
  expect(play({ gate: [{ count: 3 }] })).toMatchObject({ end: "promoted", seconds: 100 });
});

test("a failure limit of two is exceeded by the third failure", () => {
  expect(play({ gate: [{ count: 5, failureLimit: 2 }], canary: bad })).toMatchObject({
    end: "aborted",
    seconds: 100,
    weight: 50,
    why: "a gate ended Failed",
  });
});

test("failures within the limit are forgotten when the count is reached", () => {
  // Measured at 60, 90, 120, 150, 180; the first two look back on bad requests only.
  const turnsGood = (second: number) => (second < 95 ? 1 : 0);
  const gate = { count: 5, intervalSeconds: 30 };
  expect(play({ gate: [{ ...gate, failureLimit: 2 }], canary: turnsGood })).toMatchObject({
    end: "promoted",
    seconds: 180,
  });
  expect(play({ gate: [{ ...gate, failureLimit: 1 }], canary: turnsGood })).toMatchObject({
    end: "aborted",
    seconds: 90,
  });
});

test("a Prometheus that is away aborts at the fifth error, 10 s apart whatever the interval", () => {
  const gaps = [{ from: 60, to: 1000 }];
  expect(play({ gate: [{ intervalSeconds: 30 }], gaps })).toMatchObject({
    end: "aborted",
    seconds: 100,
    why: "a gate ended Error",
  });
  expect(play({ gate: [{ intervalSeconds: 30, consecutiveErrorLimit: 1 }], gaps })).toMatchObject({ seconds: 70 });
});

test("errors are not counted, and an answer in between begins their count anew", () => {
  // Errors at 60, 70, 80, 90; an answer at 100; errors at 130, 140, 150, 160; an answer at 170.
  const gaps = [
    { from: 60, to: 95 },
    { from: 125, to: 165 },
  ];
  expect(play({ gate: [{ count: 2, intervalSeconds: 30 }], gaps })).toMatchObject({ end: "promoted", seconds: 170 });
});

test("an inconclusive gate pauses at its weight for ever, and what is bad goes on", () => {
  const stuck = play({ gate: [{}], canary: between, horizon: 660 });
  expect(stuck).toMatchObject({ end: "paused", seconds: 60, weight: 50, why: "a gate is inconclusive" });
  // 50 requests/s, a tenth bad: 5 a second, for 60 s and for 660 s; within six standard deviations.
  expect(Math.abs(stuck.bad - 300)).toBeLessThan(6 * Math.sqrt(300));
  expect(Math.abs(stuck.badByHorizon - 3300)).toBeLessThan(6 * Math.sqrt(3300));
});

test("two inconclusive measurements are tolerated by a limit of two, the third is not", () => {
  expect(play({ gate: [{ count: 5, inconclusiveLimit: 2 }], canary: between })).toMatchObject({
    end: "paused",
    seconds: 100,
  });
});

test("an inconclusive background holds the rollout when its pause is over, and no gate is asked", () => {
  expect(play({ background: { initialDelaySeconds: 10 }, gate: [{}], canary: between })).toMatchObject({
    end: "paused",
    seconds: 60,
    why: "the background analysis is inconclusive",
  });
});

test("an inconclusive background holds a gate that would have failed later", () => {
  const turnsWorse = (second: number) => (second < 75 ? 0.1 : 1);
  expect(
    play({ background: { initialDelaySeconds: 70 }, gate: [{ initialDelaySeconds: 40 }], canary: turnsWorse }),
  ).toMatchObject({ end: "paused", seconds: 70, weight: 50 });
});

test("a background that was never measured ends with the rollout and promotes a bad version", () => {
  expect(play({ background: { initialDelaySeconds: 61 }, canary: bad })).toMatchObject({
    end: "promoted",
    seconds: 60,
  });
});

test("a background takes back in the middle of a pause, and is too late after the last step", () => {
  // With a limit of one the second failure takes back: at 5 + 50, or at 5 + 60.
  const background = { initialDelaySeconds: 5, failureLimit: 1 };
  expect(play({ background: { ...background, intervalSeconds: 50 }, canary: bad })).toMatchObject({
    end: "aborted",
    seconds: 55,
    why: "the background analysis ended Failed",
  });
  expect(play({ background: { ...background, intervalSeconds: 60 }, canary: bad })).toMatchObject({
    end: "promoted",
    seconds: 60,
  });
});

test("a background begins with its starting step", () => {
  const late = { background: { initialDelaySeconds: 5 }, gate: [{ count: 1, initialDelaySeconds: 30 }], canary: bad };
  expect(play({ ...late, fromStep: 1 })).toMatchObject({ end: "aborted", seconds: 5 });
  expect(play({ ...late, fromStep: 2 })).toMatchObject({ end: "aborted", seconds: 65 });
});

test("a gate waits for its slowest metric, and ends with its first bad one", () => {
  const slow = { name: "slow", count: 3 };
  expect(play({ gate: [{}, slow] })).toMatchObject({ end: "promoted", seconds: 100 });
  const strict = {
    name: "strict",
    success: { operator: "<", limit: 0.05 },
    failure: { operator: ">=", limit: 0.05 },
  } as const;
  const lenient = { ...slow, success: { operator: "<", limit: 0.5 } } as const;
  expect(play({ gate: [lenient, strict], canary: between })).toMatchObject({ end: "aborted", seconds: 60 });
});

test("successes in a row end a gate early", () => {
  expect(play({ gate: [{ count: 9, consecutiveSuccessLimit: 2 }] })).toMatchObject({ end: "promoted", seconds: 80 });
});

test("too few successes in a row are inconclusive beside a failure limit, and a failure where it is switched off", () => {
  const end = (changes: Partial<Metric>) => {
    const [run] = startRun([{ ...metric, count: 3, consecutiveSuccessLimit: 2, ...changes }], 0);
    for (const answer of [0, 1, 0]) measure(run!, answer, run!.nextAt);
    return run!.phase;
  };
  expect(end({ failureLimit: 1 })).toBe("Inconclusive");
  expect(end({ failureLimit: -1 })).toBe("Failed");
});

test("within a metric an error outranks an inconclusive end, and that a failure", () => {
  const end = (answers: Parameters<typeof measure>[1][], changes: Partial<Metric>) => {
    const [run] = startRun([{ ...metric, count: 9, ...changes }], 0);
    for (const answer of answers) measure(run!, answer, run!.nextAt);
    return run!.phase;
  };
  expect(end([0.1], { inconclusiveLimit: 0 })).toBe("Inconclusive");
  expect(end([0.1, 1], { inconclusiveLimit: 1 })).toBe("Failed");
  expect(end([0.1, "empty"], { inconclusiveLimit: 1, consecutiveErrorLimit: 0 })).toBe("Error");
});

test("no requests at all: NaN passes a failure condition alone, and an empty vector passes none", () => {
  const failsOnly: Metric = { ...usual, failure: { operator: ">=", limit: 0.05 } };
  expect(evaluate(failsOnly, Number.NaN)).toBe("Successful");
  expect(evaluate(failsOnly, "empty")).toBe("Error");
  expect(
    evaluate({ ...failsOnly, guarded: true, success: { operator: ">=", limit: 0.05, negated: true } }, "empty"),
  ).toBe("Inconclusive");
});

test("a gate of what is not simulated takes its time and passes, also while Prometheus is away", () => {
  const job = { value: "good", initialDelaySeconds: 7 } as const;
  expect(play({ gate: [job], canary: bad, gaps: [{ from: 0, to: 600 }] })).toMatchObject({
    end: "promoted",
    seconds: 67,
  });
});

test("times noted in whole seconds end a pause sooner by what the start's lacked, and what follows keeps its distance", () => {
  const { seconds } = play({ gate: [{ count: 3 }], clockSeconds: 1 });
  expect(seconds).toBeGreaterThan(99);
  expect(seconds).toBeLessThan(100);
  // The clock ticks at most five seconds before the start: from there, one minute and twice twenty seconds.
  const coarse = play({ gate: [{ count: 3 }], clockSeconds: 5 });
  expect(coarse.seconds).toBeGreaterThan(95);
  expect(coarse.seconds).toBeLessThan(100);
  const delayed = play({ gate: [{ initialDelaySeconds: 45 }], clockSeconds: 5 });
  expect(delayed.seconds - coarse.seconds).toBeCloseTo(5, 6);
});
