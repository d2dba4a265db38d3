import type { Random } from "@safe-deploy/verdict";
import type { Metrics } from "../features.ts";

/** What was served in a stretch of time. */
export interface Served {
  requests: number;
  bad: number;
  stableRequests: number;
  stableBad: number;
  /** The version's expected bad requests more than a good version would have had. */
  excess: number;
}

export const nothingServed = (): Served => ({ requests: 0, bad: 0, stableRequests: 0, stableBad: 0, excess: 0 });

/** One version, of which the agent sees only what it serves. */
export interface Truth {
  readonly scenario: string;
  /** Whether it ought to be promoted. */
  readonly good: boolean;
  /** Whether a stable version serves beside it that it can be compared with. */
  readonly hasStable: boolean;
  /** Between two looks of the sequential tests, and between two samples of a series, in seconds. */
  readonly lookSeconds: number;
  readonly scrapeSeconds: number;
  /** From a decision until the requests follow it, in seconds; shorter than a look. */
  readonly delaySeconds: number;
  /** Adds what is served from a second on for so many seconds, at a weight in percent. */
  serve(second: number, seconds: number, weight: number, random: Random, into: Served): void;
  /** What the step that ends at a second showed. */
  metrics(second: number, weight: number, served: Served, random: Random): Metrics;
}

/** Where versions come from. */
export interface Environment {
  readonly name: string;
  /** The scenarios, in the order of a table. */
  readonly scenarios: readonly string[];
  /** A version of a scenario, or of one drawn by how frequent each is. */
  draw(random: Random, scenario?: string): Truth;
}

/** One of several, by their weights. */
export function drawOne<T>(random: Random, choices: readonly (readonly [T, number])[]): T {
  const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
  let place = random.uniform() * total;
  for (const [choice, weight] of choices) {
    place -= weight;
    if (place < 0) return choice;
  }
  return choices.at(-1)![0];
}

/** Source: G. E. P. Box and M. E. Muller, Ann. Math. Stat. 29 (1958). */
export function normal(random: Random, deviation: number): number {
  return deviation * Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}
