import { clopperPearson, type Interval, type QuantileInterval, quantileRanks } from "../intervals.ts";
import { Random } from "../random.ts";
import type { RolloutPlan } from "./rollout-plan.ts";
import type { Scenario } from "./scenario.ts";
import { type Outcome, simulateRollout } from "./simulate-rollout.ts";

/** Of a quantity over many rollouts: the mean, the median, and what a single one lies in with 95 % (a prediction interval). */
export interface Spread {
  mean: number;
  median: number;
  low: number;
  high: number;
  /** Not exceeded with 99 %. */
  p99: number;
  /** Within which the true median and 99th percentile lie with 95 % confidence. */
  medianInterval: QuantileInterval;
  p99Interval: QuantileInterval;
}

/** A share of rollouts with its interval at 95 % confidence. */
export interface Share extends Interval {
  share: number;
  count: number;
}

export interface Simulation {
  scenario: string;
  engine: RolloutPlan["engine"];
  rollouts: number;
  seed: number;
  horizonSeconds: number;
  ends: Record<Outcome["end"], Share>;
  /** The rollouts that aborted a version as good as stable; undefined where the version is worse. */
  falseAborts?: Share;
  /** The rollouts that by the horizon had more bad requests beyond stable's share than the values' budget; undefined without one. */
  overBudget?: Share;
  /** How long it took to the end, of each end that was seen, in seconds. */
  seconds: Partial<Record<Outcome["end"], Spread>>;
  /** The new version's bad requests until the end, how many of them are more than stable's share, and until the horizon. */
  bad: Spread;
  /** Of each end that was seen: bad requests until then, and until the horizon. */
  badOf: Partial<Record<Outcome["end"], { untilEnd: Spread; byHorizon: Spread }>>;
  excess: Spread;
  badByHorizon: Spread;
  /** Why, and how often, most frequent first. */
  why: { end: Outcome["end"]; why: string; weight: number; count: number }[];
}

export interface SimulationOptions {
  rollouts: number;
  /** The same seed gives the same numbers. */
  seed: number;
  /** How long each rollout is watched, in seconds. */
  horizonSeconds: number;
}

/** Plays many rollouts and sums them up. */
export function simulate(plan: RolloutPlan, scenario: Scenario, options: SimulationOptions): Simulation {
  return summarize(plan, scenario, finish(playRollouts(plan, scenario, options)), options);
}

/**
 * Plays many rollouts, one after the other from the same stream of random numbers, and one at each step, for whoever has
 * to do something else meanwhile.
 */
export function* playRollouts(
  plan: RolloutPlan,
  scenario: Scenario,
  { rollouts, seed, horizonSeconds }: SimulationOptions,
): Generator<void, Outcome[], void> {
  const random = new Random(seed);
  const outcomes: Outcome[] = [];
  for (let run = 0; run < rollouts; run++) {
    outcomes.push(simulateRollout(plan, scenario, random, horizonSeconds));
    yield;
  }
  return outcomes;
}

/** Takes all steps of what is done stepwise, without a break. */
export function finish<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** What came of many rollouts of the same scenario. */
export function summarize(
  plan: RolloutPlan,
  scenario: Scenario,
  outcomes: readonly Outcome[],
  { rollouts, seed, horizonSeconds }: SimulationOptions,
): Simulation {
  const ends = ["promoted", "aborted", "paused"] as const;
  const reasons = new Map<string, Simulation["why"][number]>();
  for (const { end, why, weight } of outcomes) {
    const key = `${end} ${weight} ${why}`;
    const known = reasons.get(key) ?? { end, why, weight, count: 0 };
    known.count++;
    reasons.set(key, known);
  }
  const ofEach = <T>(sumUp: (own: Outcome[]) => T): Partial<Record<Outcome["end"], T>> =>
    Object.fromEntries(
      ends.flatMap((end) => {
        const own = outcomes.filter((outcome) => outcome.end === end);
        return own.length === 0 ? [] : [[end, sumUp(own)]];
      }),
    );
  const { budget } = plan.sequential.policy;
  return {
    scenario: scenario.name,
    engine: plan.engine,
    rollouts,
    seed,
    horizonSeconds,
    ends: Object.fromEntries(
      ends.map((end) => [end, shareOf(outcomes.filter((outcome) => outcome.end === end).length, rollouts)]),
    ) as Simulation["ends"],
    ...(scenario.good
      ? { falseAborts: shareOf(outcomes.filter(({ end }) => end === "aborted").length, rollouts) }
      : {}),
    ...(budget === undefined
      ? {}
      : {
          overBudget: shareOf(outcomes.filter(({ excessByHorizon }) => excessByHorizon > budget).length, rollouts),
        }),
    seconds: ofEach((own) => spreadOf(own.map(({ seconds }) => seconds))),
    badOf: ofEach((own) => ({
      untilEnd: spreadOf(own.map(({ bad }) => bad)),
      byHorizon: spreadOf(own.map(({ badByHorizon }) => badByHorizon)),
    })),
    bad: spreadOf(outcomes.map(({ bad }) => bad)),
    excess: spreadOf(outcomes.map(({ excess }) => excess)),
    badByHorizon: spreadOf(outcomes.map(({ badByHorizon }) => badByHorizon)),
    why: [...reasons.values()].toSorted((a, b) => b.count - a.count),
  };
}

function shareOf(count: number, rollouts: number): Share {
  return { share: count / rollouts, count, ...clopperPearson(count, rollouts) };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const interval = (share: number): QuantileInterval => {
    const { low, high } = quantileRanks(share, sorted.length);
    return { low: sorted[low - 1] ?? null, high: sorted[high - 1] ?? null };
  };
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: quantile(0.5),
    low: quantile(0.025),
    high: quantile(0.975),
    p99: quantile(0.99),
    medianInterval: interval(0.5),
    p99Interval: interval(0.99),
  };
}
