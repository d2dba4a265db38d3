import type { Random } from "@safe-deploy/verdict";
import type { Metrics } from "../features.ts";
import { defaultHorizon, defaultStepSeconds } from "../cost.ts";
import { drawOne, type Environment, normal, type Served, type Truth } from "./truth.ts";

/**
 * The dynamics of github.com/thuanthentran/MajorityProject (head 80df30d, `env/canary_env.py`), written anew from what
 * they are: the shares of errors and the metrics of its four scenarios, which depend on the traffic and on the time.
 *
 * Different here: requests are counted, 1,000 a step divided by the traffic, instead of telling the share itself; an
 * episode goes on after 100 % and at any share of errors; an abort ends it. There is no stable version in it.
 */

type ScenarioName = "healthy" | "buggy" | "degrading" | "flaky";

const frequencies: readonly (readonly [ScenarioName, number])[] = [
  ["healthy", 0.6],
  ["buggy", 0.2],
  ["degrading", 0.15],
  ["flaky", 0.05],
];
const requestsPerStep = 1000;
const services = 5;

export const sourceDynamics: Environment = {
  name: "source",
  scenarios: frequencies.map(([name]) => name),
  draw(random, scenario) {
    const name = frequencies.find(([known]) => known === scenario)?.[0];
    if (scenario !== undefined && name === undefined) throw new RangeError(`no scenario ${scenario}`);
    return new SourceVersion(name ?? drawOne(random, frequencies), random);
  },
};

class SourceVersion implements Truth {
  readonly scenario: ScenarioName;
  readonly good: boolean;
  readonly hasStable = false;
  readonly lookSeconds = defaultStepSeconds;
  readonly scrapeSeconds = 1;
  readonly delaySeconds = 0;
  readonly #clusterErrors: number;
  readonly #clusterLatencyMs: number;
  readonly #requestRate: number;
  /** How far errors have spread to the services that depend on this one, 0 to 1. */
  #cascade = 0;

  constructor(scenario: ScenarioName, random: Random) {
    const between = (low: number, high: number) => low + (high - low) * random.uniform();
    this.scenario = scenario;
    this.good = scenario === "healthy";
    this.#clusterErrors = between(0.003, 0.008);
    this.#clusterLatencyMs = between(200, 300);
    this.#requestRate = between(0.4, 0.7);
  }

  serve(second: number, seconds: number, weight: number, random: Random, into: Served): void {
    const traffic = weight / 100;
    const requests = Math.round((requestsPerStep * traffic * seconds) / defaultStepSeconds);
    const base = this.#errorRatio(second + seconds, traffic, random);
    const deviation = { healthy: 0.001, buggy: 0.003, degrading: 0.002, flaky: 0.002 }[this.scenario];
    const ratio = Math.min(1, Math.max(0, base + normal(random, deviation)));
    into.requests += requests;
    into.bad += random.binomial(requests, ratio);
    into.excess += requests * Math.max(0, base - healthyRatio(traffic));
  }

  metrics(second: number, weight: number, { requests, bad }: Served, random: Random): Metrics {
    const traffic = weight / 100;
    const time = timeOf(second);
    const errorRatio = requests === 0 ? 0 : bad / requests;
    const latencyMs = Math.max(0, 100 + 80 * traffic + this.#slower(time, traffic, random) + normal(random, 8));
    const pressure = traffic * errorRatio * (services - 1);
    this.#cascade = Math.min(1, 0.3 * pressure + 0.7 * this.#cascade);
    const leak = this.scenario === "degrading" ? 0.2 : 0.05;
    return {
      errorRatio,
      latencyMs,
      cpu: 0.05 + 0.35 * traffic + 5 * errorRatio + normal(random, 0.02),
      memory: 0.1 + 0.25 * traffic + leak * time + normal(random, 0.015),
      totalErrorRatio: Math.max(
        0,
        this.#clusterErrors + (traffic * errorRatio) / services + 0.02 * this.#cascade + normal(random, 0.001),
      ),
      totalLatencyMs: this.#clusterLatencyMs + 0.5 * traffic * (latencyMs - 100) + 120 * this.#cascade,
      // Its rate is a share of an unnamed most; here it stands beside the requests of a step.
      requestsPerSecond: ((this.#requestRate - 0.15 * this.#cascade) / 0.55) * (requestsPerStep / defaultStepSeconds),
    };
  }

  #errorRatio(second: number, traffic: number, random: Random): number {
    switch (this.scenario) {
      case "healthy":
        return healthyRatio(traffic);
      case "buggy":
        return 0.025 + 0.025 * traffic;
      case "degrading":
        return 0.003 + 0.015 * traffic * (1 + 2 * timeOf(second));
      case "flaky": {
        const spikes = traffic > 0.3 && random.uniform() < 0.1;
        return 0.002 + 0.02 * traffic + (spikes ? 0.015 + 0.02 * random.uniform() : 0);
      }
    }
  }

  #slower(time: number, traffic: number, random: Random): number {
    switch (this.scenario) {
      case "healthy":
        return 0;
      case "buggy":
        return 30 + 40 * traffic;
      case "degrading":
        return 60 * time;
      case "flaky":
        return random.uniform() < 0.08 ? 50 + 100 * random.uniform() : 0;
    }
  }
}

const healthyRatio = (traffic: number) => 0.002 + 0.005 * traffic;
const timeOf = (second: number) => Math.min(1, second / (defaultHorizon * defaultStepSeconds));
