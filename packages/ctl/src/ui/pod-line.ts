import { isReady, type Pod } from "@safe-deploy/kube";
import type { PodLine } from "./progress.ts";

/** A pod in one line, its state as `kubectl get pods` words it. */
export function podLine({ pod, isNew }: { pod: Pod; isNew: boolean }): PodLine {
  const statuses = pod.status?.containerStatuses ?? [];
  return {
    name: pod.metadata.name,
    isNew,
    state: podState(pod),
    ready: isReady(pod),
    restarts: statuses.reduce((sum, status) => sum + status.restartCount, 0),
  };
}

export function podState(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const { state } of statuses) {
    const reason =
      state?.waiting?.reason ?? (state?.terminated?.exitCode === 0 ? undefined : state?.terminated?.reason);
    if (reason !== undefined) return reason;
  }
  return pod.status?.phase ?? "Unknown";
}
