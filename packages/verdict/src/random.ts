/** Seeded random numbers for simulations: the same seed gives the same numbers on every machine. */

/**
 * Uniform numbers in [0, 1) with 53 random bits.
 *
 * Source: xoshiro128**, D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators" (2021), seeded by
 * a 32-bit SplitMix.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    let s = seed | 0;
    const next = () => {
      s = (s + 0x9e3779b9) | 0;
      let z = s ^ (s >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** 32 random bits, as an unsigned integer. */
  bits(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** In [0, 1). */
  uniform(): number {
    return ((this.bits() >>> 5) * 67108864 + (this.bits() >>> 6)) / 9007199254740992;
  }

  /** How many of `n` trials succeed, each with probability `p`. */
  binomial(n: number, p: number): number {
    if (n <= 0 || p <= 0) return 0;
    if (p >= 1) return n;
    if (p > 0.5) return n - this.binomial(n, 1 - p);
    return n * p < 10 ? this.#binomialByInversion(n, p) : this.#binomialByRejection(n, p);
  }

  /** How many events of a Poisson process there are when `mean` are expected. */
  poisson(mean: number): number {
    if (mean <= 0) return 0;
    return mean < 10 ? this.#poissonByInversion(mean) : this.#poissonByRejection(mean);
  }

  /** How many trials the first success takes, at least 1. */
  geometric(p: number): number {
    return p >= 1 ? 1 : 1 + Math.floor(Math.log1p(-this.uniform()) / Math.log1p(-p));
  }

  /** Sums up the probabilities from 0 on: about n p steps. */
  #binomialByInversion(n: number, p: number): number {
    const odds = p / (1 - p);
    let probability = Math.exp(n * Math.log1p(-p));
    let u = this.uniform();
    let k = 0;
    while (u > probability && k < n) {
      u -= probability;
      k++;
      probability *= ((n + 1 - k) / k) * odds;
    }
    return k;
  }

  /** Algorithm BTRS: W. Hörmann, "The Generation of Binomial Random Variates", J. Stat. Comput. Simul. 46 (1993). */
  #binomialByRejection(n: number, p: number): number {
    const spread = Math.sqrt(n * p * (1 - p));
    const b = 1.15 + 2.53 * spread;
    const a = -0.0873 + 0.0248 * b + 0.01 * p;
    const centre = n * p + 0.5;
    const inner = 0.92 - 4.2 / b;
    const alpha = (2.83 + 5.1 / b) * spread;
    const mode = Math.floor((n + 1) * p);
    const logOdds = Math.log(p / (1 - p));
    for (;;) {
      const u = this.uniform() - 0.5;
      const v = this.uniform();
      const us = 0.5 - Math.abs(u);
      const k = Math.floor(((2 * a) / us + b) * u + centre);
      if (us >= 0.07 && v <= inner) return k;
      if (k < 0 || k > n) continue;
      const logV = Math.log((v * alpha) / (a / (us * us) + b));
      const bound =
        logFactorial(mode) + logFactorial(n - mode) - logFactorial(k) - logFactorial(n - k) + (k - mode) * logOdds;
      if (logV <= bound) return k;
    }
  }

  #poissonByInversion(mean: number): number {
    let probability = Math.exp(-mean);
    let u = this.uniform();
    let k = 0;
    while (u > probability && k < 1000) {
      u -= probability;
      k++;
      probability *= mean / k;
    }
    return k;
  }

  /** Algorithm PTRS: W. Hörmann, "The Transformed Rejection Method for Generating Poisson Random Variables" (1993). */
  #poissonByRejection(mean: number): number {
    const b = 0.931 + 2.53 * Math.sqrt(mean);
    const a = -0.059 + 0.02483 * b;
    const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
    const inner = 0.9277 - 3.6224 / (b - 2);
    const logMean = Math.log(mean);
    for (;;) {
      const u = this.uniform() - 0.5;
      const v = this.uniform();
      const us = 0.5 - Math.abs(u);
      const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
      if (us >= 0.07 && v <= inner) return k;
      if (k < 0 || (us < 0.013 && v > us)) continue;
      const logV = Math.log((v * inverseAlpha) / (a / (us * us) + b));
      if (logV <= k * logMean - mean - logFactorial(k)) return k;
    }
  }
}

const smallLogFactorials = Float64Array.from({ length: 256 }, () => 0);
for (let k = 2; k < 256; k++) smallLogFactorials[k] = smallLogFactorials[k - 1]! + Math.log(k);

/** ln(k!), by Stirling's series from 256 on: its next term is below 1e-15 there. */
function logFactorial(k: number): number {
  if (k < 256) return smallLogFactorials[k]!;
  const x = k + 1;
  const x2 = 1 / (x * x);
  return (x - 0.5) * Math.log(x) - x + 0.9189385332046727 + (1 / 12 - x2 * (1 / 360 - x2 / 1260)) / x;
}
