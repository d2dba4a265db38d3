/** Cumulative sums: has a version that was good turned bad? */

/**
 * The sum after one look: `max(0, score + increment)`. 0 is a new start.
 *
 * Source: E. S. Page, "Continuous Inspection Schemes", Biometrika 41 (1954); optimal delay: G. Lorden (1971),
 * G. Moustakides (1986).
 *
 * @param mayRestart false once every start that the boundary allows for has been used: the sum then only goes on.
 */
export function cusumStep(score: number, increment: number, mayRestart: boolean): number {
  const next = score + increment;
  return mayRestart && next < 0 ? 0 : next;
}

/**
 * The boundary that a cumulative sum with at most `starts` starts passes with a probability of at most `alpha`:
 * `ln(starts / alpha)`.
 *
 * The sum is the largest of the log-likelihood ratios since each start; each of those passes `h` with a probability of
 * at most `exp(-h)` (Ville), so the largest of M does with at most `M exp(-h)`. Every look at which the sum is 0 is a
 * start, so the number of looks bounds them.
 */
export function cusumBoundary(alpha: number, starts: number): number {
  return Math.log(starts / alpha);
}
