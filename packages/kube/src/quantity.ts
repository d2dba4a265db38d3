/**
 * Kubernetes quantities ("250m", "1.5Gi", "2e3"), exactly.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 * A quantity is a bigint of billionths (nano), the finest that Kubernetes keeps: cpu in nano cores, memory in nano bytes.
 */
export type Quantity = bigint;

const nano = 1_000_000_000n;

const decimalSuffixes: Record<string, number> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binarySuffixes: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

const form = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,3})?$/;

/** Finer than a billionth is rounded away from zero, as Kubernetes does. Throws RangeError for what is no quantity. */
export function parseQuantity(text: string | number): Quantity {
  const match = form.exec(String(text));
  if (match === null)
    throw new RangeError(`"${text}" is not a quantity; write a number such as 500m, 0.5, 128Mi or 1G`);
  const [, sign, number = "", suffix = ""] = match;
  const [whole = "", fraction = ""] = number.split(".");
  let numerator = BigInt(whole + fraction) * nano;
  let denominator = 10n ** BigInt(fraction.length);
  const binary = binarySuffixes[suffix];
  if (binary !== undefined) {
    numerator <<= BigInt(binary);
  } else {
    const exponent = decimalSuffixes[suffix] ?? Number(suffix.slice(1));
    if (exponent >= 0) numerator *= 10n ** BigInt(exponent);
    else denominator *= 10n ** BigInt(-exponent);
  }
  const size = (numerator + denominator - 1n) / denominator;
  return sign === "-" ? -size : size;
}

/** Negative, 0 or positive, for sorting. */
export function compareQuantities(a: string | number, b: string | number): number {
  const difference = parseQuantity(a) - parseQuantity(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The shortest way of writing it without loss: with decimal suffixes ("250m", "3k") or binary ones ("1536Mi"). */
export function formatQuantity(quantity: Quantity, form: "decimal" | "binary" = "decimal"): string {
  if (quantity === 0n) return "0";
  const sign = quantity < 0n ? "-" : "";
  const size = quantity < 0n ? -quantity : quantity;
  if (form === "binary" && size % nano === 0n) {
    const units = size / nano;
    const fits = Object.entries(binarySuffixes).findLast(([, bits]) => units % (1n << BigInt(bits)) === 0n);
    return fits === undefined ? `${sign}${units}` : `${sign}${units >> BigInt(fits[1])}${fits[0]}`;
  }
  const [suffix, exponent] = Object.entries(decimalSuffixes).findLast(
    ([, exponent]) => size % 10n ** BigInt(exponent + 9) === 0n,
  ) as [string, number];
  return `${sign}${size / 10n ** BigInt(exponent + 9)}${suffix}`;
}
