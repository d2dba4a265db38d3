import type { Random } from "../random.ts";
import type { Counter } from "./scraped-counters.ts";

/** To the step after the pause, back to the weight before the present one, or back to stable. */
export type Move = "hold" | "up" | "down" | "abort";

/** Who ends the pauses that have no end, in a person's place. */
export interface Steering {
  /** Between two looks at the counters, and the least that a pause takes, in seconds. */
  readonly lookSeconds: number;
  readonly stepSeconds: number;
  begin(random: Random): SteeredRollout;
}

/** One rollout under its hands. */
export interface SteeredRollout {
  /**
   * @param at seconds since the rollout began.
   * @param weight percent, as the controller has set it.
   * @param waits whether the rollout waits in a pause without an end; at other times only an abort is done.
   */
  look(at: number, weight: number, counters: { canary: Counter; stable: Counter }, waits: boolean): Move;
}
