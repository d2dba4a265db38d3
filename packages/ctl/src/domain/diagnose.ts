import type { ContainerStatus, Job, Event, Pod, Probe, ReplicaSet } from "@safe-deploy/kube";
import { newReplicaSet, podsOf, type WorkloadSnapshot, isReady } from "./serving.ts";

export type FaultKind =
  | "ImageCannotBePulled"
  | "ContainerCannotStart"
  | "CrashLoop"
  | "OutOfMemory"
  | "ProbeFailing"
  | "Unschedulable"
  | "QuotaExceeded"
  | "PodRefused"
  | "VolumeCannotBeMounted"
  | "HookFailed"
  | "VerificationFailed"
  | "HelmFailed"
  | "DeadlineExceeded";

/** Why a release cannot succeed as it is. */
export interface Fault {
  kind: FaultKind;
  /** `Pod/myapp-7d9c-x2x`. */
  subject: string;
  /** In the cluster's own words where it has some. */
  message: string;
  /** Whose log tells more; absent when nothing ran. `previous`: of the run before the restart. */
  log?: { pod: string; container: string; previous: boolean };
}

/** A fault now, or the next moment at which waiting any longer would become one. */
export type Diagnosis = { fault: Fault } | { fault?: undefined; lookAgainAt?: number };

/**
 * For how long a state that can heal by itself is borne, in milliseconds: an autoscaler adds a node, a pod that ends
 * frees quota, a Secret appears.
 */
export const patienceMs = 10_000;

/** Why the kubelet will not get this image however often it tries. */
const hopelessPull =
  /not found|manifest unknown|name unknown|repository does not exist|no such host|unauthorized|denied|forbidden|invalid reference|no match for platform/i;

/**
 * Looks for the first reason that the present template cannot come to serve. Pure: the same snapshot and time always
 * give the same answer.
 *
 * @param events of the namespace; those of other objects are ignored.
 * @param now milliseconds since the epoch, by the cluster's clock.
 */
export function diagnose(s: WorkloadSnapshot, events: readonly Event[], now: number): Diagnosis {
  const replicaSet = newReplicaSet(s);
  if (replicaSet === undefined) return {};
  const pods = podsOf(replicaSet, s.pods).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  return firstOf([
    ...pods.map((pod) => diagnosePod(pod, events, now)),
    diagnoseCreation(replicaSet, pods, now),
    diagnoseProgress(s),
  ]);
}

/** The same for the pods of a hook's Job, and for the Job itself. */
export function diagnoseJob(job: Job, pods: readonly Pod[], events: readonly Event[], now: number): Diagnosis {
  const own = pods.filter((pod) => pod.metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid));
  const failed = job.status?.conditions?.find(({ type, status }) => type === "Failed" && status === "True");
  if (failed !== undefined) {
    const pod = own.at(-1);
    const container = pod?.spec.containers[0]?.name;
    return {
      fault: {
        kind: "HookFailed",
        subject: `Job/${job.metadata.name}`,
        message: failed.message ?? failed.reason ?? "the Job failed",
        ...(pod !== undefined && container !== undefined
          ? { log: { pod: pod.metadata.name, container, previous: false } }
          : {}),
      },
    };
  }
  return firstOf(own.filter((pod) => pod.status?.phase !== "Succeeded").map((pod) => diagnosePod(pod, events, now)));
}

export function diagnosePod(pod: Pod, events: readonly Event[], now: number): Diagnosis {
  const own = events.filter((event) => event.involvedObject.uid === pod.metadata.uid);
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return firstOf([
    diagnoseScheduling(pod, now),
    ...statuses.map((status) => diagnoseContainer(pod, status, own)),
    ...statuses.map((status) => diagnoseProbes(pod, status, own, now)),
    diagnoseMounts(pod, own, now),
  ]);
}

