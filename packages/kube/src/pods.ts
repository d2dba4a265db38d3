import type { Pod } from "./objects.ts";

/** The label of Argo Rollouts' controller on a Rollout's ReplicaSets, pods and Services. */
export const hashLabel = "rollouts-pod-template-hash";

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
