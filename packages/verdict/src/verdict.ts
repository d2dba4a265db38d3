import { divideAlpha } from "./alpha.ts";
import { blindness } from "./blind.ts";
import { type Added, count, type Counters, type Increment, nothingAdded } from "./counters.ts";
import {
  type CountingTest,
  countingTest,
  type FailedBy,
  type Look,
  newTestState,
  recentBoundary,
  requestsMissing,
  rulesOutBad,
  take,
  type TestState,
  weightChanged,
} from "./counting-test.ts";
import { logMixture } from "./count-mixture.ts";
import type { Observation } from "./observation.ts";
import { checkPolicy, type Plan, type Policy } from "./policy.ts";
import * as reasons from "./reasons.ts";

/**
 * - `pass`: every rule rules out its p1 at beta, on the requests since the last change of weight.
 * - `fail`: a rule, hard evidence, or blindness past its deadline. It stays.
 * - `continue`: not enough evidence yet.
 * - `inconclusive`: not enough evidence, and the gate's time is over.
 * - `blind`: what is needed to judge cannot be seen.
 */
export type Verdict = "pass" | "fail" | "continue" | "inconclusive" | "blind";

/** The evidence of one rule against its boundaries, in nats: what a page draws. */
export interface RuleEvidence {
  rule: string;
  /** Absent for a rule that only compares. */
  absolute?: { fromStart: number | null; recent: number };
  /** Absent while there is nothing to compare with. */
  relative?: { fromStart: number | null; recent: number };
  boundaries: { fromStart: number; recent: number };
  /** Since the last change of weight: it passes once at or below its boundary. */
  gate: { score: number; boundary: number; requests: number; bad: number; missing: number };
}

export interface Result {
  verdict: Verdict;
  /** In plain words: what, by which evidence, and what it means. */
  reason: string;
  /** The rule that decided, `hard evidence`, `blind`, or the one furthest from passing. */
  rule: string;
  /** The evidence that decided, its boundary, and the requests and bad requests that it rests on. */
  statistic: number;
  boundary: number;
  n: number;
  k: number;
  /** How many requests without a bad one are missing for a pass. */
  missing: number;
  /** Bad requests more than stable would have had, so far; `of` is the budget. */
  spent: { bad: number; of?: number };
  evidence: RuleEvidence[];
}

/** Everything an attempt remembers. Plain data: it survives a round trip through JSON. */
export interface State {
  schemaVersion: 1;
  /** Names the attempt: a retry is another one, with an alpha of its own. */
  attempt: string;
  policy: Policy;
  plan: Plan;
  startedAt: number;
  lastNow: number;
  weight: number;
  weightSince: number;
  counters: Counters;
  tests: TestState[];
  /** For each rule what stable added since the canary's last sample. */
  unpaired: Added[];
  /** All requests and bad requests of the first rule since the start. */
  totals: { canary: { requests: number; bad: number }; stable: { requests: number; bad: number } };
  blindSince: number | null;
  failed: Result | null;
}

/**
 * Begins an attempt.
 *
 * @param at milliseconds since the epoch, by the clock that stamps the samples.
 * @throws PolicyError listing everything that the policy or the plan cannot keep.
 */
export function start(attempt: string, policy: Policy, plan: Plan, at: number): State {
  checkPolicy(policy, plan);
  return {
    schemaVersion: 1,
    attempt,
    policy,
    plan,
    startedAt: at,
    lastNow: at,
    weight: 0,
    weightSince: at,
    counters: { series: {} },
    tests: policy.rules.map(newTestState),
    unpaired: policy.rules.map(nothingAdded),
    totals: { canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } },
    blindSince: null,
    failed: null,
  };
}

