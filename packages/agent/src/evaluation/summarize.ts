import { clopperPearson, type Interval } from "@safe-deploy/verdict";
import type { Played } from "../policies/play.ts";

/** A share of rollouts with its exact 95 % interval. */
export interface Share extends Interval {
  share: number;
  count: number;
}

/** A mean with its 95 % interval: 1.96 standard errors on either side. */
export interface Mean extends Interval {
  mean: number;
}

/** What one policy made of many rollouts of one scenario. */
export interface Summary {
  environment: string;
  scenario: string;
  policy: string;
  /** Whether the versions of the scenario ought to be promoted. */
  good: boolean;
  rollouts: number;
  promoted: Share;
  aborted: Share;
  /** Neither when the horizon ended. */
  undecided: Share;
  /** Rollouts of which the agent told at least once that it would abort, where the verdict did not. */
  advisedAbort: Share;
  /** Until promoted or aborted; the horizon where it was neither. */
  steps: Mean;
  badUntilDecision: Mean;
  /** Until the horizon, and more than a good version would have had. */
  bad: Mean;
  excess: Mean;
  cost: Mean;
}

export function summarize(
  names: { environment: string; scenario: string; policy: string },
  played: readonly Played[],
): Summary {
  const share = (holds: (one: Played) => boolean): Share => {
    const count = played.filter(holds).length;
    return { share: count / played.length, count, ...clopperPearson(count, played.length) };
  };
  const mean = (of: (one: Played) => number) => meanOf(played.map(of));
  return {
    ...names,
    good: played.every(({ good }) => good),
    rollouts: played.length,
    promoted: share(({ promoted }) => promoted),
    aborted: share(({ aborted }) => aborted),
    undecided: share(({ promoted, aborted }) => !promoted && !aborted),
    advisedAbort: share(({ advisedAbort }) => advisedAbort),
    steps: mean(({ steps }) => steps),
    badUntilDecision: mean(({ badUntilDecision }) => badUntilDecision),
    bad: mean(({ bad }) => bad),
    excess: mean(({ excess }) => excess),
    cost: mean(({ cost }) => cost),
  };
}

export function meanOf(values: readonly number[]): Mean {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = n < 2 ? 0 : values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = 1.96 * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
}
