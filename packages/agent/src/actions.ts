/** What the agent may do at each step, by its place in the network's output. */
export const HOLD = 0;
export const UP = 1;
export const DOWN = 2;
export const ABORT = 3;

export type Action = typeof HOLD | typeof UP | typeof DOWN | typeof ABORT;

export const actionNames = ["HOLD", "UP", "DOWN", "ABORT"] as const;
export const actions: readonly Action[] = [HOLD, UP, DOWN, ABORT];

/** Percent of the requests. A rollout begins at the least weight: without requests there is nothing to learn from. */
export const leastWeight = 10;
export const weightStep = 10;
/** All requests: the version is promoted, and only an abort takes it back. */
export const fullWeight = 100;

/** A set of actions, one bit each. */
export type ActionSet = number;

export const setOf = (...of: Action[]): ActionSet => of.reduce<ActionSet>((set, action) => set | (1 << action), 0);
export const includes = (set: ActionSet, action: Action): boolean => (set & (1 << action)) !== 0;

/** The actions that mean anything at a weight. */
export function possibleActions(weight: number): ActionSet {
  if (weight >= fullWeight) return setOf(HOLD, ABORT);
  return weight <= leastWeight ? setOf(HOLD, UP, ABORT) : setOf(HOLD, UP, DOWN, ABORT);
}

/** Percent. */
export function weightAfter(weight: number, action: Action): number {
  switch (action) {
    case HOLD:
      return weight;
    case UP:
      return Math.min(fullWeight, weight + weightStep);
    case DOWN:
      return Math.max(leastWeight, weight - weightStep);
    case ABORT:
      return 0;
  }
}
