import { quantileRanks } from "../intervals.ts";
import { type RolloutPlan, usualHorizonSeconds } from "./rollout-plan.ts";
import { buggy, healthy } from "./scenario.ts";
import { playRollouts, type Share, type Spread, summarize } from "./simulate.ts";

/** What is asked of a rollout's settings. */
export interface BudgetGoal {
  /** At most so many bad requests from a rollout's first to its end, or to the horizon where they go on. */
  budget: number;
  /** In so many of rollouts, 0 to 1. */
  confidence: number;
  /** For versions that fail at least this share of their requests, from the start. */
  faults: number;
  /** Of both versions together. */
  requestsPerSecond: number;
  /** Stable's usual share of bad requests. */
  stable: number;
  seed: number;
}

/** What faults of one share cost. */
export interface FaultCost {
  fault: number;
  /** Bad requests that are not exceeded with the asked confidence; the upper end of what the simulation leaves open. */
  bad: number;
  /** Whether that is within the budget. */
  kept: boolean;
}

export interface JudgedSettings {
  kept: boolean;
  /** Of each fault that was tried. */
  costs: FaultCost[];
  /** What the settings do to a version as good as stable. */
  good: { promoted: Share; falseAborts: Share; seconds: Spread | undefined };
}

const healthyEach = 500;

/** So many rollouts bound a quantile from above with 95 % confidence, with some to spare. */
const faultsEach = (confidence: number) => Math.max(2000, Math.ceil(4 / (1 - confidence)));

/**
 * Whether settings keep a budget, by simulation of whole rollouts, for each fault from the asked one to 100 %, each about
 * twice the one before. Kept is what leaves no doubt: the quantile's upper confidence limit is within the budget (95 %,
 * one-sided; Thompson 1936). One rollout at each step.
 */
export function* judgeSettings(plan: RolloutPlan, goal: BudgetGoal): Generator<void, JudgedSettings, void> {
  const { requestsPerSecond, stable, seed } = goal;
  const horizonSeconds = usualHorizonSeconds(plan);
  const costs: FaultCost[] = [];
  for (const fault of faultsFrom(goal.faults)) costs.push(yield* costOf(plan, fault, goal, horizonSeconds));
  const scenario = healthy(requestsPerSecond, stable);
  const options = { rollouts: healthyEach, seed, horizonSeconds };
  const good = summarize(plan, scenario, yield* playRollouts(plan, scenario, options), options);
  return {
    kept: costs.every(({ kept }) => kept),
    costs,
    good: { promoted: good.ends.promoted, falseAborts: good.ends.aborted, seconds: good.seconds.promoted },
  };
}

function* costOf(
  plan: RolloutPlan,
  fault: number,
  goal: BudgetGoal,
  horizonSeconds: number,
): Generator<void, FaultCost, void> {
  const { budget, confidence, requestsPerSecond, stable, seed } = goal;
  const rollouts = faultsEach(confidence);
  const options = { rollouts, seed, horizonSeconds };
  const outcomes = yield* playRollouts(plan, buggy(fault, requestsPerSecond, stable), options);
  const sorted = outcomes.map(({ badByHorizon }) => badByHorizon).toSorted((a, b) => a - b);
  const bad = sorted[quantileRanks(confidence, rollouts, 0.9).high - 1]!;
  return { fault, bad, kept: bad <= budget };
}

/** From a share to all requests, each about twice the one before. */
function faultsFrom(least: number): number[] {
  const steps = Math.max(1, Math.round(Math.log2(1 / least)));
  return least === 1 ? [1] : Array.from({ length: steps + 1 }, (_, index) => least ** (1 - index / steps));
}

/** A chart's metric that watches the share of bad requests, as `analysis.metrics` has it. */
export interface WatchValues {
  type: "errorRatio";
  forgive: number;
  doubt: number;
  pass: number;
  fail: number;
}

/**
 * Wald's sequential test of `faults` / 5 against `faults`, as bounds of the chart's metric: it fails with more than
 * `forgive` + `fail` x requests bad ones. Source: A. Wald, Sequential Analysis (1947), 5.3: the two parallel lines.
 */
export function watchFor(faults: number): WatchValues {
  const p1 = Math.min(faults, 0.5);
  const p0 = p1 / 5;
  const perBad = Math.log((p1 * (1 - p0)) / (p0 * (1 - p1)));
  const slope = Number((Math.log((1 - p0) / (1 - p1)) / perBad).toPrecision(2));
  // A good version is failed in fewer than 2 of 1,000 rollouts, a bad one is passed in fewer than 5 of 100.
  return {
    type: "errorRatio",
    forgive: Math.ceil(Math.log(1 / 0.002) / perBad),
    doubt: Math.ceil(Math.log(1 / 0.05) / perBad),
    pass: slope,
    fail: slope,
  };
}
