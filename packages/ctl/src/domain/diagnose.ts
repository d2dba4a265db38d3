import {
  compareQuantities,
  type ContainerStatus,
  type Event,
  isReady,
  type Job,
  lastSeenMs,
  type Pod,
  type Probe,
  type ReplicaSet,
} from "@safe-deploy/kube";
import { newReplicaSet, podsOf, type WorkloadSnapshot, workloadOf } from "./serving.ts";

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
  | "RolloutAborted"
  | "RolloutRefused"
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

/** For how long a state that can heal by itself is borne, in milliseconds: a pod that ends frees quota, a Secret appears. */
export const patienceMs = 10_000;
/** A node autoscaler looks every ten seconds, and says then whether it will make room. */
const schedulingPatienceMs = 20_000;
/** A volume is detached from the node of a pod that has ended before it is attached to another. */
const attachPatienceMs = 60_000;
/** Of an unexplained error that the kubelet tries again, in tries. */
const hopelessTries = 3;
/** Of a Pod that does not say it, in seconds: Kubernetes' default. */
const defaultGraceSeconds = 30;

/** Why the kubelet will not get this image however often it tries. */
const hopelessPull =
  /not found|manifest unknown|name unknown|repository does not exist|no such host|unauthorized|denied|forbidden|invalid reference|no match for platform/i;
/** What the container runtime or the kubelet did not manage in time, and tries again. */
const mayHeal = /failed to sync (configmap|secret) cache|timed out|deadline exceeded|is reserved for/i;
/** An API server, or a webhook that it asks, that has decided; others could not be asked, or lost a race. */
const decided = /is forbidden|is invalid|denied the request/;
const undecided = /Internal error|error looking up service account|status unknown for quota|failed calling webhook/;

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
  // A pod that was evicted, or that a node refused, stays behind as Failed and has a successor.
  const pods = podsOf(replicaSet, s.pods).filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase !== "Failed",
  );
  const roomAt = roomFreeAt(s, replicaSet, events);
  return firstOf([
    ...pods.map((pod) => diagnosePod(pod, events, now, roomAt)),
    diagnoseCreation(replicaSet, pods, now, roomAt),
    diagnoseProgress(s, replicaSet),
  ]);
}

/**
 * When every pod that was told to end will have ended, at the latest: until then it holds its node's room and its quota.
 * What has ended already is known by the ReplicaSets' events alone.
 */
function roomFreeAt(s: WorkloadSnapshot, replicaSet: ReplicaSet, events: readonly Event[]): number {
  const ending = s.pods.map((pod) => Date.parse(pod.metadata.deletionTimestamp ?? ""));
  const scaledDown = s.replicaSets
    .filter((other) => other.metadata.uid !== replicaSet.metadata.uid)
    .flatMap((other) => {
      const graceMs = 1000 * (other.spec.template?.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds);
      return events
        .filter(
          ({ reason, involvedObject }) => reason === "SuccessfulDelete" && involvedObject.uid === other.metadata.uid,
        )
        .map((event) => lastSeenMs(event) + graceMs);
    });
  return Math.max(-Infinity, ...[...ending, ...scaledDown].filter((moment) => !Number.isNaN(moment)));
}

/** The same for the pods of a hook's Job, and for the Job itself. */
export function diagnoseJob(job: Job, pods: readonly Pod[], events: readonly Event[], now: number): Diagnosis {
  const own = pods.filter((pod) => pod.metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid));
  const failed = job.status?.conditions?.find(({ type, status }) => type === "Failed" && status === "True");
  if (failed !== undefined) {
    const pod = own.toSorted((a, b) => createdAt(a) - createdAt(b)).at(-1);
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
  if (own.length === 0) return diagnoseJobCreation(job, events, now);
  return firstOf(own.filter((pod) => pod.status?.phase !== "Succeeded").map((pod) => diagnosePod(pod, events, now)));
}

/** A Job has no condition for pods that the API server refuses: its events alone tell. */
function diagnoseJobCreation(job: Job, events: readonly Event[], now: number): Diagnosis {
  const refusals = events
    .filter(({ reason, involvedObject }) => reason === "FailedCreate" && involvedObject.uid === job.metadata.uid)
    .toSorted((a, b) => lastSeenMs(a) - lastSeenMs(b));
  const message = refusals.at(-1)?.message;
  if (message === undefined) return {};
  // The rollout beside it takes room for its surge, and gives it back; only what can never fit is a fault.
  if (/exceeded quota/.test(message) && !neverFits(message)) return {};
  return refusedPods(`Job/${job.metadata.name}`, message, Math.min(...refusals.map(eventStart)), now);
}

