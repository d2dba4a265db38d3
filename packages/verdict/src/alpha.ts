import { cusumBoundary } from "./cusum.ts";
import type { Plan, Policy } from "./policy.ts";
import { villeBoundary } from "./sprt.ts";

/** How much evidence one rule's two ways to fail need, in nats. */
export interface Boundaries {
  /** For "bad from the start". */
  sprt: number;
  /** For "turned bad later". */
  cusum: number;
  /** How many starts the cumulative sum may make. */
  starts: number;
}

/**
 * Divides an attempt's alpha among its rules by their shares, and each rule's part in halves between its two ways to
 * fail. By the union bound (G. Boole) a good version then fails with a probability of at most alpha.
 *
 * A rule's absolute and relative tests share one boundary: both must reject, and under p_c <= max(p0, r p_s) at least
 * one of them has a true null, so nothing is divided between them.
 */
export function divideAlpha(policy: Policy, plan: Plan): Boundaries[] {
  const total = policy.rules.reduce((sum, rule) => sum + (rule.alphaShare ?? 1), 0);
  const starts = Math.max(1, Math.ceil(plan.horizonSeconds / plan.pollSeconds));
  return policy.rules.map((rule) => {
    const half = (policy.alpha * (rule.alphaShare ?? 1)) / total / 2;
    return { sprt: villeBoundary(half), cusum: cusumBoundary(half, starts), starts };
  });
}
