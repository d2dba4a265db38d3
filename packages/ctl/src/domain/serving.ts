import type { ContainerStatus, Deployment, EndpointSlice, Pod, ReplicaSet } from "@safe-deploy/kube";

/** What the cluster holds of one workload, at one moment. */
export interface WorkloadSnapshot {
  deployment: Deployment | undefined;
  replicaSets: readonly ReplicaSet[];
  /** Every pod that the workload's selector matches. */
  pods: readonly Pod[];
  /** Of the main Service. */
  endpoints: readonly EndpointSlice[];
}

const revisionAnnotation = "deployment.kubernetes.io/revision";

/** The ReplicaSet of the Deployment's present template; undefined until the controller has seen that template. */
export function newReplicaSet(s: WorkloadSnapshot): ReplicaSet | undefined {
  if (s.deployment === undefined || !isObserved(s.deployment)) return undefined;
  const revision = s.deployment.metadata.annotations?.[revisionAnnotation];
  return s.replicaSets.find(
    (replicaSet) =>
      replicaSet.metadata.annotations?.[revisionAnnotation] === revision &&
      isOwnedBy(replicaSet.metadata.ownerReferences, s.deployment?.metadata.uid),
  );
}

export function podsOf(replicaSet: ReplicaSet | undefined, pods: readonly Pod[]): Pod[] {
  if (replicaSet === undefined) return [];
  return pods.filter((pod) => isOwnedBy(pod.metadata.ownerReferences, replicaSet.metadata.uid));
}

/** Whether the present template alone answers requests; if not, what is still awaited, in plain words. */
export function servesAlone(s: WorkloadSnapshot): { done: true } | { done: false; waitingFor: string } {
  const waiting = (waitingFor: string) => ({ done: false, waitingFor }) as const;
  const { deployment } = s;
  if (deployment === undefined) return waiting("the Deployment to exist");
  if (!isObserved(deployment)) return waiting("the Deployment controller to see the new template");
  const replicaSet = newReplicaSet(s);
  if (replicaSet === undefined) return waiting("the new ReplicaSet");

  const wanted = deployment.spec.replicas ?? 1;
  const fresh = podsOf(replicaSet, s.pods);
  const ready = fresh.filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
  if (ready.length < wanted) return waiting(`${ready.length} of ${wanted} new pods ready`);
  if ((deployment.status?.availableReplicas ?? 0) < wanted) {
    return waiting(`${deployment.status?.availableReplicas ?? 0} of ${wanted} pods available`);
  }

  const own = new Set(fresh.map((pod) => pod.metadata.name));
  const serving = s.endpoints
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false)
    .map((endpoint) => endpoint.targetRef?.name ?? "?");
  const others = new Set(serving.filter((name) => !own.has(name)));
  if (others.size > 0) return waiting(`${others.size} old ${others.size === 1 ? "pod" : "pods"} to stop serving`);
  if (wanted > 0 && serving.length === 0) return waiting("the Service to have endpoints");
  return { done: true };
}

export function isReady(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false
  );
}

/** The digest that the pods of the present template run the container with; undefined until one of them runs. */
export function runningImageId(s: WorkloadSnapshot, container: string): string | undefined {
  const statuses = podsOf(newReplicaSet(s), s.pods).flatMap(
    (pod): ContainerStatus[] => pod.status?.containerStatuses ?? [],
  );
  return statuses.find((status) => status.name === container && status.imageID !== "")?.imageID;
}

function isObserved(deployment: Deployment): boolean {
  return (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

function isOwnedBy(owners: { uid: string }[] | undefined, uid: string | undefined): boolean {
  return uid !== undefined && (owners?.some((owner) => owner.uid === uid) ?? false);
}
