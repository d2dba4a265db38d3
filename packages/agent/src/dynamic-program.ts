import {
  ABORT,
  actions,
  fullWeight,
  includes,
  leastWeight,
  possibleActions,
  weightAfter,
  weightStep,
} from "./actions.ts";
import type { Prices } from "./cost.ts";
import { requestsIn, type TwoVersions } from "./environment/two-versions.ts";

/**
 * The least mean cost that any policy can reach on the small problem, shielded or not: the best policy knows both shares
 * of errors and the share of bad versions, and has to learn only which of the two it steers.
 *
 * What it knows is one number, the probability `b` that the version is bad, by Bayes' rule from the counts. The cost to
 * go of a step, a weight and `b` is the least over actions of the cost of the step and the mean of the cost to go after
 * what is seen in it. As a function of `b` it is a minimum of linear functions, hence concave, so reading it between two
 * points of a grid off the straight line is never too high: the bound holds for any grid.
 *
 * Source: R. Bellman, Dynamic Programming (1957); concavity: E. J. Sondik (1971).
 *
 * @param points of the grid over the log-odds of `b`.
 */
export function leastCost(
  problem: TwoVersions,
  { prices, horizon, stepSeconds }: { prices: Prices; horizon: number; stepSeconds: number },
  points = 161,
): number {
  const grid = beliefGrid(points);
  const weights = Array.from(
    { length: (fullWeight - leastWeight) / weightStep + 1 },
    (_, i) => leastWeight + i * weightStep,
  );
  const { good, bad, delaySeconds } = problem;
  const served = (from: number, to: number) =>
    from === to
      ? requestsIn(problem, stepSeconds, to)
      : requestsIn(problem, delaySeconds, from) + requestsIn(problem, stepSeconds - delaySeconds, to);
  const transitions = new Map<string, Transition[]>();
  for (const from of weights) {
    for (const action of actions) {
      if (action === ABORT || !includes(possibleActions(from), action)) continue;
      const to = weightAfter(from, action);
      const key = `${from} ${to}`;
      if (!transitions.has(key)) transitions.set(key, transitionsOf(grid, served(from, to), good, bad));
    }
  }
  let after = weights.map((weight) => grid.map((b) => (weight < fullWeight ? prices.notPromoted * (1 - b) : 0)));
  for (let step = horizon - 1; step >= 0; step--) {
    const now = weights.map((from) => {
      const lost = requestsIn(problem, delaySeconds, from) * (bad - good) * prices.excessBad;
      const least = grid.map((b) => b * lost + (1 - b) * prices.falseAbort);
      for (const action of actions) {
        if (action === ABORT || !includes(possibleActions(from), action)) continue;
        const to = weightAfter(from, action);
        const harm = served(from, to) * (bad - good) * prices.excessBad;
        const waiting = to < fullWeight ? prices.step : 0;
        const toGo = after[weights.indexOf(to)]!;
        const moves = transitions.get(`${from} ${to}`)!;
        for (let i = 0; i < grid.length; i++) {
          const cost = grid[i]! * harm + waiting + meanAfter(moves[i]!, toGo);
          if (cost < least[i]!) least[i] = cost;
        }
      }
      return least;
    });
    after = now;
  }
  return between(grid, after[0]!, problem.badShare);
}

/** Where a belief goes: for each number of bad requests its probability and the place on the grid. */
interface Transition {
  probability: Float64Array;
  /** The lower neighbour on the grid, and how far the belief lies towards the upper one. */
  low: Int32Array;
  part: Float64Array;
}

function transitionsOf(grid: readonly number[], requests: number, good: number, bad: number): Transition[] {
  const most = Math.min(requests, Math.ceil(requests * bad + 8 * Math.sqrt(requests * bad) + 8));
  const ofGood = binomial(requests, good, most);
  const ofBad = binomial(requests, bad, most);
  return grid.map((b) => {
    const probability = new Float64Array(most + 1);
    const low = new Int32Array(most + 1);
    const part = new Float64Array(most + 1);
    for (let k = 0; k <= most; k++) {
      const both = b * ofBad[k]! + (1 - b) * ofGood[k]!;
      probability[k] = both;
      const place = placeOn(grid, both === 0 ? b : (b * ofBad[k]!) / both);
      low[k] = Math.min(grid.length - 2, Math.floor(place));
      part[k] = place - low[k]!;
    }
    return { probability, low, part };
  });
}

function meanAfter({ probability, low, part }: Transition, toGo: readonly number[]): number {
  let mean = 0;
  for (let k = 0; k < probability.length; k++) {
    const at = low[k]!;
    mean += probability[k]! * (toGo[at]! * (1 - part[k]!) + toGo[at + 1]! * part[k]!);
  }
  return mean;
}

/** P(k) for k from 0 to `most`. */
function binomial(n: number, p: number, most: number): Float64Array {
  const probability = new Float64Array(most + 1);
  let log = n * Math.log1p(-p);
  for (let k = 0; k <= most; k++) {
    probability[k] = Math.exp(log);
    log += Math.log(((n - k) / (k + 1)) * (p / (1 - p)));
  }
  return probability;
}

/** From 0 to 1, evenly spaced in log-odds between the ends. */
function beliefGrid(points: number): number[] {
  const most = 16;
  return Array.from({ length: points }, (_, i) => {
    if (i === 0) return 0;
    if (i === points - 1) return 1;
    const odds = -most + (2 * most * (i - 1)) / (points - 3);
    return 1 / (1 + Math.exp(-odds));
  });
}

/** A belief's place on the grid, as an index with a fraction that is linear in the belief. */
function placeOn(grid: readonly number[], belief: number): number {
  let low = 0;
  let high = grid.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (grid[middle]! <= belief) low = middle;
    else high = middle;
  }
  return low + Math.min(1, Math.max(0, (belief - grid[low]!) / (grid[high]! - grid[low]!)));
}

function between(grid: readonly number[], values: readonly number[], belief: number): number {
  const place = placeOn(grid, belief);
  const low = Math.min(grid.length - 2, Math.floor(place));
  return values[low]! * (1 - (place - low)) + values[low + 1]! * (place - low);
}
