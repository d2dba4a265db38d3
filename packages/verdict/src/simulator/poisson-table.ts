import type { Random } from "../random.ts";

/** Draws Poisson counts of one mean from a table: a guide finds the place, so a draw takes the same short time for any mean. */
export class PoissonTable {
  readonly #first: number;
  readonly #cumulative: Float64Array;
  readonly #guide: Int32Array;

  constructor(mean: number) {
    // Twelve deviations on either side: what lies outside is less than a draw's 53 bits can tell.
    const width = Math.ceil(12 * Math.sqrt(mean) + 40);
    const mode = Math.floor(mean);
    this.#first = Math.max(0, mode - width);
    const size = mode + width - this.#first + 1;
    const weights = new Float64Array(size);
    weights[mode - this.#first] = 1;
    for (let k = mode + 1; k < this.#first + size; k++) {
      weights[k - this.#first] = (weights[k - 1 - this.#first]! * mean) / k;
    }
    for (let k = mode - 1; k >= this.#first; k--) {
      weights[k - this.#first] = (weights[k + 1 - this.#first]! * (k + 1)) / mean;
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#cumulative = new Float64Array(size);
    let sum = 0;
    for (let i = 0; i < size; i++) {
      sum += weights[i]! / total;
      this.#cumulative[i] = sum;
    }
    this.#cumulative[size - 1] = 1;
    this.#guide = new Int32Array(size);
    for (let i = 0, place = 0; i < size; i++) {
      while (this.#cumulative[place]! <= i / size) place++;
      this.#guide[i] = place;
    }
  }

  draw(random: Random): number {
    const u = random.uniform();
    let place = this.#guide[Math.floor(u * this.#guide.length)]!;
    while (this.#cumulative[place]! <= u) place++;
    return this.#first + place;
  }
}
