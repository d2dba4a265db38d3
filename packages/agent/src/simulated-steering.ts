import {
  type CountingTest,
  countingTest,
  divideAlpha,
  type Look,
  type Move,
  newTestState,
  type Random,
  rulesOutBad,
  type SteeredRollout,
  type Steering,
  take,
  type TestState,
  weightChanged,
} from "@safe-deploy/verdict";
import { fullWeight } from "./actions.ts";
import { type AttemptSettings, looksPerStep, planOf, policyOf } from "./cluster/attempt.ts";
import type { QNetwork } from "./dqn/q-network.ts";
import { RandomResources } from "./environment/random-resources.ts";
import { evidenceOf } from "./evidence.ts";
import type { Situation } from "./features.ts";
import { AgentPolicy, type OwnAbort } from "./policies/agent-policy.ts";
import { allowedIn } from "./shield.ts";

/** In the order of the actions. */
const moves = ["hold", "up", "down", "abort"] as const satisfies readonly Move[];

type Counts = Parameters<SteeredRollout["look"]>[2];
type Counter = Counts["canary"];

/**
 * The agent in rollouts that are simulated from a values file. It counts, judges and decides as in a cluster; what
 * latency, CPU and memory say is not simulated, and as in its training of no use.
 */
export function simulatedSteering(network: QNetwork, settings: AttemptSettings & { ownAbort: OwnAbort }): Steering {
  return {
    lookSeconds: settings.stepSeconds / looksPerStep,
    stepSeconds: settings.stepSeconds,
    begin: (random) => new Steered(new AgentPolicy(network, settings.ownAbort), settings, random),
  };
}

class Steered implements SteeredRollout {
  readonly #agent: AgentPolicy;
  readonly #settings: AttemptSettings;
  readonly #random: Random;
  readonly #resources: RandomResources;
  readonly #test: CountingTest;
  readonly #tests: TestState = newTestState();
  /** What had been counted at the last look, at the last decision, and when the weight changed. */
  #seen: Counts | undefined;
  #decided: (Counts & { at: number }) | undefined;
  #atWeight: Counter = { requests: 0, bad: 0 };
  #start: Counter = { requests: 0, bad: 0 };
  #weight = 0;
  #looks = 0;
  #step = 0;
  #stepsAtWeight = 0;

  constructor(agent: AgentPolicy, settings: AttemptSettings, random: Random) {
    const policy = policyOf(settings);
    const plan = planOf(settings);
    this.#agent = agent;
    this.#settings = settings;
    this.#random = random;
    this.#resources = new RandomResources(random);
    this.#test = countingTest(policy.rules[0]!, divideAlpha(policy, plan)[0]!, plan, policy);
  }

  look(at: number, weight: number, counters: Counts, waits: boolean): Move {
    const seen = { canary: { ...counters.canary }, stable: { ...counters.stable } };
    if (this.#seen === undefined) this.#start = this.#atWeight = seen.canary;
    if (weight !== this.#weight) this.#enter(weight);
    const failed = this.#take(since(seen, this.#seen ?? seen), weight < fullWeight);
    this.#seen = seen;
    this.#looks++;
    if (failed) return "abort";
    if (this.#looks % looksPerStep !== 0) return "hold";
    const move = waits ? this.#decide(at, seen) : "hold";
    this.#decided = { at, ...seen };
    return move;
  }

  #enter(weight: number): void {
    this.#weight = weight;
    this.#stepsAtWeight = 0;
    this.#atWeight = this.#seen?.canary ?? this.#atWeight;
    weightChanged(this.#test, this.#tests);
  }

  #take({ canary, stable }: Counts, stableServes: boolean): boolean {
    const paired = {
      canaryRequests: canary.requests,
      canaryBad: canary.bad,
      stableRequests: stable.requests,
      stableBad: stable.bad,
    };
    const look: Look = { requests: canary.requests, bad: canary.bad, paired };
    return take(this.#test, this.#tests, look, stableServes) !== undefined;
  }

  #decide(at: number, seen: Counts): Move {
    const { maxSteps, sloLatencyMs } = this.#settings;
    const step = this.#step++;
    const stepsAtWeight = this.#stepsAtWeight++;
    const before = this.#decided;
    if (before === undefined || step >= maxSteps) return "hold";
    const { canary, stable } = since(seen, before);
    if (canary.requests === 0) return "hold";
    const served = { ...canary, stableRequests: stable.requests, stableBad: stable.bad, excess: 0 };
    const metrics = this.#resources.metrics(this.#weight, served, at - before.at, this.#random);
    const situation: Situation = {
      metrics,
      sloLatencyMs,
      weight: this.#weight,
      stepsAtWeight,
      step,
      horizon: maxSteps,
      total: minus(seen.canary, this.#start),
      atWeight: minus(seen.canary, this.#atWeight),
      evidence: evidenceOf(this.#test, this.#tests),
      verdict: rulesOutBad(this.#test, this.#tests) ? "pass" : "continue",
      stableServes: this.#weight < fullWeight,
    };
    return moves[this.#agent.choose(situation, allowedIn(situation))];
  }
}

const minus = (now: Counter, then: Counter): Counter => ({
  requests: now.requests - then.requests,
  bad: now.bad - then.bad,
});

const since = (now: Counts, then: Counts): Counts => ({
  canary: minus(now.canary, then.canary),
  stable: minus(now.stable, then.stable),
});
