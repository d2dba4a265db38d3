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