function diagnoseContainer(pod: Pod, status: ContainerStatus, events: readonly Event[]): Diagnosis {
  const subject = `Pod/${pod.metadata.name}`;
  const log = (previous: boolean) => ({ pod: pod.metadata.name, container: status.name, previous });
  const waiting = status.state?.waiting;
  const ended = status.state?.terminated ?? status.lastState?.terminated;

  if (ended?.reason === "OOMKilled") {
    return {
      fault: {
        kind: "OutOfMemory",
        subject,
        message: `container ${status.name} was OOMKilled: it used more memory than its limit`,
        log: log(status.state?.terminated === undefined),
      },
    };
  }
  switch (waiting?.reason) {
    case "InvalidImageName":
    case "ErrImageNeverPull":
      return {
        fault: {
          kind: "ImageCannotBePulled",
          subject,
          message: `${waiting.reason}: ${waiting.message ?? status.image}`,
        },
      };
    case "ErrImagePull":
    case "ImagePullBackOff": {
      const words = [waiting.message ?? "", ...eventMessages(events, ["Failed"])].find((text) =>
        hopelessPull.test(text),
      );
      const tries = eventCount(events, "Failed", /pull/i);
      if (words === undefined && tries < 2) return {};
      return {
        fault: {
          kind: "ImageCannotBePulled",
          subject,
          message: `${waiting.reason}: ${words ?? waiting.message ?? status.image}`,
        },
      };
    }
    case "CreateContainerConfigError":
    case "CreateContainerError":
    case "RunContainerError":
      return {
        fault: {
          kind: "ContainerCannotStart",
          subject,
          message: `${waiting.reason}: ${waiting.message ?? "no message"}`,
        },
      };
    case "CrashLoopBackOff":
      return {
        fault: {
          kind: killedByProbe(events, status.name) === undefined ? "CrashLoop" : "ProbeFailing",
          subject,
          message: `container ${status.name} ${ending(status)} ${times(status.restartCount)}${because(killedByProbe(events, status.name))}`,
          log: log(true),
        },
      };
    default:
      return {};
  }
}

function diagnoseProbes(pod: Pod, status: ContainerStatus, events: readonly Event[], now: number): Diagnosis {
  const container = pod.spec.containers.find(({ name }) => name === status.name);
  if (container === undefined || isReady(pod)) return {};
  const subject = `Pod/${pod.metadata.name}`;
  const log = { pod: pod.metadata.name, container: status.name, previous: false };

  const killed = killedByProbe(events, status.name);
  if (killed !== undefined && status.restartCount > 0) {
    return { fault: { kind: "ProbeFailing", subject, message: killed, log: { ...log, previous: true } } };
  }
  const startup = container.startupProbe;
  const startupFailures = eventCount(events, "Unhealthy", /^Startup probe failed/);
  if (startup !== undefined && startupFailures >= (startup.failureThreshold ?? 3)) {
    return { fault: { kind: "ProbeFailing", subject, message: lastMessage(events, /^Startup probe failed/), log } };
  }

  const startedAt = Date.parse(status.state?.running?.startedAt ?? "");
  if (status.ready || Number.isNaN(startedAt)) return {};
  // A container that answers its startup probe gets its readiness probe's own time on top.
  const deadline = startedAt + budgetMs(startup) + budgetMs(container.readinessProbe);
  if (status.started !== true && startup !== undefined) return { lookAgainAt: deadline };
  const failures = eventCount(events, "Unhealthy", /^Readiness probe (failed|errored)/);
  const threshold = container.readinessProbe?.failureThreshold ?? 3;
  if (failures < threshold) return {};
  const firstFailure = Math.min(...events.filter((event) => event.reason === "Unhealthy").map(eventStart));
  const patienceEnds = Math.min(deadline, firstFailure + budgetMs(container.readinessProbe));
  if (now < patienceEnds) return { lookAgainAt: patienceEnds };
  return { fault: { kind: "ProbeFailing", subject, message: lastMessage(events, /^Readiness probe/), log } };
}

/** The longest that a probe may fail before Kubernetes acts on it. */
function budgetMs(probe: Probe | undefined): number {
  if (probe === undefined) return 0;
  return 1000 * ((probe.initialDelaySeconds ?? 0) + (probe.periodSeconds ?? 10) * (probe.failureThreshold ?? 3));
}

function diagnoseScheduling(pod: Pod, now: number): Diagnosis {
  const condition = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (condition?.status !== "False" || condition.reason !== "Unschedulable") return {};
  const gone = Date.parse(condition.lastTransitionTime ?? "") + patienceMs;
  if (now < gone) return { lookAgainAt: gone };
  return {
    fault: { kind: "Unschedulable", subject: `Pod/${pod.metadata.name}`, message: condition.message ?? "no node fits" },
  };
}

