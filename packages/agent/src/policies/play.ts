import { possibleActions } from "../actions.ts";
import type { RolloutResult, SimulatedRollout } from "../environment/simulated-rollout.ts";
import type { Steering } from "./policy.ts";

export interface Played extends RolloutResult {
  /** Whether the agent wished to abort at any step, although the verdict did not ask for it. */
  advisedAbort: boolean;
}

/** Steers one rollout to its end. */
export function play(rollout: SimulatedRollout, policy: Steering): Played {
  let advisedAbort = false;
  while (!rollout.ended) {
    const { situation } = rollout;
    const allowed = policy.shielded ? rollout.allowed : possibleActions(situation.weight);
    rollout.step(policy.choose(situation, allowed));
    advisedAbort ||= policy.advisesAbort === true;
  }
  return { ...rollout.result, advisedAbort };
}
