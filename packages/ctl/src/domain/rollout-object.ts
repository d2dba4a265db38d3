import type { Rollout } from "@safe-deploy/kube";

/** `status.observedGeneration` is text; one that is no number comes from a controller that does not say. */
export function isRolloutObserved(rollout: Rollout): boolean {
  const observed = Number(rollout.status?.observedGeneration ?? 0);
  return Number.isNaN(observed) || observed >= (rollout.metadata.generation ?? 0);
}
