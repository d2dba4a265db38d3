import type { Observation, Sample } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { ABORT, DOWN, HOLD, UP } from "../src/actions.ts";
import { type AttemptMemory, beginAttempt, decide, look } from "../src/cluster/attempt.ts";
import { QNetwork } from "../src/dqn/q-network.ts";
import { featureNames, type Metrics } from "../src/features.ts";
import { AgentPolicy } from "../src/policies/agent-policy.ts";

const settings = { stepSeconds: 10, maxSteps: 100, sloLatencyMs: 200 };
const calm: Metrics = {
  errorRatio: 0,
  latencyMs: 50,
  cpu: 0.2,
  memory: 0.3,
  totalErrorRatio: 0,
  totalLatencyMs: 50,
  requestsPerSecond: 100,
};

/** A network whose values are these, whatever it sees. */
function wanting(...values: [hold: number, up: number, down: number, abort: number]): AgentPolicy {
  const network = new QNetwork([featureNames.length, 4]);
  network.parameters.set(values, network.parameters.length - 4);
  return new AgentPolicy(network, "advises");
}
const climber = wanting(0, 1, 0, 0);
const quitter = wanting(0.5, 1, 0, 2);

/** So many looks, five seconds apart, with so many requests each. */
function watch(
  memory: AttemptMemory,
  o: { weight: number; looks: number; requests: number; bad: number; from?: number; stable?: Partial<Sample> },
): AttemptMemory {
  const from = o.from ?? 0;
  let now = memory;
  for (let i = 1; i <= o.looks; i++) {
    const at = 1000 * (from + 5 * i);
    const sample = (version: "canary" | "stable", requests: number, errors: number): Sample => ({
      series: version,
      version,
      source: "app",
      at,
      startedAt: 0,
      requests,
      errors,
    });
    const samples = [sample("canary", i * o.requests, i * o.bad), sample("stable", i * o.requests * 9, 0)];
    const observation: Observation = { now: at, weight: o.weight, stableServes: true, samples };
    now = look(now, observation);
  }
  return now;
}

test("under a calm verdict the network's choice is what is done", () => {
  const memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  const { decision, memory: next } = decide(memory, calm, climber, settings);
  expect(decision).toMatchObject({ action: UP, wanted: UP, forced: false });
  expect(next).toMatchObject({ step: 1, stepsAtWeight: 1 });
});

test("a verdict of fail aborts whatever the network wants, and with no metrics at all", () => {
  const memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 6, requests: 50, bad: 10 });
  expect(memory.result?.verdict).toBe("fail");
  for (const metrics of [calm, undefined]) {
    expect(decide(memory, metrics, climber, settings).decision).toMatchObject({ action: ABORT, forced: true });
  }
  // It stays so after a restart of the agent, and after calm looks.
  const back = JSON.parse(JSON.stringify(memory)) as AttemptMemory;
  const later = watch(back, { weight: 10, looks: 10, requests: 500, bad: 0, from: 30 });
  expect(decide(later, calm, climber, settings).decision.action).toBe(ABORT);
});

test("its own wish to abort is told and counted, and the weight stays", () => {
  const memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  const { decision, memory: next } = decide(memory, calm, quitter, settings);
  expect(decision).toMatchObject({ action: HOLD, wanted: ABORT, forced: false });
  expect(decision.why).toContain("it would abort, which is advice only");
  expect(next.advisedAborts).toBe(1);
});

test("it gives requests back for a reason only", () => {
  const backer = wanting(0.5, 0, 1, 0);
  const good = watch(beginAttempt("a/1", settings, 0), { weight: 50, looks: 4, requests: 50, bad: 0 });
  expect(decide(good, calm, backer, settings).decision.action).toBe(HOLD);
  expect(decide(good, { ...calm, latencyMs: 250 }, backer, settings).decision.action).toBe(DOWN);
  const doubtful = watch(beginAttempt("a/1", settings, 0), { weight: 50, looks: 2, requests: 50, bad: 2 });
  expect(doubtful.result?.verdict).toBe("continue");
  expect(decide(doubtful, calm, backer, settings).decision.action).toBe(DOWN);
});

test("missing metrics hold the weight: they are never filled in", () => {
  const memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  const { decision } = decide(memory, undefined, climber, settings, "no histogram of durations grew");
  expect(decision).toMatchObject({ action: HOLD, wanted: HOLD, why: "no histogram of durations grew" });
  expect(decide(beginAttempt("a/1", settings, 0), calm, climber, settings).decision).toMatchObject({
    action: HOLD,
    why: "nothing has been seen yet",
  });
});

test("a verdict that cannot see holds, and at the end of its patience aborts", () => {
  let memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  const seen: number[] = [];
  for (let second = 25; second <= 200; second += 5) {
    const problems = ["http://10.0.0.1:8080/metrics: connect ECONNREFUSED"];
    memory = look(memory, { now: 1000 * second, weight: 10, stableServes: true, samples: [], problems });
    // The metrics of the last good step would lead on.
    seen.push(decide(memory, calm, climber, settings).decision.action);
  }
  expect(seen[0]).toBe(HOLD);
  expect(seen.at(-1)).toBe(ABORT);
  expect(seen.filter((action) => action !== HOLD && action !== ABORT)).toEqual([]);
  expect(memory.result?.reason).toContain("ECONNREFUSED");
});

test("samples that are no longer renewed are as good as none", () => {
  let memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  memory = look(memory, { now: 60_000, weight: 10, stableServes: true, samples: [] });
  expect(decide(memory, calm, climber, settings).decision).toMatchObject({ action: HOLD });
  expect(memory.result?.verdict).toBe("blind");
});

test("a slow version gets no more requests, and 100 % needs a pass", () => {
  const memory = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  const slow = decide(memory, { ...calm, latencyMs: 201 }, climber, settings).decision;
  expect(slow.action).toBe(HOLD);
  expect(slow.why).toContain("UP is vetoed: the version is slower than its objective");
  const early = watch(beginAttempt("a/1", settings, 0), { weight: 90, looks: 3, requests: 5, bad: 0 });
  expect(decide(early, calm, climber, settings).decision).toMatchObject({ action: HOLD });
  expect(decide(early, calm, climber, settings).decision.why).toContain("100 % needs the verdict's pass");
  const passed = watch(beginAttempt("a/1", settings, 0), { weight: 90, looks: 8, requests: 100, bad: 0 });
  expect(decide(passed, calm, climber, settings).decision.action).toBe(UP);
});

test("when all steps are over it leaves the decision to a person", () => {
  const memory = {
    ...watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 }),
    step: 100,
  };
  expect(decide(memory, calm, climber, settings).decision).toMatchObject({
    action: HOLD,
    why: "100 steps are over without a decision: a person has to promote or abort",
  });
});

test("the counts since a change of weight begin with it", () => {
  const first = watch(beginAttempt("a/1", settings, 0), { weight: 10, looks: 4, requests: 50, bad: 0 });
  const second = look(first, { now: 25_000, weight: 20, stableServes: true, samples: [] });
  expect(second.atWeightFrom).toEqual(first.verdict.totals.canary);
  expect(second.stepsAtWeight).toBe(0);
});