/** @param roomAt when pods that are ending will have made room, in milliseconds since the epoch. */
export function diagnosePod(pod: Pod, events: readonly Event[], now: number, roomAt = -Infinity): Diagnosis {
  const own = events
    .filter((event) => event.involvedObject.uid === pod.metadata.uid)
    .toSorted((a, b) => lastSeenMs(a) - lastSeenMs(b));
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return firstOf([
    diagnoseScheduling(pod, own, now, roomAt),
    ...statuses.map((status) => diagnoseContainer(pod, status, eventsOfContainer(own, status.name))),
    ...statuses.map((status) => diagnoseProbes(pod, status, eventsOfContainer(own, status.name), now)),
    diagnoseMounts(pod, own, now),
  ]);
}

/** Those of the pod's events that are about this container, or do not say about which they are. */
function eventsOfContainer(events: readonly Event[], name: string): Event[] {
  return events.filter(({ involvedObject: { fieldPath } }) => {
    const container = fieldPath?.match(/ontainers\{(.*)\}$/)?.[1];
    return container === undefined || container === name;
  });
}

function diagnoseContainer(pod: Pod, status: ContainerStatus, events: readonly Event[]): Diagnosis {
  const subject = `Pod/${pod.metadata.name}`;
  const log = (previous: boolean) => ({ pod: pod.metadata.name, container: status.name, previous });
  const waiting = status.state?.waiting;
  const ended = status.state?.terminated ?? status.lastState?.terminated;

  if (ended?.reason === "OOMKilled" && ended.exitCode !== 0) {
    const limit = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(({ name }) => name === status.name)
      ?.resources?.limits?.["memory"];
    return {
      fault: {
        kind: "OutOfMemory",
        subject,
        message: `container ${status.name} was OOMKilled: it used more memory than ${limit === undefined ? "its node had" : `its limit of ${limit}`}`,
        log: log(status.state?.terminated === undefined),
      },
    };
  }
  switch (waiting?.reason) {
    case "InvalidImageName":
    case "ErrImageNeverPull":
    case "SignatureValidationFailed":
      return {
        fault: {
          kind: "ImageCannotBePulled",
          subject,
          message: `${waiting.reason}: ${waiting.message ?? status.image}`,
        },
      };
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "RegistryUnavailable": {
      const words = [waiting.message ?? "", ...eventMessages(events, ["Failed"])].find((text) =>
        hopelessPull.test(withoutNames(text, status.image)),
      );
      const tries = eventCount(events, "Failed", /Failed to pull image/);
      if (words === undefined && tries < hopelessTries) return {};
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
    case "RunContainerError": {
      const tries = eventCount(events, "Failed", mayHeal);
      if (mayHeal.test(waiting.message ?? "") && tries < hopelessTries) return {};
      return {
        fault: {
          kind: "ContainerCannotStart",
          subject,
          message: `${waiting.reason}: ${waiting.message ?? "no message"}`,
        },
      };
    }
    case "CrashLoopBackOff":
      return {
        fault: {
          kind: killedByProbe(events, status.name) === undefined ? "CrashLoop" : "ProbeFailing",
          subject,
          message: `container ${status.name} ${ending(status)}, ${times(status.restartCount)}${because(killedByProbe(events, status.name))}`,
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
  if (killed !== undefined) {
    const previous = status.restartCount > 0;
    return { fault: { kind: "ProbeFailing", subject, message: killed, log: { ...log, previous } } };
  }
  const startedAt = Date.parse(status.state?.running?.startedAt ?? "");
  if (status.ready || Number.isNaN(startedAt)) return {};
  const startup = container.startupProbe;
  // How long a container may take to start is not known without a startup probe; the Deployment's deadline decides.
  if (startup === undefined) return {};
  if (status.started !== true) return diagnoseStartup(status, startup, events, { subject, log, startedAt, now });

  const readiness = container.readinessProbe;
  const failing = events.filter(
    ({ reason, message }) => reason === "Unhealthy" && message?.includes("Readiness probe") === true,
  );
  if (eventCount(failing, "Unhealthy", /./) < (readiness?.failureThreshold ?? 3)) return {};
  // A pod that was ready once gets time to become it again; one that never was has what its probes declare.
  const unreadySince = Date.parse(
    pod.status?.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime ?? "",
  );
  const failingSince = Math.max(Math.min(...failing.map(eventStart)), unreadySince || 0);
  const patienceEnds = Math.max(
    startedAt + budgetMs(startup) + budgetMs(readiness),
    failingSince + budgetMs(readiness) + patienceMs,
  );
  if (now < patienceEnds) return { lookAgainAt: patienceEnds };
  return { fault: { kind: "ProbeFailing", subject, message: lastMessage(failing, /Readiness probe/), log } };
}

/**
 * The kubelet reports at most about 20 failures of one pod and then falls silent, also about its ending the container;
 * so beyond that many the time that a run took decides.
 */
const reportedFailures = 10;
/** Times are written in whole seconds, and a probe's success reaches the API server a moment later. */
const clockMs = 2_000;

function diagnoseStartup(
  status: ContainerStatus,
  startup: Probe,
  events: readonly Event[],
  o: { subject: string; log: NonNullable<Fault["log"]>; startedAt: number; now: number },
): Diagnosis {
  const threshold = startup.failureThreshold ?? 3;
  const failures = eventCount(events, "Unhealthy", /Startup probe (failed|errored)/);
  const fault = (previous: boolean): Diagnosis => ({
    fault: {
      kind: "ProbeFailing",
      subject: o.subject,
      message: lastMessage(events, /Startup probe/),
      log: { ...o.log, previous },
    },
  });
  if (status.restartCount === 0 && failures >= threshold) return fault(false);
  const run = status.lastState?.terminated;
  const ranMs = Date.parse(run?.finishedAt ?? "") - Date.parse(run?.startedAt ?? "");
  // The last probe of a run comes up to one period before the time that its failures are given.
  const usedUpMs = budgetMs(startup) - 1000 * (startup.periodSeconds ?? 10);
  const keepsFailing = failures >= Math.min(threshold, reportedFailures);
  if (keepsFailing && ranMs >= usedUpMs) return fault(true);
  const ends = o.startedAt + budgetMs(startup) + (keepsFailing ? clockMs : patienceMs);
  return o.now < ends ? { lookAgainAt: ends } : fault(false);
}

/** The longest that a probe may fail before Kubernetes acts on it, in milliseconds. */
function budgetMs(probe: Probe | undefined): number {
  if (probe === undefined) return 0;
  return 1000 * ((probe.initialDelaySeconds ?? 0) + probeSeconds(probe) * (probe.failureThreshold ?? 3));
}

/** A probe that hangs takes its timeout, and the next one is late. */
function probeSeconds(probe: Probe): number {
  return Math.max(probe.periodSeconds ?? 10, probe.timeoutSeconds ?? 1);
}

function diagnoseScheduling(pod: Pod, events: readonly Event[], now: number, roomAt: number): Diagnosis {
  const condition = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (condition?.status !== "False" || condition.reason !== "Unschedulable") return {};
  // The cluster autoscaler and Karpenter say so when a node is on its way.
  if (events.some(({ reason }) => reason === "TriggeredScaleUp" || reason === "Nominated")) return {};
  const gone = Math.max(Date.parse(condition.lastTransitionTime ?? "") + schedulingPatienceMs, roomAt + patienceMs);
  if (now < gone) return { lookAgainAt: gone };
  return {
    fault: { kind: "Unschedulable", subject: `Pod/${pod.metadata.name}`, message: condition.message ?? "no node fits" },
  };
}

function diagnoseMounts(pod: Pod, events: readonly Event[], now: number): Diagnosis {
  // Images are pulled and containers made once every volume is there.
  const isMounted =
    events.some(({ reason }) => ["Pulling", "Pulled", "Created", "Started"].includes(reason ?? "")) ||
    pod.status?.conditions?.some(({ type, status }) => type === "PodReadyToStartContainers" && status === "True") ===
      true;
  if (isMounted || pod.status?.phase !== "Pending") return {};
  const mounts = events.filter(({ reason }) => reason === "FailedMount");
  const attachments = events.filter(({ reason }) => reason === "FailedAttachVolume");
  return firstOf(
    [
      { failures: mounts, borneMs: patienceMs },
      { failures: attachments, borneMs: attachPatienceMs },
    ].map(({ failures, borneMs }): Diagnosis => {
      if (failures.length === 0) return {};
      const gone = Math.min(...failures.map(eventStart)) + borneMs;
      if (now < gone) return { lookAgainAt: gone };
      const message = failures.at(-1)?.message ?? "";
      return { fault: { kind: "VolumeCannotBeMounted", subject: `Pod/${pod.metadata.name}`, message } };
    }),
  );
}

/** The API server refuses to make the ReplicaSet's pods. */
function diagnoseCreation(replicaSet: ReplicaSet, pods: readonly Pod[], now: number, roomAt: number): Diagnosis {
  const refused = replicaSet.status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  if (refused === undefined) return {};
  const subject = `ReplicaSet/${replicaSet.metadata.name}`;
  const message = refused.message ?? refused.reason ?? "its pods cannot be created";
  // Pods of the release before that end may free the quota; new pods that exist are progress.
  const since = Math.max(Date.parse(refused.lastTransitionTime ?? ""), roomAt, ...pods.map(createdAt));
  return refusedPods(subject, message, since, now);
}

/** @param since the moment from which on nothing has moved, in milliseconds since the epoch. */
function refusedPods(subject: string, message: string, since: number, now: number): Diagnosis {
  const isQuota = /exceeded quota/.test(message);
  const isDecided = decided.test(message) && !undecided.test(message) && (!isQuota || neverFits(message));
  const gone = since + patienceMs;
  if (!isDecided && now < gone) return { lookAgainAt: gone };
  return { fault: { kind: isQuota ? "QuotaExceeded" : "PodRefused", subject, message } };
}

/**
 * Whether one pod alone is more than the whole quota, by the words of Kubernetes' quota admission:
 * `exceeded quota: small, requested: requests.cpu=900m, used: requests.cpu=300m, limited: requests.cpu=600m`.
 */
function neverFits(message: string): boolean {
  const amounts = (name: string) =>
    Object.fromEntries(
      (new RegExp(`${name}: ([^ ]*)`).exec(message)?.[1] ?? "")
        .split(",")
        .map((pair) => pair.split("="))
        .filter((pair): pair is [string, string] => pair.length === 2 && pair[1] !== ""),
    );
  const limited = amounts("limited");
  return Object.entries(amounts("requested")).some(
    ([resource, amount]) => limited[resource] !== undefined && compareQuantities(amount, limited[resource]) > 0,
  );
}

/** The condition of a rollout that was given up stands for a moment into the next one, so it must name this ReplicaSet. */
function diagnoseProgress(s: WorkloadSnapshot, replicaSet: ReplicaSet): Diagnosis {
  const workload = workloadOf(s);
  const stuck = workload?.status?.conditions?.find(
    ({ type, reason, message }) =>
      type === "Progressing" &&
      reason === "ProgressDeadlineExceeded" &&
      message?.includes(`"${replicaSet.metadata.name}"`) === true,
  );
  if (stuck === undefined) return {};
  return {
    fault: {
      kind: "DeadlineExceeded",
      subject: `${workload?.kind ?? ""}/${workload?.metadata.name ?? ""}`,
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
    ({ reason, message }) =>
      reason === "Killing" &&
      (message ?? "").startsWith(`Container ${container} `) &&
      /failed (startup|liveness) probe/.test(message ?? ""),
  );
  if (killing === undefined) return undefined;
  const probe = events.findLast(
    (event) => event.reason === "Unhealthy" && /(Startup|Liveness) probe/.test(event.message ?? ""),
  );
  return probe?.message ?? killing.message;
}

function ending(status: ContainerStatus): string {
  const last = status.lastState?.terminated;
  if (last === undefined) return "ended";
  if (last.signal !== undefined && last.signal !== 0) return `was killed by signal ${last.signal}`;
  // Where the command could not even be run, the runtime says why.
  const words = last.reason === "StartError" || last.reason === "ContainerCannotRun" ? ` (${last.message ?? ""})` : "";
  return `exited with code ${last.exitCode}${words}`;
}

function times(restarts: number): string {
  return restarts === 1 ? "and again after a restart" : `${restarts + 1} times`;
}

function because(words: string | undefined): string {
  return words === undefined ? "" : `: ${words}`;
}

/** Image references and addresses may hold any word. */
function withoutNames(text: string, image: string): string {
  return text.replaceAll(/"[^"]*"/g, "").replaceAll(image === "" ? /(?!)/g : image, "");
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

/** When it came first, in milliseconds since the epoch. */
export function eventStart(event: Event): number {
  return Date.parse(event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "");
}

function createdAt(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? "");
}
