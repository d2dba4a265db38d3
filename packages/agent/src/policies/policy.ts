import type { Action, ActionSet } from "../actions.ts";
import type { Situation } from "../features.ts";

/** Decides from what is seen. */
export interface Steering {
  readonly name: string;
  /** Whether the shield limits it; an unshielded one may do whatever means anything at the weight. */
  readonly shielded: boolean;
  /** @param allowed what it may choose from; never empty. */
  choose(situation: Situation, allowed: ActionSet): Action;
  /** Whether it would have aborted at its last choice, although it may not. */
  readonly advisesAbort?: boolean;
}
