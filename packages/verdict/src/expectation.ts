import { type Hypotheses, logLikelihoodRatio } from "./sprt.ts";

/** What a boundary costs before it is reached. */
export interface Crossing {
  /** Expected requests until the boundary is reached. */
  requests: number;
  /** Expected bad requests until then. */
  bad: number;
  /** The probability that it is reached. Below 1 only when the true ratio lies below the break-even. */
  reached: number;
}

/**
 * The exact cost of the upper boundary alone, looked at after every `batch` requests, when each request is bad with
 * probability `p`: no approximation for the overshoot, which at high ratios is most of the cost.
 *
 * After n requests the log-likelihood ratio depends on the number k of bad ones alone, so the boundary is a k for each
 * n. The recursion carries the probabilities of every k that has not reached it, look by look.
 *
 * Source: P. Armitage, C. K. McPherson and B. C. Rowe, "Repeated Significance Tests on Accumulating Data", J. R. Stat.
 * Soc. A 132 (1969), section 2, for binomial counts.
 *
 * @param boundary in nats, after multiplication by phi.
 * @param lower where a window ends without an alarm, in nats; none by default.
 * @param until the recursion ends when less than this probability is left.
 */
export function expectedCrossing(
  hypotheses: Hypotheses,
  boundary: number,
  p: number,
  { batch = 1, lower = -Infinity, until = 1e-10, maxRequests = 5_000_000 } = {},
): Crossing {
  const perBad = logLikelihoodRatio(1, 1, hypotheses);
  const perGood = logLikelihoodRatio(1, 0, hypotheses);
  const each = binomialProbabilities(batch, p);
  // alive[k]: the probability of k bad requests without having reached a boundary.
  let alive = new Float64Array([1]);
  let first = 0;
  let left = 1;
  let requests = 0;
  let reached = 0;
  for (let n = batch; left > until && n <= maxRequests; n += batch) {
    requests += left * batch;
    const score = (k: number) => k * perBad + (n - k) * perGood;
    const next = new Float64Array(alive.length + batch);
    for (let i = 0; i < alive.length; i++) {
      const mass = alive[i]!;
      if (mass === 0) continue;
      for (let j = 0; j < each.length; j++) next[i + j]! += mass * each[j]!;
    }
    left = 0;
    let low = next.length;
    let high = -1;
    for (let i = 0; i < next.length; i++) {
      const s = score(first + i);
      if (s >= boundary) {
        reached += next[i]!;
        next[i] = 0;
      } else if (s <= lower) next[i] = 0;
      // What is smaller than this adds up to nothing that a double could tell.
      else if (next[i]! > 1e-18) {
        left += next[i]!;
        low = Math.min(low, i);
        high = i;
      } else next[i] = 0;
    }
    alive = next.slice(low, high + 1);
    first += low;
  }
  // A. Wald's identity: bad requests are requests times their ratio, also at a random end.
  return { requests, bad: p * requests, reached };
}

/**
 * The expected cost from a change on of a cumulative sum that stands at 0 when the version turns bad: tests with the
 * boundaries 0 and h are repeated until one ends at h, so it is the cost of one over its probability.
 *
 * Source: E. S. Page (1954), section 3.
 */
export function expectedDelay(hypotheses: Hypotheses, boundary: number, p: number): Crossing {
  const one = expectedCrossing(hypotheses, boundary, p, { lower: 0 });
  return { requests: one.requests / one.reached, bad: one.bad / one.reached, reached: 1 };
}

/**
 * The exact cost of the comparison with stable for a fault that is known beforehand: the canary's bad requests until the
 * evidence for the true ratio against the tolerated one reaches the boundary. Each bad request of either version is a
 * trial that falls on the canary with probability theta, against rho_r (see count-mixture.ts). A mixture over ratios
 * cannot do better, because it does not know the fault.
 *
 * @param share the canary's share of the requests, 0 to 1.
 */
export function expectedComparison(
  fault: { canary: number; stable: number; share: number },
  tolerated: number,
  boundary: number,
): Crossing {
  const canary = fault.share * fault.canary;
  const stable = (1 - fault.share) * fault.stable;
  const theta = canary / (canary + stable);
  const rho = (tolerated * fault.share) / (tolerated * fault.share + 1 - fault.share);
  // Without a bad request of stable every trial falls on the canary, and one that did not would end the evidence.
  const p1 = Math.min(theta, 1 - 1e-12);
  const { requests: trials, bad, reached } = expectedCrossing({ p0: rho, p1 }, boundary, theta);
  return { requests: (trials * theta) / fault.canary, bad, reached };
}

function binomialProbabilities(n: number, p: number): Float64Array {
  const result = new Float64Array(n + 1);
  result[0] = 1;
  for (let trial = 1; trial <= n; trial++) {
    for (let k = trial; k >= 1; k--) result[k] = result[k]! * (1 - p) + result[k - 1]! * p;
    result[0] *= 1 - p;
  }
  return result;
}
