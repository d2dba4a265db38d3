import {
  type CountingTest,
  countingTest,
  defaultPolicy,
  divideAlpha,
  type Look,
  newTestState,
  type Policy,
  type Random,
  rulesOutBad,
  take,
  type TestState,
  type Verdict,
  weightChanged,
} from "@safe-deploy/verdict";
import { ABORT, type Action, actionNames, type ActionSet, fullWeight, includes, leastWeight } from "../actions.ts";
import { possibleActions, weightAfter } from "../actions.ts";
import { defaultHorizon, defaultPrices, defaultStepSeconds, type Prices } from "../cost.ts";
import { evidenceOf } from "../evidence.ts";
import type { Situation } from "../features.ts";
import { allowedIn } from "../shield.ts";
import { nothingServed, type Served, type Truth } from "./truth.ts";

export interface RolloutSettings {
  policy: Policy;
  prices: Prices;
  /** Steps that are charged, whatever happens in them. */
  horizon: number;
  stepSeconds: number;
  /** In milliseconds. */
  sloLatencyMs: number;
}

export const defaultSettings: RolloutSettings = {
  policy: defaultPolicy,
  prices: defaultPrices,
  horizon: defaultHorizon,
  stepSeconds: defaultStepSeconds,
  sloLatencyMs: 200,
};

/** What one simulated rollout came to. */
export interface RolloutResult {
  scenario: string;
  good: boolean;
  /** Whether it reached 100 %, and whether it was aborted, before or after that. */
  promoted: boolean;
  aborted: boolean;
  /** Steps until it was promoted or aborted; the horizon where it was neither. */
  steps: number;
  /** The version's bad requests until then, and until the horizon. */
  badUntilDecision: number;
  bad: number;
  excess: number;
  cost: number;
}

/**
 * One rollout under the hands of whoever steers: an action at each step, the requests that follow, the looks of the
 * sequential tests, and the cost. It ends with an abort or with the horizon; a promotion does not end it.
 */
