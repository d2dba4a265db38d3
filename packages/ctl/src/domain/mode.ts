import type { HelmRelease } from "./helm-release.ts";
import { valueOf } from "./helm-values.ts";

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

/** The mode that a revision was rendered with. */
export function modeOf(release: HelmRelease): ModeState {
  return {
    mode: valueOf(release, "mode") === "rollout" ? "rollout" : "deployment",
    isHandover: valueOf(release, "rollout", "handover") === true,
  };
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
