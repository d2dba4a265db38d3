import { divideAlpha } from "../alpha.ts";
import {
  type CountingTest,
  countingTest,
  type Look,
  newTestState,
  rulesOutBad,
  take,
  type TestState,
  weightChanged,
} from "../counting-test.ts";
import { firstAbsolute } from "../policy.ts";
import type { RolloutPlan } from "./rollout-plan.ts";
import type { Counter, ScrapedCounters } from "./scraped-counters.ts";

/** The sequential engine inside a simulated rollout: it looks at every scrape, and is asked by the controller. */
export class Judge {
  readonly #plan: RolloutPlan;
  readonly #test: CountingTest;
  readonly #state: TestState = newTestState();
  readonly #counted = { canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } };
  readonly #look: Look = {
    requests: 0,
    bad: 0,
    paired: { canaryRequests: 0, canaryBad: 0, stableRequests: 0, stableBad: 0 },
  };
  #failed = false;
  #blindSince: number | undefined;

  /** @param horizonSeconds the longest that the rollout is watched. */
  constructor(plan: RolloutPlan, horizonSeconds: number, stable: Counter) {
    const { policy } = plan.sequential;
    const looks = { pollSeconds: plan.scrapeSeconds, scrapeSeconds: plan.scrapeSeconds };
    const { index, rule } = firstAbsolute(policy);
    const { gateSeconds } = plan.sequential;
    const bounded = { ...looks, horizonSeconds: plan.sequential.horizonSeconds ?? horizonSeconds, gateSeconds };
    const boundaries = divideAlpha(policy, bounded)[index]!;
    this.#plan = plan;
    this.#test = countingTest(rule, boundaries, looks, policy);
    this.#counted.stable = { ...stable };
  }

  look(counters: { canary: Counter; stable: Counter }, stableServes: boolean): void {
    const look = this.#look;
    look.requests = look.paired.canaryRequests = counters.canary.requests - this.#counted.canary.requests;
    look.bad = look.paired.canaryBad = counters.canary.bad - this.#counted.canary.bad;
    look.paired.stableRequests = counters.stable.requests - this.#counted.stable.requests;
    look.paired.stableBad = counters.stable.bad - this.#counted.stable.bad;
    this.#counted.canary.requests = counters.canary.requests;
    this.#counted.canary.bad = counters.canary.bad;
    this.#counted.stable.requests = counters.stable.requests;
    this.#counted.stable.bad = counters.stable.bad;
    this.#failed = this.#failed || take(this.#test, this.#state, look, stableServes) !== undefined;
  }

  weightChanged(): void {
    weightChanged(this.#test, this.#state);
  }

  ask(scraped: ScrapedCounters, at: number): "pass" | "fail" | "continue" | "inconclusive" {
    const { policy } = this.#plan.sequential;
    if (this.#failed) return "fail";
    if (scraped.age(at) > policy.staleSeconds) {
      this.#blindSince ??= at;
      return at - this.#blindSince >= policy.blind.seconds ? policy.blind.atDeadline : "continue";
    }
    this.#blindSince = undefined;
    return rulesOutBad(this.#test, this.#state) ? "pass" : "continue";
  }
}
