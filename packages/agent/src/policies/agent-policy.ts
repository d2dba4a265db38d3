import { ABORT, type Action, type ActionSet, DOWN, HOLD, setOf } from "../actions.ts";
import { bestAction } from "../dqn/learner.ts";
import type { Activations, QNetwork } from "../dqn/q-network.ts";
import { type Situation, writeFeatures } from "../features.ts";
import type { Steering } from "./policy.ts";

/** What becomes of an ABORT that is the agent's own wish, not the verdict's: it is only told, or done. */
export type OwnAbort = "advises" | "acts";

/** From this share of what a failure needs on there is a reason to give requests back: about one bad request. */
const downFrom = 0.1;

/**
 * The network, choosing the allowed action of the highest value.
 *
 * It goes DOWN for a reason only: evidence against the version, or its slowness. Values of two actions that are nearly
 * alike would otherwise take a good version up and down, and each change of weight begins the gate's evidence anew.
 */
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
    const { evidence, metrics, sloLatencyMs } = situation;
    const hasReason = evidence.suspicion >= downFrom || metrics.latencyMs > sloLatencyMs;
    const wanted = bestAction(values, hasReason ? allowed : allowed & ~setOf(DOWN));
    const isForced = allowed === setOf(ABORT);
    this.#advisesAbort = wanted === ABORT && !isForced;
    // Who wants a version gone gives it no more requests while somebody else decides.
    return this.#advisesAbort && this.#ownAbort === "advises" ? HOLD : wanted;
  }
}