/** One look: the same state and observation always give the same answer, and neither is changed. */
export function step(before: State, observation: Observation): { state: State; result: Result } {
  if (before.failed !== null) return { state: before, result: before.failed };
  const state = structuredClone(before);
  const { policy } = state;
  const { now } = observation;
  const tests = testsOf(state);

  if (observation.weight !== state.weight) {
    state.weight = observation.weight;
    state.weightSince = now;
    for (const [index, test] of tests.entries()) weightChanged(test, state.tests[index]!);
  }
  const counted = count(state.counters, observation.samples, observation.gone ?? [], {
    rules: policy.rules,
    since: state.startedAt,
    now,
    warmUpMs: policy.warmUpSeconds * 1000,
    staleMs: policy.staleSeconds * 1000,
    align: observation.stableServes && policy.rules.some((rule) => rule.relative !== undefined),
  });
  addTotals(state, counted.increments[0]!);

  const failures = tests.map((test, index) =>
    take(test, state.tests[index]!, lookOf(state, index, counted.increments[index]!, now), observation.stableServes),
  );
  const result = decide(state, tests, failures, observation, [...(observation.problems ?? []), ...counted.problems], {
    clockWentBack: now < state.lastNow,
    seen: counted.seen,
  });
  state.lastNow = Math.max(state.lastNow, now);
  if (result.verdict === "fail") state.failed = result;
  return { state, result };
}

function decide(
  state: State,
  tests: readonly CountingTest[],
  failures: readonly (FailedBy | undefined)[],
  observation: Observation,
  problems: readonly string[],
  sight: { clockWentBack: boolean; seen: { canary: number | undefined; stable: number | undefined } },
): Result {
  const { policy, plan } = state;
  const { now } = observation;
  const common = { spent: spentOf(state), evidence: evidenceOf(state, tests), missing: 0 };

  const incident = observation.incidents?.find(({ kind }) => policy.hardEvidence.includes(kind));
  if (incident !== undefined) {
    const n = state.totals.canary.requests;
    const k = state.totals.canary.bad;
    const reason = reasons.hardEvidence(incident);
    return { ...common, verdict: "fail", rule: "hard evidence", reason, statistic: 1, boundary: 1, n, k };
  }

  const failed = failures.findIndex((failure) => failure !== undefined);
  if (failed >= 0) return { ...common, ...failure(state, tests[failed]!, state.tests[failed]!, failures[failed]!) };

  const blind = blindness(observation, sight, problems, policy);
  if (blind !== undefined) {
    // Where the clock goes back, the time before that is lost; the deadline is not.
    state.blindSince = Math.min(state.blindSince ?? now, now);
    const seconds = (now - state.blindSince) / 1000;
    const over = seconds >= policy.blind.seconds;
    return {
      ...common,
      verdict: over ? policy.blind.atDeadline : "blind",
      rule: "blind",
      reason: reasons.blind(blind, seconds, policy.blind),
      statistic: seconds,
      boundary: policy.blind.seconds,
      n: state.totals.canary.requests,
      k: state.totals.canary.bad,
    };
  }
  state.blindSince = null;

  const open = tests.findIndex((test, index) => !rulesOutBad(test, state.tests[index]!));
  if (open < 0) {
    const gate = state.tests[0]!.gate;
    const n = gate.requests;
    const k = gate.bad;
    const reason = reasons.pass(tests, state.tests, observation.stableServes, policy.beta);
    const { score: statistic } = gate;
    const boundary = tests[0]!.gateBoundary;
    return { ...common, verdict: "pass", rule: tests[0]!.rule.name, reason, statistic, boundary, n, k };
  }
  const test = tests[open]!;
  const memory = state.tests[open]!;
  const missing = requestsMissing(test, memory);
  const over = now - state.weightSince >= plan.gateSeconds * 1000;
  const { requests: n, bad: k } = memory.gate;
  const statistic = test.rule.absolute === undefined ? memory.gate.comparison : memory.gate.score;
  const reason = reasons.open(test, memory, missing, over ? plan.gateSeconds : undefined);
  const verdict = over ? "inconclusive" : "continue";
  return { ...common, verdict, rule: test.rule.name, reason, statistic, boundary: test.gateBoundary, n, k, missing };
}

