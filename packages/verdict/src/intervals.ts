/** How sure a simulated probability is. */

/** The interval of a probability of which `k` out of `n` runs were seen, at the given confidence. */
export interface Interval {
  low: number;
  high: number;
}

/**
 * The exact interval of C. J. Clopper and E. S. Pearson, Biometrika 26 (1934): the quantiles of
 * Beta(k, n-k+1) and Beta(k+1, n-k). Also without any event it has an upper end.
 */
export function clopperPearson(k: number, n: number, confidence = 0.95): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const tail = (1 - confidence) / 2;
  return {
    low: k === 0 ? 0 : betaQuantile(tail, k, n - k + 1),
    high: k === n ? 1 : betaQuantile(1 - tail, k + 1, n - k),
  };
}

/** The interval of a quantile. An end is null where so few values do not bound it. */
export interface QuantileInterval {
  low: number | null;
  high: number | null;
}

/**
 * Between which of `n` values, in order, the quantile of their distribution lies with the given confidence, whatever the
 * distribution is: ranks from 1; 0 and n + 1 where there is no such value.
 *
 * Source: W. R. Thompson, Ann. Math. Stat. 7 (1936): how many values lie below the quantile is binomial.
 */
export function quantileRanks(quantile: number, n: number, confidence = 0.95): { low: number; high: number } {
  const tail = (1 - confidence) / 2;
  // P(at most k of n values lie below the quantile); rises with k.
  const atMost = (k: number) => (k < 0 ? 0 : k >= n ? 1 : 1 - incompleteBeta(quantile, k + 1, n - k));
  const first = (holds: (k: number) => boolean) => {
    let low = 0;
    let high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return { low: first((k) => atMost(k) > tail), high: first((k) => atMost(k) >= 1 - tail) + 1 };
}

/** ln of Euler's gamma function for x > 0. Source: C. Lanczos (1964), with the nine coefficients for g = 7; relative error below 1e-14. */
export function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  let sum = 0.9999999999998099;
  for (const [i, c] of coefficients.entries()) sum += c / (x + i);
  const t = x + 6.5;
  return 0.9189385332046727 + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** ln B(a, b). */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/**
 * The regularized incomplete beta function I_x(a, b): the probability that a Beta(a, b) variable is at most x.
 *
 * Source: M. Abramowitz and I. Stegun, 26.5.8 (continued fraction), evaluated by W. J. Lentz's method (1976), with
 * I_x(a, b) = 1 - I_(1-x)(b, a) where that converges faster.
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const atLeast = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / atLeast(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / atLeast(1 + even * d);
    c = atLeast(1 + even / c);
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / atLeast(1 + odd * d);
    c = atLeast(1 + odd / c);
    result *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return result;
}

/** Halves the interval until it is as small as a double can tell. */
function betaQuantile(probability: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a, b) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
