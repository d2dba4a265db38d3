import type { Random } from "@safe-deploy/verdict";
import type { Metrics } from "../features.ts";
import { normal, type Served } from "./truth.ts";

/**
 * Latency, CPU and memory say nothing here about how good a version is: every episode has levels of its own, so that
 * nothing is learned from levels that no two services share.
 */
export class RandomResources {
  readonly #latencyMs: number;
  readonly #cpu: number;
  readonly #memory: number;

  constructor(random: Random) {
    this.#latencyMs = 20 + 130 * random.uniform();
    this.#cpu = 0.05 + 0.5 * random.uniform();
    this.#memory = 0.1 + 0.6 * random.uniform();
  }

  /** @param seconds that the served requests took. */
  metrics(weight: number, served: Served, seconds: number, random: Random): Metrics {
    const all = served.requests + served.stableRequests;
    return {
      errorRatio: served.requests === 0 ? 0 : served.bad / served.requests,
      latencyMs: Math.max(0, this.#latencyMs + normal(random, 8)),
      cpu: this.#cpu * (0.3 + (0.7 * weight) / 100) + normal(random, 0.02),
      memory: this.#memory + normal(random, 0.015),
      totalErrorRatio: all === 0 ? 0 : (served.bad + served.stableBad) / all,
      totalLatencyMs: Math.max(0, this.#latencyMs + normal(random, 4)),
      requestsPerSecond: all / seconds,
    };
  }
}
