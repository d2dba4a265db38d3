import { must } from "../run.ts";
import type { Ratio } from "./figure.ts";

export function median(values: number[]): number {
  if (values.length === 0) throw new Error("no values, no median");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}

/** Ratio of the medians, with the smallest and the largest ratio of two values of the same pair. */
export function pairedRatio(over: number[], under: number[], reads: Ratio["reads"]): Ratio {
  if (over.length !== under.length) throw new Error(`${over.length} values and ${under.length} are no pairs`);
  const each = over.map((value, index) => value / (under[index] as number));
  return { median: median(over) / median(under), min: Math.min(...each), max: Math.max(...each), reads };
}

/**
 * The largest probability of an event with which it is still seen at most `events` times in `runs` runs with the
 * probability 1 - confidence: the exact one-sided bound of Clopper and Pearson, Biometrika 26 (1934). Without any event
 * it is 1 - (1 - confidence)^(1/runs), about 3 / runs at 95 %.
 */
export function upperBound(events: number, runs: number, confidence = 0.95): number {
  if (events >= runs) return 1;
  const atMost = (probability: number) => {
    let term = (1 - probability) ** runs;
    let sum = term;
    for (let seen = 1; seen <= events; seen++) {
      term *= ((runs - seen + 1) / seen) * (probability / (1 - probability));
      sum += term;
    }
    return sum;
  };
  let [low, high] = [0, 1];
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (atMost(middle) > 1 - confidence) low = middle;
    else high = middle;
  }
  return high;
}

/** A B A B ..., so that a slow moment of the machine meets both. The first pair only warms the caches. */
export async function inPairs(
  count: number,
  subject: () => Promise<number>,
  baseline: () => Promise<number>,
): Promise<{ subject: number[]; baseline: number[] }> {
  const values = { subject: [] as number[], baseline: [] as number[] };
  await subject();
  await baseline();
  for (let pair = 0; pair < count; pair++) {
    values.subject.push(await subject());
    values.baseline.push(await baseline());
  }
  return values;
}

/** Seconds from the start of a program to its end. Throws if it fails. */
export async function timed(program: string, args: string[], env: NodeJS.ProcessEnv, cwd: string): Promise<number> {
  return (await must(program, args, { env, cwd })).seconds;
}
