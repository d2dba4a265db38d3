/**
 * A random-looking sequence of failures whose rate is exact: among the first n decisions, for every n, the number of
 * failures differs from ratio * n by less than 1 (so by less than 2 in any later window), and each single decision
 * fails with probability `ratio`.
 *
 * The count C(n) is kept at floor(ratio * n) or one above. Let f(n) be the fractional part of ratio * n; the step
 * probabilities below are the ones that give P(C(n) = floor + 1) = f(n), so that the mean of C(n) is ratio * n:
 * - ratio * n passes an integer: a count at the floor must fail now, one above it fails with f(n + 1) / f(n);
 * - otherwise: a count above the floor must not fail, one at it fails with ratio / (1 - f(n)).
 */
export class ExactRate {
  readonly ratio: number;
  #random: () => number;
  #decided = 0;
  #failed = 0;

  /** @param ratio share of failures, 0 to 1 */
  constructor(ratio: number, seed: number) {
    this.ratio = ratio;
    this.#random = mulberry32(seed);
  }

  /** Whether the next request fails. */
  next(): boolean {
    const before = this.ratio * this.#decided;
    const after = this.ratio * (this.#decided + 1);
    const floor = Math.floor(before);
    const fails =
      this.#random() <
      this.#chance(before - floor, after - Math.floor(after), this.#failed > floor, Math.floor(after) > floor);
    this.#decided += 1;
    if (fails) this.#failed += 1;
    return fails;
  }

  #chance(fraction: number, nextFraction: number, above: boolean, passesInteger: boolean): number {
    if (passesInteger) return above ? nextFraction / fraction : 1;
    return above ? 0 : this.ratio / (1 - fraction);
  }
}

/** A 32-bit seed from a seed and a name, so that each name has its own sequence (FNV-1a). */
export function seedFor(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Uniform numbers in [0, 1) from a 32-bit seed (Tommy Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
