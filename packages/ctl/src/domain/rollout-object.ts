import type { Rollout } from "@safe-deploy/kube";

/** The controller's label on a Rollout's ReplicaSets, pods and Services. */
export const hashLabel = "rollouts-pod-template-hash";

/** `status.observedGeneration` is text; one that is no number comes from a controller that does not say. */
export function isRolloutObserved(rollout: Rollout): boolean {
  const observed = Number(rollout.status?.observedGeneration ?? 0);
  return Number.isNaN(observed) || observed >= (rollout.metadata.generation ?? 0);
}
