import type { HelmRelease } from "./helm-release.ts";

export type Mode = "deployment" | "rollout";

export interface ModeState {
  mode: Mode;
  /** Both workloads exist. */
  isHandover: boolean;
}

/** What is left to do to change a release's mode, in order. */
export type ModeStep =
  /** Both workloads serve beside each other. */
  | "begin"
  /** The workload of the mode before goes. */
  | "complete";

/** The mode that a revision was rendered with: what its user set, over the chart's default. */
export function modeOf(release: HelmRelease): ModeState {
  const defaults = release.chart["values"];
  const mode = valueAt(release.config, ["mode"]) ?? valueAt(defaults, ["mode"]);
  const handover = valueAt(release.config, ["rollout", "handover"]) ?? valueAt(defaults, ["rollout", "handover"]);
  return { mode: mode === "rollout" ? "rollout" : "deployment", isHandover: handover === true };
}

/**
 * Pure.
 *
 * @param isResumed whether an earlier ctl died on the way. A revision that its Helm did not bring to its end may have been
 *   applied in part, so it counts for nothing: beginning again brings both workloads back.
 */
export function modeSteps(newest: HelmRelease, wanted: Mode, isResumed: boolean): ModeStep[] {
  const { mode, isHandover } = modeOf(newest);
  const isWhole = !isResumed || newest.info.status === "deployed";
  if (mode !== wanted || !isWhole) return ["begin", "complete"];
  return isHandover ? ["complete"] : [];
}

function valueAt(values: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value !== null && typeof value === "object" ? (value as Record<string, unknown>)[key] : undefined),
    values,
  );
}