function diagnoseMounts(pod: Pod, events: readonly Event[], now: number): Diagnosis {
  const mounts = events.filter((event) => event.reason === "FailedMount" || event.reason === "FailedAttachVolume");
  const waits = pod.status?.containerStatuses?.some((status) => status.state?.waiting?.reason === "ContainerCreating");
  if (mounts.length === 0 || waits !== true) return {};
  const gone = Math.min(...mounts.map(eventStart)) + patienceMs;
  if (now < gone) return { lookAgainAt: gone };
  return {
    fault: {
      kind: "VolumeCannotBeMounted",
      subject: `Pod/${pod.metadata.name}`,
      message: mounts.at(-1)?.message ?? "",
    },
  };
}

/** The API server refuses to make the ReplicaSet's pods. */
function diagnoseCreation(replicaSet: ReplicaSet, pods: readonly Pod[], now: number): Diagnosis {
  const refused = replicaSet.status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  if (refused === undefined) return {};
  const subject = `ReplicaSet/${replicaSet.metadata.name}`;
  const message = refused.message ?? refused.reason ?? "its pods cannot be created";
  if (!/exceeded quota/.test(message)) return { fault: { kind: "PodRefused", subject, message } };
  // Pods of the release before that end may free the quota; new pods that exist are progress.
  const since = Math.max(Date.parse(refused.lastTransitionTime ?? ""), ...pods.map(createdAt));
  const gone = since + patienceMs;
  if (now < gone) return { lookAgainAt: gone };
  return { fault: { kind: "QuotaExceeded", subject, message } };
}

function diagnoseProgress(s: WorkloadSnapshot): Diagnosis {
  const stuck = s.deployment?.status?.conditions?.find(
    ({ type, reason }) => type === "Progressing" && reason === "ProgressDeadlineExceeded",
  );
  if (stuck === undefined) return {};
  return {
    fault: {
      kind: "DeadlineExceeded",
      subject: `Deployment/${s.deployment?.metadata.name ?? ""}`,
      message: stuck.message ?? "progress deadline exceeded",
    },
  };
}

function firstOf(diagnoses: readonly Diagnosis[]): Diagnosis {
  const withFault = diagnoses.find((diagnosis) => diagnosis.fault !== undefined);
  if (withFault !== undefined) return withFault;
  const moments = diagnoses.flatMap((d) =>
    d.fault === undefined && d.lookAgainAt !== undefined ? [d.lookAgainAt] : [],
  );
  return moments.length === 0 ? {} : { lookAgainAt: Math.min(...moments) };
}

function killedByProbe(events: readonly Event[], container: string): string | undefined {
  const killing = events.findLast(
    (event) => event.reason === "Killing" && /failed (startup|liveness) probe/.test(event.message ?? ""),
  );
  if (killing?.message?.includes(container) !== true) return undefined;
  const probe = events.findLast(
    (event) => event.reason === "Unhealthy" && /^(Startup|Liveness)/.test(event.message ?? ""),
  );
  return probe?.message ?? killing.message;
}

function ending(status: ContainerStatus): string {
  const last = status.lastState?.terminated;
  if (last === undefined) return "ended";
  return last.signal !== undefined && last.signal !== 0
    ? `was killed by signal ${last.signal}`
    : `exited with code ${last.exitCode}`;
}

function times(restarts: number): string {
  return restarts <= 1 ? "and again after a restart" : `${restarts} times`;
}

function because(words: string | undefined): string {
  return words === undefined ? "" : `: ${words}`;
}

function eventMessages(events: readonly Event[], reasons: readonly string[]): string[] {
  return events.filter((event) => reasons.includes(event.reason ?? "")).map((event) => event.message ?? "");
}

function lastMessage(events: readonly Event[], pattern: RegExp): string {
  return events.findLast((event) => pattern.test(event.message ?? ""))?.message ?? "the probe fails";
}

function eventCount(events: readonly Event[], reason: string, pattern: RegExp): number {
  return events
    .filter((event) => event.reason === reason && pattern.test(event.message ?? ""))
    .reduce((sum, event) => sum + Math.max(event.series?.count ?? 0, event.count ?? 1), 0);
}

function eventStart(event: Event): number {
  return Date.parse(event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "");
}

function createdAt(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? "");
}
