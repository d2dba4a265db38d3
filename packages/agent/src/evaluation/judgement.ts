import type { Evaluation } from "./evaluate.ts";
import { meanOf } from "./summarize.ts";

export interface Judgement {
  /** Whether the agent costs less than every baseline in every environment, beyond what chance explains. */
  agentWins: boolean;
  /** One sentence for each environment. */
  sentences: string[];
}

/**
 * Says plainly whether the agent is worth having: by the mean difference of the costs of the same versions, with its
 * 95 % interval, against the baseline that costs least.
 */
export function judge(
  { overall }: Pick<Evaluation, "overall">,
  agent: string,
  baselines: readonly string[],
): Judgement {
  const environments = [...new Set(overall.map(({ environment }) => environment))];
  let agentWins = true;
  const sentences = environments.map((environment) => {
    const of = (policy: string) => overall.find((row) => row.environment === environment && row.policy === policy)!;
    const own = of(agent);
    const best = baselines.map(of).reduce((least, one) => (one.cost.mean < least.cost.mean ? one : least));
    const difference = meanOf(own.costs.map((cost, i) => cost - best.costs[i]!));
    const words = `${number(own.cost.mean)} against ${number(best.cost.mean)} of "${best.policy}"; on the same versions the difference is ${number(difference.mean)} (${number(difference.low)} to ${number(difference.high)})`;
    if (difference.high < 0) return `In "${environment}" "${agent}" costs less: ${words}.`;
    agentWins = false;
    return difference.low > 0
      ? `In "${environment}" "${agent}" costs MORE: ${words}.`
      : `In "${environment}" nothing can be told apart: ${words}.`;
  });
  return { agentWins, sentences };
}

const number = (value: number) => value.toFixed(1);