function failure(state: State, test: CountingTest, memory: TestState, by: FailedBy) {
  const window = by === "fromStart" ? memory.fromStart : memory.recent;
  const boundary = by === "fromStart" ? test.boundaries.sprt : recentBoundary(test, memory);
  return {
    verdict: "fail" as const,
    rule: test.rule.name,
    reason: reasons.fail(test, memory, by, state),
    statistic: window.score,
    boundary,
    n: window.requests,
    k: window.bad,
  };
}

function testsOf({ policy, plan }: State): CountingTest[] {
  const boundaries = divideAlpha(policy, plan);
  return policy.rules.map((rule, index) => countingTest(rule, boundaries[index]!, plan, policy));
}

function lookOf(state: State, index: number, { canary, stable: fresh }: Increment, now: number): Look {
  const { bad } = state.policy.rules[index]!;
  const stable = pairUp(state, index, canary, fresh);
  if (bad.kind === "silence") return silenceOf(state, bad.settleSeconds, { canary, stable }, now);
  return {
    requests: canary.requests,
    bad: canary.bad,
    paired: {
      canaryRequests: canary.requests - canary.warmRequests,
      canaryBad: canary.bad - canary.warmBad,
      stableRequests: stable.requests - stable.warmRequests,
      stableBad: stable.bad - stable.warmBad,
    },
  };
}

/**
 * Pods are scraped at moments of their own, so a look may see stable's samples alone. What they add waits for the
 * canary's next: compared are counts over the same time.
 */
function pairUp(state: State, index: number, canary: Added, fresh: Added): Added {
  const stable = state.unpaired[index]!;
  for (const key of ["requests", "bad", "warmRequests", "warmBad", "samples"] as const) stable[key] += fresh[key];
  if (canary.samples === 0) return nothingAdded();
  state.unpaired[index] = nothingAdded();
  return stable;
}

/** The versions' weights in place of their requests, their answers in place of bad ones, and the versions swapped. */
function silenceOf(state: State, settleSeconds: number, { canary, stable }: Increment, now: number): Look {
  const settled = now - state.weightSince >= settleSeconds * 1000;
  const counts = settled && canary.samples > 0 && state.weight > 0 && state.weight < 100;
  return {
    requests: counts ? canary.requests + stable.requests : 0,
    bad: counts ? canary.requests : 0,
    paired: {
      canaryRequests: counts ? 100 - state.weight : 0,
      canaryBad: counts ? stable.requests - stable.warmRequests : 0,
      stableRequests: counts ? state.weight : 0,
      stableBad: counts ? canary.requests - canary.warmRequests : 0,
    },
  };
}

function addTotals({ totals }: State, { canary, stable }: Increment): void {
  totals.canary.requests += canary.requests;
  totals.canary.bad += canary.bad;
  totals.stable.requests += stable.requests;
  totals.stable.bad += stable.bad;
}

function spentOf({ totals: { canary, stable }, policy }: State): Result["spent"] {
  const expected = stable.requests === 0 ? 0 : (canary.requests * stable.bad) / stable.requests;
  const bad = Math.max(0, canary.bad - expected);
  return policy.budget === undefined ? { bad } : { bad, of: policy.budget };
}

function evidenceOf(state: State, tests: readonly CountingTest[]): RuleEvidence[] {
  return tests.map((test, index) => {
    const { fromStart, recent, gate, compared } = state.tests[index]!;
    const only = test.rule.absolute === undefined;
    return {
      rule: test.rule.name,
      ...(only ? {} : { absolute: { fromStart: fromStart.retired ? null : fromStart.score, recent: recent.score } }),
      ...(compared
        ? {
            relative: {
              fromStart: fromStart.retired ? null : logMixture(fromStart.evidence),
              recent: logMixture(recent.evidence),
            },
          }
        : {}),
      boundaries: { fromStart: test.boundaries.sprt, recent: recentBoundary(test, state.tests[index]!) },
      gate: {
        score: only ? gate.comparison : gate.score,
        boundary: test.gateBoundary,
        requests: gate.requests,
        bad: gate.bad,
        missing: requestsMissing(test, state.tests[index]!),
      },
    };
  });
}
