import type { Random } from "@safe-deploy/verdict";
import { type ActionSet, actions, includes } from "../actions.ts";
import { Adam } from "./adam.ts";
import { type Activations, QNetwork } from "./q-network.ts";
import type { ReplayBuffer } from "./replay-buffer.ts";

export interface LearnerSettings {
  batch: number;
  /** How much the next step's value counts. */
  discount: number;
  learningRate: number;
  /** Updates between two copies of the network into the target network. */
  targetEvery: number;
}

/**
 * Learns the values of actions from transitions.
 *
 * Source: V. Mnih et al., "Human-level control through deep reinforcement learning", Nature 518 (2015): replay, target
 * network, error clipped to one; H. van Hasselt, A. Guez, D. Silver, "Deep Reinforcement Learning with Double Q-learning"
 * (AAAI 2016): the network chooses the next action, the target network values it.
 */
export class Learner {
  readonly network: QNetwork;
  readonly #target: QNetwork;
  readonly #settings: LearnerSettings;
  readonly #adam: Adam;
  readonly #gradient: Float32Array;
  readonly #places: Int32Array;
  readonly #here: Activations;
  readonly #deltas: Activations;
  readonly #next: Activations;
  readonly #nextByTarget: Activations;
  #updates = 0;

  constructor(network: QNetwork, settings: LearnerSettings) {
    const { batch } = settings;
    this.network = network;
    this.#settings = settings;
    this.#target = new QNetwork(network.sizes, network.parameters.slice());
    this.#adam = new Adam(network.parameters.length);
    this.#gradient = new Float32Array(network.parameters.length);
    this.#places = new Int32Array(batch);
    this.#here = network.activations(batch);
    this.#deltas = network.activations(batch);
    this.#next = network.activations(batch);
    this.#nextByTarget = network.activations(batch);
  }

  /** One update from a batch. @returns the mean loss, by P. J. Huber's function (1964). */
  update(buffer: ReplayBuffer, random: Random, learningRate = this.#settings.learningRate): number {
    const { batch, discount, targetEvery } = this.#settings;
    const { network } = this;
    const width = network.sizes[0]!;
    const outputs = network.sizes.at(-1)!;
    buffer.sample(this.#places, random);
    for (let row = 0; row < batch; row++) {
      const from = this.#places[row]! * width;
      this.#here[0]!.set(buffer.states.subarray(from, from + width), row * width);
      const next = buffer.nextStates.subarray(from, from + width);
      this.#next[0]!.set(next, row * width);
      this.#nextByTarget[0]!.set(next, row * width);
    }
    const chosen = network.forward(this.#next, batch);
    const valued = this.#target.forward(this.#nextByTarget, batch);
    const values = network.forward(this.#here, batch);
    const delta = this.#deltas.at(-1)!;
    delta.fill(0);
    let loss = 0;
    for (let row = 0; row < batch; row++) {
      const place = this.#places[row]!;
      const allowed = buffer.nextAllowed[place]!;
      const best = allowed === 0 ? undefined : bestAction(chosen, allowed, row * outputs);
      const toGo = best === undefined ? 0 : valued[row * outputs + best]!;
      const at = row * outputs + buffer.actions[place]!;
      const error = values[at]! - (buffer.rewards[place]! + discount * toGo);
      delta[at] = Math.max(-1, Math.min(1, error)) / batch;
      loss += Math.abs(error) <= 1 ? (error * error) / 2 : Math.abs(error) - 0.5;
    }
    this.#gradient.fill(0);
    network.backward(this.#here, this.#deltas, batch, this.#gradient);
    this.#adam.step(network.parameters, this.#gradient, learningRate);
    if (++this.#updates % targetEvery === 0) this.#target.parameters.set(network.parameters);
    return loss / batch;
  }
}

/** The allowed action of the highest value. */
export function bestAction(values: Float32Array, allowed: ActionSet, offset = 0): (typeof actions)[number] {
  let best: (typeof actions)[number] | undefined;
  for (const action of actions) {
    if (!includes(allowed, action)) continue;
    if (best === undefined || values[offset + action]! > values[offset + best]!) best = action;
  }
  if (best === undefined) throw new RangeError("no action is allowed");
  return best;
}
