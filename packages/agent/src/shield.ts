import type { Verdict } from "@safe-deploy/verdict";
import { ABORT, type ActionSet, fullWeight, HOLD, possibleActions, setOf, UP, weightAfter } from "./actions.ts";
import type { Situation } from "./features.ts";

export interface ShieldInput {
  /** Percent. */
  weight: number;
  verdict: Verdict;
  /** See `Evidence`. */
  suspicion: number;
  /** Whether the version under test is slower than its service level objective. */
  isSlow: boolean;
}

/** The same for a situation. */
export function allowedIn({ weight, verdict, evidence, metrics, sloLatencyMs }: Situation): ActionSet {
  const isSlow = metrics.latencyMs > sloLatencyMs;
  return allowedActions({ weight, verdict, suspicion: evidence.suspicion, isSlow });
}

/** From this share of what a failure needs on, the version gets no more requests. */
export const vetoedFrom = 0.5;

/**
 * What the sequential verdict leaves to whoever steers, in training and in use:
 *
 * - `fail`: nothing but ABORT.
 * - `blind`: nothing but HOLD. What cannot be seen is neither good nor bad; the verdict says when it has lasted too long.
 * - UP is vetoed while half of what a failure needs is there, and while the version is slower than it may be.
 * - 100 % needs `pass`.
 */
export function allowedActions({ weight, verdict, suspicion, isSlow }: ShieldInput): ActionSet {
  if (verdict === "fail") return setOf(ABORT);
  if (verdict === "blind") return setOf(HOLD);
  const promotes = weightAfter(weight, UP) === fullWeight;
  const vetoed = suspicion >= vetoedFrom || isSlow || (promotes && verdict !== "pass");
  return vetoed ? possibleActions(weight) & ~setOf(UP) : possibleActions(weight);
}
