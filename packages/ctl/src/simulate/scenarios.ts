import {
  plannedSeconds,
  type RecordedVersions,
  type RolloutPlan,
  type Scenario,
  scenarios,
} from "@safe-deploy/verdict";

/** Traffic and errors that are the same for every scenario. */
export interface Traffic {
  /** Of both versions together. */
  requestsPerSecond: number;
  /** Stable's usual share of bad requests, 0 to 1. */
  stable: number;
  /** Shares of bad requests of the buggy versions. */
  errors: number[];
}

export const scenarioNames = [
  "healthy",
  "buggy",
  "degrading",
  "flaky",
  "shared-outage",
  "low-traffic",
  "prometheus-gap",
] as const;

export type ScenarioName = (typeof scenarioNames)[number];

/** What goes wrong goes wrong a third into the rollout. */
const trouble = { share: 0.3, seconds: 120 };

/** The scenarios of a name, for a rollout that takes as long as this plan. */
export function scenariosOf(name: ScenarioName, plan: RolloutPlan, traffic: Traffic): Scenario[] {
  const { requestsPerSecond, stable, errors } = traffic;
  const planned = plannedSeconds(plan);
  const third = Math.round(planned / 3);
  switch (name) {
    case "healthy":
      return [scenarios.healthy(requestsPerSecond, stable)];
    case "buggy":
      return errors.map((share) => scenarios.buggy(share, requestsPerSecond, stable));
    case "degrading":
      return [scenarios.degrading(0.1, planned, requestsPerSecond, stable)];
    case "flaky":
      return [scenarios.flaky(trouble.share, requestsPerSecond, stable)];
    case "shared-outage":
      return [scenarios.sharedOutage(trouble.share, third, trouble.seconds, requestsPerSecond, stable)];
    case "low-traffic":
      return [scenarios.lowTraffic(0.5, stable)];
    case "prometheus-gap":
      return [scenarios.prometheusGap(third, trouble.seconds, requestsPerSecond, stable)];
  }
}

/** A recording: as it was where the canary was recorded too, else once healthy and once for each share of errors. */
export function replays(recorded: RecordedVersions, errors: readonly number[]): Scenario[] {
  const { stable, canary } = recorded;
  if (canary !== undefined) return [scenarios.replay(stable, { canary })];
  return [0, ...errors].map((more) => scenarios.replay(stable, { more }));
}
