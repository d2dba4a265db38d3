import { Random } from "@safe-deploy/verdict";
import { countedRequests, heldOutRanges } from "../environment/counted-requests.ts";
import { defaultSettings, type RolloutSettings, SimulatedRollout } from "../environment/simulated-rollout.ts";
import { sourceDynamics } from "../environment/source-dynamics.ts";
import type { Environment } from "../environment/truth.ts";
import { smallProblem, twoVersions } from "../environment/two-versions.ts";
import { type Played, play } from "../policies/play.ts";
import type { Steering } from "../policies/policy.ts";
import { meanOf, type Mean, type Summary, summarize } from "./summarize.ts";

/** Where policies are judged: traffic and shares of errors that no training saw, the source's dynamics, the small problem. */
export const judgedIn: readonly Environment[] = [
  countedRequests("held out", heldOutRanges),
  sourceDynamics,
  twoVersions(smallProblem),
];

export interface EvaluationOptions {
  rolloutsPerScenario: number;
  seed: number;
  settings?: RolloutSettings;
}

export interface Evaluation {
  summaries: Summary[];
  overall: Overall[];
}

/** One policy in one environment, over scenarios drawn as often as they come. */
export interface Overall {
  environment: string;
  policy: string;
  rollouts: number;
  cost: Mean;
  steps: Mean;
  excess: Mean;
  /** Of each rollout; the same place in two policies' lists is the same version. */
  costs: readonly number[];
}

/** So many more rollouts, for each of a scenario, are drawn over all scenarios: that is what the judgement rests on. */
const overallFactor = 4;

/**
 * Plays every policy through every scenario. Each policy meets the same versions, and is judged by the same prices.
 * One scenario of one policy at each step of the generator.
 */
export function* evaluate(
  policies: readonly Steering[],
  { rolloutsPerScenario, seed, settings = defaultSettings }: EvaluationOptions,
  environments: readonly Environment[] = judgedIn,
): Generator<{ done: number; of: number }, Evaluation, void> {
  const summaries: Summary[] = [];
  const overall: Evaluation["overall"] = [];
  const of = environments.reduce((sum, { scenarios }) => sum + scenarios.length + 1, 0) * policies.length;
  let done = 0;
  for (const environment of environments) {
    for (const policy of policies) {
      const playOne = (index: number, scenario?: string): Played => {
        // A seed of its own for each rollout, so that how one policy draws never moves what the next one meets.
        const random = new Random(Math.imul(seed, 1_000_003) + index);
        return play(new SimulatedRollout(environment.draw(random, scenario), random, settings), policy);
      };
      const playAll = (rollouts: number, scenario?: string) =>
        Array.from({ length: rollouts }, (_, index) => playOne(index, scenario));
      for (const scenario of environment.scenarios) {
        const names = { environment: environment.name, scenario, policy: policy.name };
        summaries.push(summarize(names, playAll(rolloutsPerScenario, scenario)));
        yield { done: ++done, of };
      }
      const mixed = playAll(overallFactor * rolloutsPerScenario);
      const costs = mixed.map(({ cost }) => cost);
      overall.push({
        environment: environment.name,
        policy: policy.name,
        rollouts: mixed.length,
        cost: meanOf(costs),
        steps: meanOf(mixed.map(({ steps }) => steps)),
        excess: meanOf(mixed.map(({ excess }) => excess)),
        costs,
      });
      yield { done: ++done, of };
    }
  }
  return { summaries, overall };
}
