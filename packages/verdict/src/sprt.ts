/**
 * The sequential probability ratio of one proportion: is the canary's share of bad requests at most `p0`, or at least
 * `p1`? Judged by the upper boundary alone, so it may be looked at as often as one likes.
 */

/** The two ratios that a test tells apart. Between them nothing is promised. */
export interface Hypotheses {
  /** At most this share of bad requests is good. */
  p0: number;
  /** From this share on a version is bad. */
  p1: number;
}

/**
 * `k ln(p1/p0) + (n-k) ln((1-p1)/(1-p0))`, the log-likelihood ratio of `k` bad requests out of `n`.
 *
 * Source: A. Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16 (1945).
 */
export function logLikelihoodRatio(n: number, k: number, { p0, p1 }: Hypotheses): number {
  return k * Math.log(p1 / p0) + (n - k) * Math.log((1 - p1) / (1 - p0));
}

/**
 * The boundary that a process of ratios started at 1 passes with a probability of at most `alpha`, ever: `ln(1/alpha)`.
 *
 * The likelihood ratio's expected factor per request, `p p1/p0 + (1-p)(1-p1)/(1-p0)`, is linear in the true ratio `p`
 * and 1 at `p0`, so for every `p <= p0`, also one that changes from request to request, the process is a non-negative
 * supermartingale, and Ville's inequality holds.
 *
 * Source: J. Ville, "Étude critique de la notion de collectif" (1939): P(sup X >= c) <= E[X_0] / c.
 */
export function villeBoundary(alpha: number): number {
  return Math.log(1 / alpha);
}

/**
 * How many requests without a bad one it takes to reject `p1` at `beta`: `ln(1/beta) / ln((1-p0)/(1-p1))`, rounded up.
 * 332 for 0.1 % against 1 % at 5 %.
 *
 * @param phi the bursts' design factor, 1 when requests fail independently.
 */
export function requestsToReject(hypotheses: Hypotheses, beta: number, phi = 1): number {
  return Math.ceil((phi * Math.log(1 / beta)) / -logLikelihoodRatio(1, 0, hypotheses));
}

/**
 * The true ratio at which the log-likelihood ratio neither rises nor falls. Above it an absolute test alone ends in an
 * alarm sooner or later, although the ratio may lie far below `p1`: 0.39 % for 0.1 % against 1 %.
 */
export function breakEvenRatio({ p0, p1 }: Hypotheses): number {
  const perGood = Math.log((1 - p0) / (1 - p1));
  return perGood / (Math.log(p1 / p0) + perGood);
}

/** `p ln(p/q) + (1-p) ln((1-p)/(1-q))`: what one request of ratio `p` tells against the ratio `q`, in nats (S. Kullback and R. A. Leibler, 1951). */
export function divergence(p: number, q: number): number {
  const term = (a: number, b: number) => (a === 0 ? 0 : a * Math.log(a / b));
  return term(p, q) + term(1 - p, 1 - q);
}
