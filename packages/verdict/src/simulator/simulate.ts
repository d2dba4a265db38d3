import { clopperPearson, type Interval } from "../intervals.ts";
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
}

/** A share of rollouts with its interval at 95 % confidence. */
export interface Share extends Interval {
  share: number;
  count: number;
}

export interface Simulation {
  schemaVersion: 1;
  scenario: string;
  engine: RolloutPlan["engine"];
  rollouts: number;
  seed: number;
  horizonSeconds: number;
  ends: Record<Outcome["end"], Share>;
  /** How long it took to the end, of each end that was seen, in seconds. */
  seconds: Partial<Record<Outcome["end"], Spread>>;
  /** The new version's bad requests until the end, how many of them are more than stable's share, and until the horizon. */
  bad: Spread;
  excess: Spread;
  badByHorizon: Spread;
  /** Why, and how often, most frequent first. */
  why: { why: string; weight: number; count: number }[];
}

/** Simulates many rollouts; the same seed gives the same numbers. */
export function simulate(
  plan: RolloutPlan,
  scenario: Scenario,
  { rollouts, seed, horizonSeconds }: { rollouts: number; seed: number; horizonSeconds: number },
): Simulation {
  const random = new Random(seed);
  const outcomes = Array.from({ length: rollouts }, () => simulateRollout(plan, scenario, random, horizonSeconds));
  const ends = ["promoted", "aborted", "paused"] as const;
  const reasons = new Map<string, Simulation["why"][number]>();
  for (const { why, weight } of outcomes) {
    const key = `${weight} ${why}`;
    const known = reasons.get(key) ?? { why, weight, count: 0 };
    known.count++;
    reasons.set(key, known);
  }
  return {
    schemaVersion: 1,
    scenario: scenario.name,
    engine: plan.engine,
    rollouts,
    seed,
    horizonSeconds,
    ends: Object.fromEntries(
      ends.map((end) => [end, shareOf(outcomes.filter((outcome) => outcome.end === end).length, rollouts)]),
    ) as Simulation["ends"],
    seconds: Object.fromEntries(
      ends.flatMap((end) => {
        const own = outcomes.filter((outcome) => outcome.end === end);
        return own.length === 0 ? [] : [[end, spreadOf(own.map(({ seconds }) => seconds))]];
      }),
    ),
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
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: quantile(0.5),
    low: quantile(0.025),
    high: quantile(0.975),
    p99: quantile(0.99),
  };
}
