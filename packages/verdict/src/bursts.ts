/**
 * Bursts: requests that fail together, because one retry loop, one connection or one user sends them.
 */

export interface BurstEstimate {
  /** The design factor to put into the policy. */
  phi: number;
  /** Windows that it rests on. */
  windows: number;
}

/** The fewest windows, and bad requests per window, that an estimate may rest on. */
const minimumWindows = 30;
const minimumBadPerWindow = 1;

/**
 * The design factor from stable's past: Pearson's dispersion, `sum (k - n p)^2 / (n p (1-p)) / (windows - 1)`, with p
 * the ratio over all windows; at least 1. For bursts of size m it estimates E[m^2]/E[m], which is above their mean.
 *
 * What it gives: evidence divided by phi keeps alpha and beta for bursts of at most phi. What it does not: larger bursts,
 * which a mean says nothing about, and bursts that only the new version has. A ratio that moves through the day makes
 * it larger than bursts alone would, which costs requests and no promise.
 *
 * Source: P. McCullagh and J. A. Nelder, "Generalized Linear Models" (1989), section 4.5.
 *
 * @param past one entry for each window of equal length, of stable alone.
 * @returns undefined when there is too little to estimate from.
 */
export function estimateBursts(past: readonly { requests: number; bad: number }[]): BurstEstimate | undefined {
  const windows = past.filter(({ requests }) => requests > 0);
  const requests = windows.reduce((sum, window) => sum + window.requests, 0);
  const bad = windows.reduce((sum, window) => sum + window.bad, 0);
  if (windows.length < minimumWindows || bad < minimumBadPerWindow * windows.length || bad === requests) {
    return undefined;
  }
  const p = bad / requests;
  const chiSquare = windows.reduce(
    (sum, window) => sum + (window.bad - window.requests * p) ** 2 / (window.requests * p * (1 - p)),
    0,
  );
  return { phi: Math.max(1, chiSquare / (windows.length - 1)), windows: windows.length };
}
