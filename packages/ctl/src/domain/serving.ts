import {
  type ContainerStatus,
  type Deployment,
  type EndpointSlice,
  hashLabel,
  isReady,
  type Pod,
  type PodTemplate,
  type ReplicaSet,
  type Rollout,
} from "@safe-deploy/kube";
import { shortHash } from "./canonical.ts";
import { isRolloutObserved } from "./rollout-object.ts";

/** What the cluster holds of one workload, at one moment. */
export interface WorkloadSnapshot {
  deployment: Deployment | undefined;
  /** In the Deployment's place where Argo Rollouts runs the workload. */
  rollout?: Rollout | undefined;
  replicaSets: readonly ReplicaSet[];
  /** Every pod that the workload's selector matches. */
  pods: readonly Pod[];
  /** Of the main Service. */
  endpoints: readonly EndpointSlice[];
}

const revisionAnnotation = "deployment.kubernetes.io/revision";

export const noWorkload: WorkloadSnapshot = { deployment: undefined, replicaSets: [], pods: [], endpoints: [] };

/** The object that makes the pods, of either kind. */
export function workloadOf(s: WorkloadSnapshot): Deployment | Rollout | undefined {
  return s.rollout ?? s.deployment;
}

/** Hash of the pod template that is asked for, by which two applied releases are told apart. */
export function templateHash(workload: Deployment | Rollout | undefined): string | undefined {
  return workload === undefined ? undefined : shortHash(workload.spec.template);
}

/**
 * The pod template that tells what a release runs, the same for both kinds of workload: the API server fills in defaults
 * in a Deployment and in every ReplicaSet, but not in a Rollout. Undefined until the controller has seen it.
 */
export function presentTemplate(s: WorkloadSnapshot): PodTemplate | undefined {
  if (s.rollout === undefined) return s.deployment?.spec.template;
  const spec = newReplicaSet(s)?.spec.template?.spec;
  if (spec === undefined) return undefined;
  // Rollouts writes its labels of the moment (role: canary) into the ReplicaSet's template.
  const { metadata } = s.rollout.spec.template;
  return { ...(metadata === undefined ? {} : { metadata }), spec };
}

/** The ReplicaSet of the workload's present template; undefined until the controller has seen that template. */
export function newReplicaSet(s: WorkloadSnapshot): ReplicaSet | undefined {
  if (s.rollout !== undefined) return currentReplicaSet(s, s.rollout);
  if (s.deployment === undefined || !isObserved(s.deployment)) return undefined;
  const revision = s.deployment.metadata.annotations?.[revisionAnnotation];
  return s.replicaSets.find(
    (replicaSet) =>
      replicaSet.metadata.annotations?.[revisionAnnotation] === revision &&
      isOwnedBy(replicaSet.metadata.ownerReferences, s.deployment?.metadata.uid),
  );
}

function currentReplicaSet(s: WorkloadSnapshot, rollout: Rollout): ReplicaSet | undefined {
  const hash = rollout.status?.currentPodHash;
  if (!isRolloutObserved(rollout) || hash === undefined || hash === "") return undefined;
  return s.replicaSets.find(
    ({ metadata }) =>
      metadata.labels?.[hashLabel] === hash && isOwnedBy(metadata.ownerReferences, rollout.metadata.uid),
  );
}

export function podsOf(replicaSet: ReplicaSet | undefined, pods: readonly Pod[]): Pod[] {
  if (replicaSet === undefined) return [];
  return pods.filter((pod) => isOwnedBy(pod.metadata.ownerReferences, replicaSet.metadata.uid));
}

export type ServingState = { done: true } | { done: false; waitingFor: string };

const waiting = (waitingFor: string) => ({ done: false, waitingFor }) as const;

/** Whether the present template alone answers requests; if not, what is still awaited, in plain words. */
export function servesAlone(s: WorkloadSnapshot): ServingState {
  if (s.rollout !== undefined) return isStableAlone(s, s.rollout);
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
  return takesAllRequests(s, fresh, wanted);
}