export class SimulatedRollout {
  readonly situation: Situation;
  readonly #truth: Truth;
  readonly #random: Random;
  readonly #settings: RolloutSettings;
  readonly #test: CountingTest;
  readonly #tests: TestState = newTestState();
  readonly #look: Look = {
    requests: 0,
    bad: 0,
    paired: { canaryRequests: 0, canaryBad: 0, stableRequests: 0, stableBad: 0 },
  };
  readonly #result: RolloutResult;
  #second = 0;
  #failed = false;
  #ended = false;

  constructor(truth: Truth, random: Random, settings: RolloutSettings = defaultSettings) {
    const { policy, horizon, stepSeconds, sloLatencyMs } = settings;
    this.#truth = truth;
    this.#random = random;
    this.#settings = settings;
    const plan = {
      pollSeconds: truth.lookSeconds,
      scrapeSeconds: truth.scrapeSeconds,
      horizonSeconds: horizon * stepSeconds,
      gateSeconds: horizon * stepSeconds,
    };
    this.#test = countingTest(policy.rules[0]!, divideAlpha(policy, plan)[0]!, plan, policy);
    if (!truth.hasStable) this.#tests.compared = false;
    this.#result = {
      scenario: truth.scenario,
      good: truth.good,
      promoted: false,
      aborted: false,
      steps: horizon,
      badUntilDecision: 0,
      bad: 0,
      excess: 0,
      cost: 0,
    };
    this.situation = {
      metrics: truth.metrics(0, leastWeight, nothingServed(), random),
      sloLatencyMs,
      weight: leastWeight,
      stepsAtWeight: 0,
      step: 0,
      horizon,
      total: { requests: 0, bad: 0 },
      atWeight: { requests: 0, bad: 0 },
      evidence: evidenceOf(this.#test, this.#tests),
      verdict: "continue",
      stableServes: truth.hasStable,
    };
  }

  get ended(): boolean {
    return this.#ended;
  }

  get result(): RolloutResult {
    return this.#result;
  }

  /** What the shield leaves. */
  get allowed(): ActionSet {
    return allowedIn(this.situation);
  }

  /** @returns the cost of the step. */
  step(action: Action): number {
    const { situation } = this;
    if (this.#ended) throw new Error("this rollout has ended");
    if (!includes(possibleActions(situation.weight), action)) {
      throw new Error(`${actionNames[action]} means nothing at weight ${situation.weight}`);
    }
    return action === ABORT ? this.#abort() : this.#goOn(action);
  }

  #abort(): number {
    const { prices, horizon } = this.#settings;
    const { situation } = this;
    const served = nothingServed();
    this.#truth.serve(this.#second, this.#truth.delaySeconds, situation.weight, this.#random, served);
    this.#count(served);
    if (!this.#isDecided) this.#decide();
    this.#result.aborted = true;
    this.#ended = true;
    situation.weight = 0;
    situation.step = Math.min(horizon, situation.step + 1);
    return this.#charge(prices.excessBad * served.excess + (this.#truth.good ? prices.falseAbort : 0));
  }

  #goOn(action: Action): number {
    const { prices, horizon, stepSeconds } = this.#settings;
    const { situation } = this;
    const from = situation.weight;
    const to = weightAfter(from, action);
    if (to !== from) this.#enter(to);
    const served = this.#serve(from, to, stepSeconds);
    situation.stepsAtWeight++;
    situation.step++;
    situation.metrics = this.#truth.metrics(this.#second, to, served, this.#random);
    situation.evidence = evidenceOf(this.#test, this.#tests);
    situation.verdict = this.#verdict();
    const waits = to < fullWeight;
    let cost = prices.excessBad * served.excess + (waits ? prices.step : 0);
    if (situation.step >= horizon) {
      this.#ended = true;
      if (this.#truth.good && waits) cost += prices.notPromoted;
    }
    return this.#charge(cost);
  }

  #enter(weight: number): void {
    const { situation } = this;
    situation.weight = weight;
    situation.stepsAtWeight = 0;
    situation.atWeight = { requests: 0, bad: 0 };
    situation.stableServes = this.#truth.hasStable && weight < fullWeight;
    weightChanged(this.#test, this.#tests);
    if (weight === fullWeight && !this.#isDecided) {
      this.#result.promoted = true;
      this.#decide();
    }
  }

  /** Serves a step look by look; the first requests are still divided as before. */
  #serve(from: number, to: number, seconds: number): Served {
    const { delaySeconds, lookSeconds } = this.#truth;
    const all = nothingServed();
    for (let done = 0; done < seconds; done += lookSeconds) {
      const served = nothingServed();
      const late = done === 0 && from !== to ? delaySeconds : 0;
      if (late > 0) this.#truth.serve(this.#second, late, from, this.#random, served);
      this.#truth.serve(this.#second + late, lookSeconds - late, to, this.#random, served);
      this.#second += lookSeconds;
      this.#count(served);
      this.#take(served);
      for (const key of ["requests", "bad", "stableRequests", "stableBad", "excess"] as const) all[key] += served[key];
    }
    return all;
  }

  #take({ requests, bad, stableRequests, stableBad }: Served): void {
    const look = this.#look;
    look.requests = look.paired.canaryRequests = requests;
    look.bad = look.paired.canaryBad = bad;
    look.paired.stableRequests = stableRequests;
    look.paired.stableBad = stableBad;
    this.#failed = take(this.#test, this.#tests, look, this.situation.stableServes) !== undefined || this.#failed;
  }

  #verdict(): Verdict {
    if (this.#failed) return "fail";
    return rulesOutBad(this.#test, this.#tests) ? "pass" : "continue";
  }

  #count({ requests, bad, excess }: Served): void {
    const { total, atWeight } = this.situation;
    total.requests += requests;
    total.bad += bad;
    atWeight.requests += requests;
    atWeight.bad += bad;
    this.#result.bad += bad;
    this.#result.excess += excess;
    if (!this.#isDecided) this.#result.badUntilDecision += bad;
  }

  get #isDecided(): boolean {
    return this.#result.promoted || this.#result.aborted;
  }

  #decide(): void {
    this.#result.steps = this.situation.step;
  }

  #charge(cost: number): number {
    this.#result.cost += cost;
    return cost;
  }
}
