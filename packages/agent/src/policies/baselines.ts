import { ABORT, type Action, type ActionSet, DOWN, HOLD, includes, UP } from "../actions.ts";
import type { Steering } from "./policy.ts";

/** The shield leaves ABORT alone where the verdict is `fail`. */
const waitOrAbort = (allowed: ActionSet): Action => (includes(allowed, HOLD) ? HOLD : ABORT);
const first = (allowed: ActionSet, ...wanted: Action[]): Action =>
  wanted.find((action) => includes(allowed, action)) ?? HOLD;

/** Looks at nothing. */
export const alwaysUp: Steering = {
  name: "always UP",
  shielded: false,
  choose: (_situation, allowed) => first(allowed, UP),
};

/**
 * Limits of the last step's share of errors, as a person would write them: down from 2 % on, up below 1 %, and no way
 * to abort. They are those of the source's own rules.
 */
export const rules: Steering = {
  name: "rules",
  shielded: false,
  choose({ metrics, sloLatencyMs }, allowed) {
    if (metrics.errorRatio > 0.02) return first(allowed, DOWN);
    if (metrics.latencyMs > sloLatencyMs) return HOLD;
    return metrics.errorRatio < 0.01 ? first(allowed, UP) : HOLD;
  },
};

/** The sequential test with a gate at each weight, as the chart uses it: it goes on with `pass` only. */
export const sequentialGates: Steering = {
  name: "sequential test, gates",
  shielded: true,
  choose: ({ verdict }, allowed) => (verdict === "pass" ? first(allowed, UP) : waitOrAbort(allowed)),
};

/** The sequential test that climbs until it is stopped: UP unless the shield vetoes it. */
export const sequentialClimb: Steering = {
  name: "sequential test, climbing",
  shielded: true,
  choose: (_situation, allowed) => (includes(allowed, UP) ? UP : waitOrAbort(allowed)),
};
