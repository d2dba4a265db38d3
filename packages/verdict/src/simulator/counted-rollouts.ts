import { divideAlpha } from "../alpha.ts";
import { countingTest, type Look, newTestState, rulesOutBad, take } from "../counting-test.ts";
import { firstAbsolute, type Plan, type Policy } from "../policy.ts";
import { Random } from "../random.ts";
import { PoissonTable } from "./poisson-table.ts";

/** The true ratios of bad requests from a moment on. */
export interface Phase {
  /** In seconds since the start. */
  from: number;
  canary: number;
  stable: number;
}

/** Many rollouts of the same truth, judged by a policy's first absolute rule on counts alone: no pods, no scrapes, no steps. */
export interface Cell {
  policy: Policy;
  plan: Plan;
  /** Of both versions together, per second. */
  requestsPerSecond: number;
  /** In percent. */
  weight: number;
  phases: Phase[];
  /** Whether stable is there to compare with. */
  stableServes: boolean;
  /** By how much of a look the canary's counters lag behind stable's, 0 to 1. */
  lag: number;
  /** Requests come in bursts of this size, which share their fate. */
  burst: number;
  /** The version has been good until now: only the test for what turned bad is left. */
  wasGood?: boolean;
}

export interface CellResult {
  runs: number;
  failed: number;
  /** The gate passed at some look before the version failed. */
  passed: number;
  /** Seconds until the failure, of those that failed. */
  secondsToFail: number[];
  /** The canary's bad requests until the failure or the end. */
  bad: Float64Array;
}

/** Plays a cell, with arrivals of a Poisson process. The same seed gives the same result. */
export function play(cell: Cell, runs: number, seed: number): CellResult {
  const random = new Random(seed);
  const { policy, plan } = cell;
  const { index, rule } = firstAbsolute(policy);
  const boundaries = divideAlpha(policy, plan)[index]!;
  const test = countingTest(rule, boundaries, plan, policy);
  const draws = drawsOf(cell);
  const { burst } = cell;
  const result: CellResult = { runs, failed: 0, passed: 0, secondsToFail: [], bad: new Float64Array(runs) };
  const look: Look = {
    requests: 0,
    bad: 0,
    paired: { canaryRequests: 0, canaryBad: 0, stableRequests: 0, stableBad: 0 },
  };
  for (let run = 0; run < runs; run++) {
    const state = newTestState();
    state.fromStart.retired = cell.wasGood === true;
    let passed = false;
    let bad = 0;
    for (let i = 0; i < draws.length; i++) {
      const draw = draws[i]!;
      const canaryBad = burst * draw.canaryBad.draw(random);
      const canaryRequests = canaryBad + burst * draw.canaryGood.draw(random);
      const stableBad = burst * draw.stableBad.draw(random);
      const stableRequests = stableBad + burst * draw.stableGood.draw(random);
      bad += canaryBad;
      look.requests = look.paired.canaryRequests = canaryRequests;
      look.bad = look.paired.canaryBad = canaryBad;
      look.paired.stableRequests = stableRequests;
      look.paired.stableBad = stableBad;
      if (take(test, state, look, cell.stableServes) !== undefined) {
        result.failed++;
        result.secondsToFail.push((i + 1) * plan.pollSeconds);
        break;
      }
      passed ||= rulesOutBad(test, state);
    }
    if (passed) result.passed++;
    result.bad[run] = bad;
  }
  return result;
}

interface Draw {
  canaryBad: PoissonTable;
  canaryGood: PoissonTable;
  stableBad: PoissonTable;
  stableGood: PoissonTable;
}

function drawsOf({ plan, requestsPerSecond, weight, phases, lag, burst }: Cell): Draw[] {
  const tables = new Map<number, PoissonTable>();
  const table = (requests: number, ratio: number) => {
    const mean = (requests * ratio) / burst;
    let found = tables.get(mean);
    if (found === undefined) {
      found = new PoissonTable(mean);
      tables.set(mean, found);
    }
    return found;
  };
  const looks = Math.ceil(plan.horizonSeconds / plan.pollSeconds);
  const perLook = requestsPerSecond * plan.pollSeconds;
  const canary = (perLook * weight) / 100;
  return Array.from({ length: looks }, (_, i) => {
    const end = (i + 1) * plan.pollSeconds;
    const late = lag * plan.pollSeconds;
    const canaryRatio = meanRatio(phases, "canary", end - plan.pollSeconds - late, end - late);
    const stableRatio = meanRatio(phases, "stable", end - plan.pollSeconds, end);
    return {
      canaryBad: table(canary, canaryRatio),
      canaryGood: table(canary, 1 - canaryRatio),
      stableBad: table(perLook - canary, stableRatio),
      stableGood: table(perLook - canary, 1 - stableRatio),
    };
  });
}

/** The mean of a version's ratio between two moments; before the first phase it is that of the first. */
function meanRatio(phases: readonly Phase[], version: "canary" | "stable", from: number, to: number): number {
  let sum = 0;
  for (const [index, phase] of phases.entries()) {
    const begins = index === 0 ? -Infinity : phase.from;
    const ends = phases[index + 1]?.from ?? Infinity;
    sum += Math.max(0, Math.min(to, ends) - Math.max(from, begins)) * phase[version];
  }
  return sum / (to - from);
}
