import type { Random } from "@safe-deploy/verdict";
import type { Metrics } from "../features.ts";
import { drawOne, type Environment, type Served, type Truth } from "./truth.ts";

/** A version is good, or it fails a known share of its requests from the start: nothing else is unknown. */
export interface TwoVersions {
  requestsPerSecond: number;
  /** Share of bad requests of stable and of a good version, and of a bad one. */
  good: number;
  bad: number;
  /** How many of the versions are bad. */
  badShare: number;
  delaySeconds: number;
}

export const smallProblem: TwoVersions = {
  requestsPerSecond: 100,
  good: 0.002,
  bad: 0.05,
  badShare: 0.25,
  delaySeconds: 2,
};

/** How many requests a version has in a stretch of time: not by chance, so that an exact bound can be computed. */
export function requestsIn({ requestsPerSecond }: TwoVersions, seconds: number, weight: number): number {
  return Math.round((requestsPerSecond * seconds * weight) / 100);
}

/** The version of the problem that is small enough for the best policy to be computed: see dynamic-program.ts. */
export function twoVersions(problem: TwoVersions): Environment {
  return {
    name: "small",
    scenarios: ["healthy", "buggy"],
    draw(random, scenario) {
      const { badShare } = problem;
      const name =
        scenario ??
        drawOne(random, [
          ["healthy", 1 - badShare],
          ["buggy", badShare],
        ]);
      return new OneOfTwo(problem, name);
    },
  };
}

class OneOfTwo implements Truth {
  readonly scenario: string;
  readonly good: boolean;
  readonly hasStable = true;
  readonly lookSeconds = 5;
  readonly scrapeSeconds = 5;
  readonly delaySeconds: number;
  readonly #problem: TwoVersions;

  constructor(problem: TwoVersions, scenario: string) {
    this.scenario = scenario;
    this.good = scenario === "healthy";
    this.delaySeconds = problem.delaySeconds;
    this.#problem = problem;
  }

  serve(_second: number, seconds: number, weight: number, random: Random, into: Served): void {
    const { good, bad } = this.#problem;
    const ratio = this.good ? good : bad;
    const requests = requestsIn(this.#problem, seconds, weight);
    const stable = requestsIn(this.#problem, seconds, 100 - weight);
    into.requests += requests;
    into.bad += random.binomial(requests, ratio);
    into.stableRequests += stable;
    into.stableBad += random.binomial(stable, good);
    into.excess += requests * (ratio - good);
  }

  metrics(_second: number, _weight: number, served: Served): Metrics {
    const all = served.requests + served.stableRequests;
    return {
      errorRatio: served.requests === 0 ? 0 : served.bad / served.requests,
      latencyMs: 80,
      cpu: 0.3,
      memory: 0.4,
      totalErrorRatio: all === 0 ? 0 : (served.bad + served.stableBad) / all,
      totalLatencyMs: 80,
      requestsPerSecond: this.#problem.requestsPerSecond,
    };
  }
}
