/** The weight that holds at a moment; undefined before the first one. */
export function weightAt(weights: [at: number, weight: number][], moment: number): number | undefined {
  return weights.findLast(([at]) => at <= moment)?.[1];
}
