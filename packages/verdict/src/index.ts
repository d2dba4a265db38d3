export { type Boundaries, divideAlpha } from "./alpha.ts";
export { askBudget, type BudgetAnswer, type BudgetQuestion, type Cost, type Delay } from "./budget.ts";
export { type BurstEstimate, estimateBursts } from "./bursts.ts";
export type { Counters, Increment } from "./counters.ts";
export {
  type CountingTest,
  countingTest,
  type FailedBy,
  type Look,
  newTestState,
  recentBoundary,
  rulesOutBad,
  take,
  type TestState,
  weightChanged,
} from "./counting-test.ts";
export { logMixture, type PairedCounts } from "./count-mixture.ts";
export { type Crossing, expectedComparison, expectedCrossing, expectedDelay } from "./expectation.ts";
export { clopperPearson, type Interval, type QuantileInterval, quantileRanks } from "./intervals.ts";
export { isDeclared, missingOf, readExposition, type Series } from "./exposition.ts";
export { BucketBoundError, countSlower } from "./latency.ts";
export type { Observation, Sample, Version } from "./observation.ts";
export {
  type Bad,
  checkPolicy,
  defaultPolicy,
  type HardEvidence,
  type Plan,
  type Policy,
  PolicyError,
  type Rule,
} from "./policy.ts";
export { Random } from "./random.ts";
export {
  defaultAssumptions,
  type MetricValues,
  type PlanAssumptions,
  PlanError,
  planFromValues,
  type RolloutValues,
} from "./simulator/plan-from-values.ts";
export {
  type BudgetGoal,
  type FaultCost,
  type JudgedSettings,
  judgeSettings,
  watchFor,
  type WatchValues,
} from "./simulator/find-settings.ts";
export type { Move, SteeredRollout, Steering } from "./simulator/steering.ts";
export {
  readRecording,
  type RecordedVersions,
  RecordingError,
  type RecordingLabels,
} from "./simulator/prometheus-recording.ts";
export {
  type Condition,
  type Metric,
  plannedSeconds,
  type RolloutPlan,
  shareAt,
  type Step,
  usualHorizonSeconds,
} from "./simulator/rollout-plan.ts";
export * as scenarios from "./simulator/scenario.ts";
export type { Recording, Scenario } from "./simulator/scenario.ts";
export {
  finish,
  playRollouts,
  simulate,
  type Simulation,
  type SimulationOptions,
  type Share,
  type Spread,
  summarize,
} from "./simulator/simulate.ts";
export { type Outcome, simulateRollout } from "./simulator/simulate-rollout.ts";
export { breakEvenRatio, divergence, type Hypotheses, logLikelihoodRatio, requestsToReject } from "./sprt.ts";
export { type Result, type RuleEvidence, start, type State, step, type Verdict } from "./verdict.ts";
