import type { Random } from "@safe-deploy/verdict";
import type { Action, ActionSet } from "../actions.ts";

/** The last transitions, of which the oldest is overwritten. */
export class ReplayBuffer {
  readonly capacity: number;
  readonly #width: number;
  readonly states: Float32Array;
  readonly nextStates: Float32Array;
  readonly actions: Uint8Array;
  readonly rewards: Float32Array;
  /** What may be done in the next state; 0 when the rollout has ended. */
  readonly nextAllowed: Uint8Array;
  #added = 0;

  constructor(capacity: number, width: number) {
    this.capacity = capacity;
    this.#width = width;
    this.states = new Float32Array(capacity * width);
    this.nextStates = new Float32Array(capacity * width);
    this.actions = new Uint8Array(capacity);
    this.rewards = new Float32Array(capacity);
    this.nextAllowed = new Uint8Array(capacity);
  }

  get size(): number {
    return Math.min(this.#added, this.capacity);
  }

  add(state: Float32Array, action: Action, reward: number, next: Float32Array, nextAllowed: ActionSet): void {
    const place = this.#added++ % this.capacity;
    this.states.set(state, place * this.#width);
    this.nextStates.set(next, place * this.#width);
    this.actions[place] = action;
    this.rewards[place] = reward;
    this.nextAllowed[place] = nextAllowed;
  }

  /** Fills `places` with places drawn at random. */
  sample(places: Int32Array, random: Random): void {
    for (let i = 0; i < places.length; i++) places[i] = Math.floor(random.uniform() * this.size);
  }
}
