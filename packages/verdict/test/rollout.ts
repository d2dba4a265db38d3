import type { Sample } from "../src/observation.ts";
import { defaultPolicy, type Plan, type Policy } from "../src/policy.ts";
import { Random } from "../src/random.ts";
import { type Result, start, type State, step } from "../src/verdict.ts";

export const plan: Plan = { pollSeconds: 1, scrapeSeconds: 5, horizonSeconds: 1800, gateSeconds: 300 };
export const epoch = 1_700_000_000_000;

export interface World {
  /** Of both versions together, per second. */
  requestsPerSecond?: number;
  weight?: (second: number) => number;
  /** The true ratios at a second. */
  canary: (second: number) => number;
  stable: (second: number) => number;
  canaryPods?: number;
  stablePods?: number;
  /** Changes what a look sees. */
  see?: (look: { second: number; samples: Sample[] }) => Partial<Parameters<typeof step>[1]>;
  policy?: Policy;
  plan?: Plan;
  seconds?: number;
  seed?: number;
  /** Whether each pod is scraped at a moment of its own within the interval. */
  skew?: boolean;
  stableServes?: (second: number) => boolean;
}

export interface Played {
  results: Result[];
  last: Result;
  /** The second of the last look. */
  seconds: number;
  state: State;
  trueBad: number;
}

/** Plays a rollout second by second through the whole of it: pods with counters, scrapes, looks. Ends at a failure. */
export function playRollout(world: World): Played {
  const random = new Random(world.seed ?? 1);
  const usedPlan = world.plan ?? plan;
  const podsOf = (version: "canary" | "stable", count: number) =>
    Array.from({ length: count }, (_, index) => ({
      version,
      series: `${version}-${index}`,
      requests: version === "stable" ? 50_000 : 0,
      errors: version === "stable" ? 400 : 0,
      phase: world.skew === true ? Math.floor(random.uniform() * usedPlan.scrapeSeconds) : 0,
    }));
  const pods = [...podsOf("stable", world.stablePods ?? 3), ...podsOf("canary", world.canaryPods ?? 1)];
  let state = start("attempt-1", world.policy ?? defaultPolicy, usedPlan, epoch);
  const results: Result[] = [];
  let trueBad = 0;
  let second = 0;
  for (second = 1; second <= (world.seconds ?? usedPlan.horizonSeconds); second++) {
    const weight = world.weight?.(second) ?? 10;
    for (const pod of pods) {
      const isCanary = pod.version === "canary";
      const share = (isCanary ? weight : 100 - weight) / 100;
      const siblings = pods.filter(({ version }) => version === pod.version).length;
      const requests = random.poisson(((world.requestsPerSecond ?? 100) * share) / siblings);
      const errors = random.binomial(requests, isCanary ? world.canary(second) : world.stable(second));
      pod.requests += requests;
      pod.errors += errors;
      if (isCanary) trueBad += errors;
    }
    const samples = pods
      .filter(({ phase }) => second % usedPlan.scrapeSeconds === phase)
      .map(({ version, series, requests, errors }): Sample => ({
        version,
        series,
        source: "app",
        at: epoch + second * 1000,
        startedAt: version === "canary" ? epoch : epoch - 86_400_000,
        requests,
        errors,
      }));
    const observation = {
      now: epoch + second * 1000,
      weight,
      stableServes: world.stableServes?.(second) ?? weight < 100,
      samples,
    };
    const next = step(state, { ...observation, ...world.see?.({ second, samples }) });
    state = next.state;
    results.push(next.result);
    if (next.result.verdict === "fail") break;
  }
  return { results, last: results.at(-1)!, seconds: second, state, trueBad };
}
