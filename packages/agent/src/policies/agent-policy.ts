import { ABORT, type Action, type ActionSet, setOf } from "../actions.ts";
import { bestAction } from "../dqn/learner.ts";
import type { Activations, QNetwork } from "../dqn/q-network.ts";
import { type Situation, writeFeatures } from "../features.ts";
import type { Steering } from "./policy.ts";

/** What becomes of an ABORT that is the agent's own wish, not the verdict's: it is only told, or done. */
export type OwnAbort = "advises" | "acts";

/** The network, choosing the allowed action of the highest value. */
export class AgentPolicy implements Steering {
  readonly name: string;
  readonly shielded = true;
  readonly #network: QNetwork;
  readonly #ownAbort: OwnAbort;
  readonly #activations: Activations;
  #advisesAbort = false;

  constructor(network: QNetwork, ownAbort: OwnAbort) {
    this.name = ownAbort === "advises" ? "agent" : "agent, its own ABORT acts";
    this.#network = network;
    this.#ownAbort = ownAbort;
    this.#activations = network.activations(1);
  }

  get advisesAbort(): boolean {
    return this.#advisesAbort;
  }

  /** The value of each action for the situation, in units of the reward. */
  values(situation: Situation): Float32Array {
    writeFeatures(situation, this.#activations[0]!);
    return this.#network.forward(this.#activations, 1);
  }

  choose(situation: Situation, allowed: ActionSet): Action {
    const values = this.values(situation);
    const wanted = bestAction(values, allowed);
    const isForced = allowed === setOf(ABORT);
    this.#advisesAbort = wanted === ABORT && !isForced;
    return this.#advisesAbort && this.#ownAbort === "advises" ? bestAction(values, allowed & ~setOf(ABORT)) : wanted;
  }
}
