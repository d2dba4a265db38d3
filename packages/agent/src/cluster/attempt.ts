import {
  countingTest,
  defaultPolicy,
  divideAlpha,
  type Observation,
  type Plan,
  type Policy,
  type Result,
  start,
  type State,
  step as lookAt,
} from "@safe-deploy/verdict";
import { ABORT, type Action, actionNames, fullWeight, HOLD, setOf, UP, weightAfter } from "../actions.ts";
import { evidenceOf } from "../evidence.ts";
import type { Metrics, Situation } from "../features.ts";
import { allowedIn } from "../shield.ts";
import type { AgentPolicy } from "../policies/agent-policy.ts";

/** What an agent remembers of one attempt to roll out. Plain data: it survives a restart of the agent as JSON. */
export interface AttemptMemory {
  schemaVersion: 1;
  verdict: State;
  result: Result | null;
  /** Decisions so far, and since the weight changed last. */
  step: number;
  stepsAtWeight: number;
  weight: number;
  /** The version's counts when the weight changed last. */
  atWeightFrom: { requests: number; bad: number };
  /** How often it told to abort although the verdict did not. */
  advisedAborts: number;
}

export interface AttemptSettings {
  stepSeconds: number;
  maxSteps: number;
  sloLatencyMs: number;
}

export interface Decision {
  /** What is to be done. */
  action: Action;
  /** What the agent would do if nothing but the verdict limited it. */
  wanted: Action;
  /** Whether the verdict left no choice. */
  forced: boolean;
  why: string;
}

/** Looks at the counters between two decisions: twice a step. */
export const looksPerStep = 2;

/** The policy of the sequential tests; samples are looked for longer than a step before they count as gone. */
export function policyOf({ stepSeconds }: AttemptSettings): Policy {
  return { ...defaultPolicy, staleSeconds: Math.max(defaultPolicy.staleSeconds, 3 * stepSeconds) };
}

/** What its looks and its time are for the sequential tests. */
export function planOf({ stepSeconds, maxSteps }: AttemptSettings): Plan {
  const lookSeconds = stepSeconds / looksPerStep;
  const horizonSeconds = maxSteps * stepSeconds;
  return { pollSeconds: lookSeconds, scrapeSeconds: lookSeconds, horizonSeconds, gateSeconds: horizonSeconds };
}

/** Begins an attempt. @param at milliseconds since the epoch. */
export function beginAttempt(name: string, settings: AttemptSettings, at: number): AttemptMemory {
  return {
    schemaVersion: 1,
    verdict: start(name, policyOf(settings), planOf(settings), at),
    result: null,
    step: 0,
    stepsAtWeight: 0,
    weight: 0,
    atWeightFrom: { requests: 0, bad: 0 },
    advisedAborts: 0,
  };
}

/** Takes one look into the memory. Pure. */
export function look(memory: AttemptMemory, observation: Observation): AttemptMemory {
  const isNewWeight = observation.weight !== memory.weight;
  const { state, result } = lookAt(memory.verdict, observation);
  return {
    ...memory,
    verdict: state,
    result,
    weight: observation.weight,
    ...(isNewWeight ? { stepsAtWeight: 0, atWeightFrom: { ...memory.verdict.totals.canary } } : {}),
  };
}

/**
 * Decides at the end of a step, while the Rollout waits at a weight. Pure.
 *
 * What is missing is never filled in: without the metrics of this step, or with a verdict that cannot see, nothing is
 * asked of the network, and the weight stays. The verdict's own rule says when blindness has lasted too long: it then
 * becomes `fail`, and that an abort.
 *
 * @param metrics undefined when something of them could not be read; `missing` says what.
 */
export function decide(
  memory: AttemptMemory,
  metrics: Metrics | undefined,
  agent: AgentPolicy,
  settings: AttemptSettings,
  missing = "the metrics of this step are missing",
): { memory: AttemptMemory; decision: Decision } {
  const next = { ...memory, step: memory.step + 1, stepsAtWeight: memory.stepsAtWeight + 1 };
  const hold = (why: string): { memory: AttemptMemory; decision: Decision } => ({
    memory: next,
    decision: { action: HOLD, wanted: HOLD, forced: true, why },
  });
  const { result } = memory;
  if (result === null) return hold("nothing has been seen yet");
  if (result.verdict === "fail") {
    return { memory: next, decision: { action: ABORT, wanted: ABORT, forced: true, why: result.reason } };
  }
  if (result.verdict === "blind") return hold(result.reason);
  if (memory.step >= settings.maxSteps) {
    return hold(`${settings.maxSteps} steps are over without a decision: a person has to promote or abort`);
  }
  if (metrics === undefined) return hold(missing);

  const situation = situationOf(memory, metrics, settings);
  const isSlow = metrics.latencyMs > settings.sloLatencyMs;
  const allowed = allowedIn(situation);
  const action = agent.choose(situation, allowed);
  const wanted = agent.advisesAbort ? ABORT : action;
  if (agent.advisesAbort) next.advisedAborts++;
  const values = [...agent.values(situation)].map((value, i) => `${actionNames[i]} ${value.toFixed(2)}`).join(", ");
  const vetoed =
    (allowed & setOf(UP)) === 0 && memory.weight < fullWeight ? `; UP is vetoed: ${vetoOf(memory, isSlow)}` : "";
  const advice = wanted === action ? "" : "; it would abort, which is advice only";
  return {
    memory: next,
    decision: {
      action,
      wanted,
      forced: false,
      why: `values ${values}${vetoed}${advice}; verdict ${result.verdict}: ${result.reason}`,
    },
  };
}

function vetoOf({ weight, result }: AttemptMemory, isSlow: boolean): string {
  if (isSlow) return "the version is slower than its objective";
  return weightAfter(weight, UP) === fullWeight && result?.verdict !== "pass"
    ? "100 % needs the verdict's pass"
    : "half of what fails a version has been seen";
}

function situationOf(memory: AttemptMemory, metrics: Metrics, settings: AttemptSettings): Situation {
  const { policy, plan, tests, totals } = memory.verdict;
  const test = countingTest(policy.rules[0]!, divideAlpha(policy, plan)[0]!, plan, policy);
  return {
    metrics,
    sloLatencyMs: settings.sloLatencyMs,
    weight: memory.weight,
    stepsAtWeight: memory.stepsAtWeight,
    step: memory.step,
    horizon: settings.maxSteps,
    total: { ...totals.canary },
    atWeight: {
      requests: totals.canary.requests - memory.atWeightFrom.requests,
      bad: totals.canary.bad - memory.atWeightFrom.bad,
    },
    evidence: evidenceOf(test, tests[0]!),
    verdict: memory.result!.verdict,
    stableServes: memory.weight < fullWeight,
  };
}
