/**
 * The canary against stable, by counts of bad requests: is the canary's ratio more than `tolerated` times stable's?
 * What both versions suffer alike moves nothing, however large it is.
 *
 * With `n_c` and `n_s` requests counted in the same time, a canary that is exactly r times as bad as stable gets each
 * bad request with probability `rho_r = r n_c / (r n_c + n_s)`; one that is lambda times as bad with
 * `theta = lambda n_c / (lambda n_c + n_s)`. The evidence for lambda against r, of `k_c` and `k_s` bad requests, is
 * `(theta/rho_r)^k_c ((1-theta)/(1-rho_r))^k_s`, multiplied over looks, and mixed over some lambda > r: a prior
 * truncated to theta > rho_r.
 *
 * Source: M. Lindon and A. Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (arXiv
 * 2011.03567), where the prior is a Dirichlet over theta and the share rho is fixed. Here the prior is a few points over
 * lambda, because the share changes with each weight and each look, while lambda does not.
 *
 * Why the evidence is a supermartingale for every canary with p_c <= r p_s, also when both change from look to look:
 * for binomial counts and with `1 + x <= e^x` its expectation over one look is at most
 * `exp(n_c p_c (theta/rho_r - 1) + n_s p_s ((1-theta)/(1-rho_r) - 1))`, and the exponent is 0 at p_c = r p_s and rises
 * with p_c. No approximation by Poisson counts is needed.
 */

/** Bad requests and all requests of the two versions, counted over the same time. */
export interface PairedCounts {
  canaryRequests: number;
  canaryBad: number;
  stableRequests: number;
  stableBad: number;
}

/** The points of the prior: lambda / tolerated. The nearest keeps three quarters of the best evidence for ratios from 1.3 to 400. */
export const ratioSteps: readonly number[] = [1.4, 2, 3.2, 6, 20, 300];

/** Evidence for each point of the prior, in nats; all 0 at the start. */
export function noEvidence(): number[] {
  return ratioSteps.map(() => 0);
}

/**
 * The log of the evidence for `ratio` against `tolerated` of one look:
 * `k_c ln(ratio/tolerated) - (k_c + k_s) ln((ratio n_c + n_s) / (tolerated n_c + n_s))`.
 */
export function logEvidence(counts: PairedCounts, ratio: number, tolerated: number): number {
  const { canaryRequests, canaryBad, stableRequests, stableBad } = counts;
  const bad = canaryBad + stableBad;
  if (bad === 0 || canaryRequests === 0) return 0;
  return (
    canaryBad * Math.log(ratio / tolerated) -
    bad * Math.log((ratio * canaryRequests + stableRequests) / (tolerated * canaryRequests + stableRequests))
  );
}

/** Adds one look to the evidence for each point, in place. @param scale 1/phi. */
export function addEvidence(evidence: number[], counts: PairedCounts, tolerated: number, scale: number): void {
  if (counts.canaryBad + counts.stableBad === 0) return;
  for (let j = 0; j < evidence.length; j++) {
    evidence[j]! += scale * logEvidence(counts, tolerated * ratioSteps[j]!, tolerated);
  }
}

/** The log of the mixture's evidence: of the mean over the points, whose weights are equal. */
export function logMixture(evidence: readonly number[]): number {
  let max = -Infinity;
  for (const e of evidence) if (e > max) max = e;
  let sum = 0;
  for (const e of evidence) sum += Math.exp(e - max);
  return max + Math.log(sum / evidence.length);
}
