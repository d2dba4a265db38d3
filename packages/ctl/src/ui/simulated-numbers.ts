import type { Share } from "@safe-deploy/verdict";

/** A share of rollouts with its interval: `12.5 % (10.1–15)`. */
export function shareWords({ share, low, high }: Share): string {
  return `${percentDigits(share)} % (${percentDigits(low)}–${percentDigits(high)})`;
}

/** In percent: tenths, below one hundredths. */
export function percentDigits(ratio: number): string {
  const value = 100 * ratio;
  return String(Number(value.toFixed(value < 1 ? 2 : 1)));
}

/** Whole up to 9,999, then in thousands. */
export function countWords(value: number): string {
  return value < 9_999.5 ? value.toFixed(0) : `${Number((value / 1000).toPrecision(3))}k`;
}
