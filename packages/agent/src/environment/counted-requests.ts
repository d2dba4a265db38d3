import { type Random, type Scenario, scenarios } from "@safe-deploy/verdict";
import { defaultStepSeconds } from "../cost.ts";
import type { Metrics } from "../features.ts";
import { RandomResources } from "./random-resources.ts";
import { drawOne, type Environment, type Served, type Truth } from "./truth.ts";

/** From which rollouts are drawn. Training and evaluation share no value, so that nothing can be learned by heart. */
export interface Ranges {
  requestsPerSecond: readonly number[];
  /** Stable's share of bad requests. */
  stable: readonly number[];
  /** A bad version's share of bad requests. */
  errors: readonly number[];
}

export const trainingRanges: Ranges = {
  requestsPerSecond: [20, 40, 80, 160, 320],
  stable: [0, 0.001, 0.003],
  errors: [0.02, 0.04, 0.08, 0.16, 0.32, 0.8],
};

export const heldOutRanges: Ranges = {
  requestsPerSecond: [30, 60, 120, 240, 480],
  stable: [0.0005, 0.002, 0.004],
  errors: [0.03, 0.06, 0.12, 0.24, 0.5, 1],
};

const frequencies = [
  ["healthy", 0.5],
  ["buggy", 0.2],
  ["degrading", 0.12],
  ["flaky", 0.08],
  ["shared outage", 0.1],
] as const;
type ScenarioName = (typeof frequencies)[number][0];

/**
 * The scenarios of the simulator of rollouts, in which the requests of two versions are counted, looked at every five
 * seconds, and follow a decision two seconds later.
 */
export function countedRequests(name: string, ranges: Ranges): Environment {
  return {
    name,
    scenarios: frequencies.map(([known]) => known),
    draw(random, wanted) {
      const known = frequencies.find(([scenario]) => scenario === wanted)?.[0];
      if (wanted !== undefined && known === undefined) throw new RangeError(`no scenario ${wanted}`);
      const scenario = known ?? drawOne(random, frequencies);
      return new CountedVersion(scenario, scenarioOf(scenario, ranges, random), random);
    },
  };
}

function scenarioOf(name: ScenarioName, ranges: Ranges, random: Random): Scenario {
  const any = (values: readonly number[]) => values[Math.floor(random.uniform() * values.length)]!;
  const rate = any(ranges.requestsPerSecond);
  const stable = any(ranges.stable);
  switch (name) {
    case "healthy":
      return scenarios.healthy(rate, stable);
    case "buggy":
      return scenarios.buggy(any(ranges.errors), rate, stable);
    case "degrading":
      return scenarios.degrading(any(ranges.errors), 200 + 600 * random.uniform(), rate, stable);
    case "flaky":
      return scenarios.flaky(any(ranges.errors), rate, stable);
    case "shared outage":
      return scenarios.sharedOutage(any(ranges.errors), 200 * random.uniform(), 120, rate, stable);
  }
}

class CountedVersion implements Truth {
  readonly scenario: string;
  readonly good: boolean;
  readonly hasStable = true;
  readonly lookSeconds = 5;
  readonly scrapeSeconds = 5;
  readonly delaySeconds = 2;
  readonly #truth: Scenario;
  readonly #resources: RandomResources;

  constructor(name: string, truth: Scenario, random: Random) {
    this.scenario = name;
    this.good = truth.good;
    this.#truth = truth;
    this.#resources = new RandomResources(random);
  }

  serve(second: number, seconds: number, weight: number, random: Random, into: Served): void {
    const middle = second + seconds / 2;
    const requests = this.#truth.requestsPerSecond(middle) * seconds;
    const canary = (requests * weight) / 100;
    const ratio = this.#truth.canary(middle);
    const stableRatio = this.#truth.stable(middle);
    const bad = random.poisson(canary * ratio);
    into.bad += bad;
    into.requests += bad + random.poisson(canary * (1 - ratio));
    const stableBad = random.poisson((requests - canary) * stableRatio);
    into.stableBad += stableBad;
    into.stableRequests += stableBad + random.poisson((requests - canary) * (1 - stableRatio));
    into.excess += canary * Math.max(0, ratio - stableRatio);
  }

  metrics(_second: number, weight: number, served: Served, random: Random): Metrics {
    return this.#resources.metrics(weight, served, defaultStepSeconds, random);
  }
}
