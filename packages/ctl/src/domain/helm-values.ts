import type { HelmRelease } from "./helm-release.ts";

/** A value that a revision was rendered with: what its user set, over the chart's default. */
export function valueOf(release: HelmRelease, ...path: string[]): unknown {
  return valueAt(release.config, path) ?? valueAt(release.chart["values"], path);
}

function valueAt(values: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value !== null && typeof value === "object" ? (value as Record<string, unknown>)[key] : undefined),
    values,
  );
}

/**
 * For how long a person may let a preview wait before it is given up, in seconds: the time to promotion of a blue-green
 * that does not promote itself. Undefined: for ever.
 */
export function promotionLimitSeconds(release: HelmRelease): number | undefined {
  const seconds = Number(valueOf(release, "rollout", "blueGreen", "autoPromotionSeconds") ?? 0);
  const isByHand = valueOf(release, "rollout", "blueGreen", "autoPromotion") === false;
  const scale = Number(valueOf(release, "rollout", "waitScale") ?? 1);
  return isByHand && seconds > 0 ? Math.max(1, Math.ceil(seconds * scale)) : undefined;
}