/** A Rollout whose present template was promoted, and answers alone behind the main Service. */
function isStableAlone(s: WorkloadSnapshot, rollout: Rollout): ServingState {
  if (!isRolloutObserved(rollout)) return waiting("the Rollouts controller to see the new template");
  if (newReplicaSet(s) === undefined) return waiting("the new ReplicaSet");
  if (rollout.status === undefined || rollout.status.stableRS !== rollout.status.currentPodHash)
    return waiting("the rollout to be promoted");
  const { blueGreen, canary, currentPodHash } = rollout.status;
  if (rollout.spec.strategy.blueGreen !== undefined && blueGreen?.activeSelector !== currentPodHash)
    return waiting("the active Service to lead to it");
  if ((canary?.weights?.canary.weight ?? 0) !== 0) return waiting("the router to send everything to the stable pods");
  return servesBehindItsService(s);
}

/**
 * Whether a workload has all its pods behind the main Service, whoever else is there: the state in which another
 * workload beside it may go.
 */
export function servesBeside(s: WorkloadSnapshot): ServingState {
  const workload = workloadOf(s);
  if (workload === undefined) return waiting("the workload to exist");
  const replicaSet = newReplicaSet(s);
  if (replicaSet === undefined) return waiting("its ReplicaSet");
  if (s.rollout !== undefined && s.rollout.status?.stableRS !== s.rollout.status?.currentPodHash)
    return waiting("the rollout to be promoted");
  const wanted = workload.spec.replicas ?? 1;
  const own = podsOf(replicaSet, s.pods).filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
  const behind = servingNames(s);
  const serving = own.filter((pod) => behind.includes(pod.metadata.name)).length;
  return serving < wanted ? waiting(`${serving} of ${wanted} of its pods to serve`) : { done: true };
}

/**
 * Whether the present template of a Rollout answers alone behind the Service that the snapshot's endpoints belong to,
 * with all the pods that it is to have by now; promoted or not.
 */
export function servesBehindItsService(s: WorkloadSnapshot): ServingState {
  const replicaSet = newReplicaSet(s);
  if (replicaSet === undefined) return waiting("the new ReplicaSet");
  const wanted = replicaSet.spec.replicas ?? 1;
  const fresh = podsOf(replicaSet, s.pods);
  const ready = fresh.filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
  if (ready.length < wanted) return waiting(`${ready.length} of ${wanted} new pods ready`);
  const available = replicaSet.status?.availableReplicas ?? 0;
  if (available < wanted) return waiting(`${available} of ${wanted} pods available`);
  return takesAllRequests(s, fresh, wanted);
}

function takesAllRequests(s: WorkloadSnapshot, fresh: readonly Pod[], wanted: number): ServingState {
  const own = new Set(fresh.map((pod) => pod.metadata.name));
  const serving = servingNames(s);
  const others = new Set(serving.filter((name) => !own.has(name)));
  if (others.size > 0) return waiting(`${others.size} old ${others.size === 1 ? "pod" : "pods"} to stop serving`);
  if (wanted > 0 && serving.length === 0) return waiting("the Service to have endpoints");
  return { done: true };
}

/** Of the pods that take requests from the Service. */
function servingNames(s: WorkloadSnapshot): string[] {
  return readyEndpoints(s.endpoints).map((endpoint) => endpoint.targetRef?.name ?? "?");
}

/** Those of a Service that requests are sent to. */
export function readyEndpoints(slices: readonly EndpointSlice[]) {
  return slices.flatMap((slice) => slice.endpoints ?? []).filter((endpoint) => endpoint.conditions?.ready !== false);
}

/** Kubernetes writes times without their fraction of a second. */
const secondMs = 1_000;

/**
 * A time after which the same pods have taken the requests of a Deployment's Service: none has become ready, stopped being
 * so or begun to end. Milliseconds since the epoch. Undefined for a Rollout, whose Services and labels change as well.
 */
export function servingUnchangedSince({ rollout, pods }: WorkloadSnapshot): number | undefined {
  if (rollout !== undefined) return undefined;
  const changes = pods.flatMap(({ metadata, status }) => {
    const ready = status?.conditions?.find((condition) => condition.type === "Ready");
    return [ready?.lastTransitionTime, ready?.status === "True" ? metadata.deletionTimestamp : undefined];
  });
  return Math.max(...changes.filter((at) => at !== undefined).map((at) => Date.parse(at) + secondMs));
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
