import * as fc from "fast-check";
import type { ContainerStatus, Event, Pod, ReplicaSet } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import { diagnose, diagnoseJob, type Fault, patienceMs } from "../../src/domain/diagnose.ts";
import type { WorkloadSnapshot } from "../../src/domain/serving.ts";
import {
  appContainer,
  at,
  containerStatus,
  deployment,
  endpoints,
  event,
  image,
  job,
  ms,
  newSet,
  oldSet,
  pod,
  type PodParts,
  replicaSet,
  running,
  snapshot,
  waiting,
} from "../fixtures/cluster.ts";

/** What is said of a rollout whose only new pod is this one. */
function look(one: Pod, events: Event[], seconds: number, o: Partial<WorkloadSnapshot> = {}) {
  return diagnose(snapshot({ pods: [one], ...o }), events, ms(seconds));
}

const notFound = `rpc error: code = NotFound desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${image}: not found`;
const refusedConnection = `rpc error: code = Unknown desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": failed to do request: Head "https://registry.local/v2/myapp/manifests/20260301.1": dial tcp 10.0.0.3:443: connect: connection refused`;

/** The two events that the kubelet writes of one failed pull. */
function pullFailure(one: Pod, words: string, tries: number): Event[] {
  const o = { container: "app", count: tries, first: 1, last: tries };
  return [
    event(one, "Failed", `Failed to pull image "${image}": ${words}`, o),
    event(one, "Failed", "Error: ErrImagePull", o),
    event(one, "Failed", "Error: ImagePullBackOff", o),
  ];
}

const startupFailure = "Startup probe failed: HTTP probe failed with statuscode: 503";
const readinessFailure = "Readiness probe failed: HTTP probe failed with statuscode: 503";
const died = (o: object = {}) => ({
  terminated: { exitCode: 1, reason: "Error", startedAt: at(1), finishedAt: at(2), ...o },
});

describe("a fault is found, and its message names the cause", () => {
  interface Case {
    name: string;
    kind: Fault["kind"];
    cause: RegExp;
    seconds?: number;
    parts: PodParts;
    events?: (one: Pod) => Event[];
    log?: Fault["log"] | "none";
  }
  const cases: Case[] = [
    {
      name: "an image that the registry does not have, at its first pull",
      kind: "ImageCannotBePulled",
      cause: /ErrImagePull: .*not found/,
      parts: { statuses: [waiting("ErrImagePull", notFound)] },
      events: (one) => pullFailure(one, notFound, 1),
      log: "none",
    },
    {
      name: "the same while the kubelet backs off, which keeps the cause in its message",
      kind: "ImageCannotBePulled",
      cause: /ImagePullBackOff: .*not found/,
      parts: {
        statuses: [waiting("ImagePullBackOff", `Back-off pulling image "${image}": ErrImagePull: ${notFound}`)],
      },
    },
    {
      name: "the same by the events alone",
      kind: "ImageCannotBePulled",
      cause: /not found/,
      parts: { statuses: [waiting("ImagePullBackOff", `Back-off pulling image "${image}"`)] },
      events: (one) => pullFailure(one, notFound, 1),
    },
    {
      name: "a registry that refuses the credentials",
      kind: "ImageCannotBePulled",
      cause: /401 Unauthorized/,
      parts: {
        statuses: [
          waiting(
            "ErrImagePull",
            `failed to pull and unpack image "${image}": failed to resolve reference "${image}": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.local/token: 401 Unauthorized`,
          ),
        ],
      },
    },
    {
      name: "a registry that stays away, after three pulls",
      kind: "ImageCannotBePulled",
      cause: /connection refused/,
      parts: { statuses: [waiting("ErrImagePull", refusedConnection)] },
      events: (one) => pullFailure(one, refusedConnection, 3),
    },
    {
      name: "an image name that is none",
      kind: "ImageCannotBePulled",
      cause: /InvalidImageName: .*couldn't parse/,
      parts: { statuses: [waiting("InvalidImageName", `Failed to apply default image tag "My App": couldn't parse`)] },
    },
    {
      name: "an image of an init container that does not exist",
      kind: "ImageCannotBePulled",
      cause: /not found/,
      parts: {
        init: [waiting("ErrImagePull", notFound, { name: "wait" })],
        statuses: [waiting("PodInitializing")],
      },
    },
    {
      name: "a process that ends with 1, twice",
      kind: "CrashLoop",
      cause: /container app exited with code 1, and again after a restart/,
      parts: {
        statuses: [
          waiting("CrashLoopBackOff", "back-off 10s restarting failed container=app pod=myapp-7d9c4b-x2x9q_shop(1)", {
            restartCount: 1,
            lastState: died(),
          }),
        ],
      },
      log: { pod: "myapp-7d9c4b-x2x9q", container: "app", previous: true },
    },
    {
      name: "a process that ended five times",
      kind: "CrashLoop",
      cause: /exited with code 0, 5 times/,
      parts: { statuses: [waiting("CrashLoopBackOff", "", { restartCount: 4, lastState: died({ exitCode: 0 }) })] },
    },
    {
      name: "a process killed by a signal",
      kind: "CrashLoop",
      cause: /killed by signal 11/,
      parts: {
        statuses: [
          waiting("CrashLoopBackOff", "", { restartCount: 1, lastState: died({ exitCode: 139, signal: 11 }) }),
        ],
      },
    },
    {
      name: "a command that is not in the image, once the kubelet backs off",
      kind: "CrashLoop",
      cause: /code 128 \(.*"\/nope": stat \/nope: no such file or directory/,
      parts: {
        statuses: [
          waiting("CrashLoopBackOff", "", {
            restartCount: 1,
            lastState: died({
              exitCode: 128,
              reason: "StartError",
              message:
                'failed to create containerd task: OCI runtime create failed: exec: "/nope": stat /nope: no such file or directory',
            }),
          }),
        ],
      },
    },
    {
      name: "a command that is not in the image, at its first start",
      kind: "ContainerCannotStart",
      cause: /RunContainerError: .*no such file/,
      parts: { statuses: [waiting("RunContainerError", 'exec: "/nope": stat /nope: no such file or directory')] },
      log: "none",
    },
    {
      name: "a process over its memory limit, at its end",
      kind: "OutOfMemory",
      cause: /OOMKilled: .*limit of 128Mi/,
      parts: { statuses: [containerStatus({ state: died({ exitCode: 137, reason: "OOMKilled" }) })] },
      log: { pod: "myapp-7d9c4b-x2x9q", container: "app", previous: false },
    },
    {
      name: "a process over its memory limit, after its restart",
      kind: "OutOfMemory",
      cause: /container app was OOMKilled/,
      parts: {
        statuses: [running(3, { restartCount: 1, lastState: died({ exitCode: 137, reason: "OOMKilled" }) })],
      },
      log: { pod: "myapp-7d9c4b-x2x9q", container: "app", previous: true },
    },
    {
      name: "a startup probe that failed as often as it may",
      kind: "ProbeFailing",
      cause: /Startup probe failed: .*503/,
      seconds: 31,
      parts: { statuses: [running(1)] },
      events: (one) => [event(one, "Unhealthy", startupFailure, { container: "app", count: 30, first: 1, last: 31 })],
      log: { pod: "myapp-7d9c4b-x2x9q", container: "app", previous: false },
    },
    {
      name: "a startup probe that used up its time when the kubelet had stopped to report",
      kind: "ProbeFailing",
      cause: /Startup probe failed: .*503/,
      seconds: 35,
      parts: {
        statuses: [
          running(32, { restartCount: 1, lastState: died({ exitCode: 143, startedAt: at(1), finishedAt: at(31) }) }),
        ],
      },
      events: (one) => [event(one, "Unhealthy", startupFailure, { container: "app", count: 22, first: 1, last: 23 })],
      log: { pod: "myapp-7d9c4b-x2x9q", container: "app", previous: true },
    },
    {
      name: "a startup probe that used up its time, while the container takes its time to end",
      kind: "ProbeFailing",
      cause: /Startup probe failed: .*503/,
      seconds: 1 + 30 + 2,
      parts: { statuses: [running(1)] },
      events: (one) => [event(one, "Unhealthy", startupFailure, { container: "app", count: 22, first: 1, last: 23 })],
    },
    {
      name: "a container that the kubelet ends for its startup probe, still ending",
      kind: "ProbeFailing",
      cause: /connection refused/,
      seconds: 31,
      parts: { statuses: [running(1)] },
      events: (one) => [
        event(one, "Unhealthy", 'Startup probe failed: Get "http://10.0.0.9:8080/ready": connect: connection refused', {
          container: "app",
          count: 22,
        }),
        event(one, "Killing", "Container app failed startup probe, will be restarted", {
          container: "app",
          first: 31,
          type: "Normal",
        }),
      ],
    },
    {
      name: "a startup that outlasts its time without any event",
      kind: "ProbeFailing",
      cause: /probe fails/,
      seconds: 1 + 30 + patienceMs / 1000,
      parts: { statuses: [running(1)] },
    },
    {
      name: "a liveness probe that ended the container",
      kind: "ProbeFailing",
      cause: /Liveness probe failed: .*deadline exceeded/,
      seconds: 45,
      parts: { statuses: [running(40, { restartCount: 1, lastState: died({ exitCode: 137 }) })] },
      events: (one) => [
        event(one, "Unhealthy", 'Liveness probe failed: Get "http://10.0.0.9:8080/live": context deadline exceeded', {
          container: "app",
          count: 3,
          first: 10,
          last: 30,
        }),
        event(one, "Killing", "Container app failed liveness probe, will be restarted", {
          container: "app",
          first: 30,
        }),
      ],
      log: { pod: "myapp-7d9c4b-x2x9q", container: "app", previous: true },
    },
    {
      name: "a crash loop that a probe is the cause of",
      kind: "ProbeFailing",
      cause: /exited with code 137, and again after a restart: Liveness probe failed: .*500/,
      parts: { statuses: [waiting("CrashLoopBackOff", "", { restartCount: 1, lastState: died({ exitCode: 137 }) })] },
      events: (one) => [
        event(one, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", { container: "app" }),
        event(one, "Killing", "Container app failed liveness probe, will be restarted", { container: "app" }),
      ],
    },
    {
      name: "a started container that is never ready, once its probes' own time is over",
      kind: "ProbeFailing",
      cause: /Readiness probe failed: .*503/,
      seconds: 1 + 30 + 10,
      parts: { statuses: [running(1, { started: true })] },
      events: (one) => [event(one, "Unhealthy", readinessFailure, { container: "app", count: 8, first: 2, last: 38 })],
    },
    {
      name: "a pod that no node has room for",
      kind: "Unschedulable",
      cause: /0\/1 nodes are available: 1 Insufficient cpu/,
      seconds: 20,
      parts: {
        conditions: [],
        statuses: [],
      },
    },
    {
      name: "a config map that is not there",
      kind: "ContainerCannotStart",
      cause: /CreateContainerConfigError: configmap "myapp-config-1a2b" not found/,
      parts: { statuses: [waiting("CreateContainerConfigError", 'configmap "myapp-config-1a2b" not found')] },
    },
    {
      name: "an image that runs as root where that is forbidden",
      kind: "ContainerCannotStart",
      cause: /runAsNonRoot and image will run as root/,
      parts: {
        statuses: [
          waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: ...)"),
        ],
      },
    },
    {
      name: "a runtime that never manages in time",
      kind: "ContainerCannotStart",
      cause: /context deadline exceeded/,
      parts: { statuses: [waiting("CreateContainerError", "context deadline exceeded")] },
      events: (one) => [event(one, "Failed", "Error: context deadline exceeded", { container: "app", count: 3 })],
    },
    {
      name: "a volume whose secret is not there",
      kind: "VolumeCannotBeMounted",
      cause: /secret "tls" not found/,
      seconds: 1 + patienceMs / 1000,
      parts: { statuses: [waiting("ContainerCreating")] },
      events: (one) => [
        event(one, "FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found', {
          first: 1,
          last: 9,
          count: 5,
        }),
      ],
    },
    {
      name: "the same in a pod with init containers, which waits under another name",
      kind: "VolumeCannotBeMounted",
      cause: /secret "tls" not found/,
      seconds: 1 + patienceMs / 1000,
      parts: {
        init: [waiting("PodInitializing", undefined, { name: "wait" })],
        statuses: [waiting("PodInitializing")],
      },
      events: (one) => [
        event(one, "FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found', { first: 1 }),
      ],
    },
  ];

  test.each(cases)("$name", ({ kind, cause, seconds = 5, parts, events, log, name }) => {
    const one =
      name === "a pod that no node has room for"
        ? unscheduled("0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate")
        : pod(parts);
    const { fault } = look(one, events?.(one) ?? [], seconds);
    expect(fault).toMatchObject({ kind, subject: "Pod/myapp-7d9c4b-x2x9q" });
    expect(fault?.message).toMatch(cause);
    if (log === "none") expect(fault?.log).toBeUndefined();
    else if (log !== undefined) expect(fault?.log).toEqual(log);
  });
});

function unscheduled(message: string): Pod {
  const one = pod({ statuses: [] });
  const scheduled = one.status?.conditions?.find(({ type }) => type === "PodScheduled");
  Object.assign(scheduled ?? {}, { status: "False", reason: "Unschedulable", message });
  return one;
}

describe("what heals by itself is no fault", () => {
  test("a pull that failed once or twice for a reason that passes", () => {
    const one = pod({ statuses: [waiting("ErrImagePull", refusedConnection)] });
    expect(look(one, pullFailure(one, refusedConnection, 1), 2)).toEqual({});
    expect(look(one, pullFailure(one, refusedConnection, 2), 15)).toEqual({});
    const healed = pod({ ready: true, statuses: [running(20, { ready: true, started: true })] });
    expect(look(healed, pullFailure(healed, notFound, 5), 25)).toEqual({});
  });

  test("an image whose name has a word of a refusal in it", () => {
    const denied = "registry.local/access-denied:forbidden";
    const words = `failed to resolve reference "${denied}": failed to do request: Head "https://registry.local/v2/access-denied/manifests/forbidden": i/o timeout`;
    const one = pod({ statuses: [waiting("ErrImagePull", words, { image: denied })] });
    const events = [event(one, "Failed", `Failed to pull image "${denied}": ${words}`, { container: "app" })];
    expect(look(one, events, 2)).toEqual({});
  });

  test("a boot that is slow, within its startup time, however often the probe has failed", () => {
    for (let seconds = 1; seconds < 30; seconds++) {
      const one = pod({ statuses: [running(1)] });
      const events = [
        event(one, "Unhealthy", startupFailure, {
          container: "app",
          count: Math.min(seconds, 22),
          first: 1,
          last: seconds,
        }),
      ];
      expect(look(one, events, 1 + seconds).fault, `${seconds} s`).toBeUndefined();
    }
  });

  test("a second boot within its time, after a crash in the first: the failures of both do not add up", () => {
    const one = pod({ statuses: [running(22, { restartCount: 1, lastState: died({ finishedAt: at(20) }) })] });
    const events = [event(one, "Unhealthy", startupFailure, { container: "app", count: 31, first: 2, last: 34 })];
    expect(look(one, events, 35).fault).toBeUndefined();
  });

  test("a slow boot of a container without a startup probe", () => {
    const { startupProbe: _none, ...container } = appContainer;
    const one = pod({ containers: [container], statuses: [running(1, { started: true })] });
    const events = [event(one, "Unhealthy", readinessFailure, { container: "app", count: 20, first: 2, last: 100 })];
    expect(look(one, events, 100)).toEqual({});
  });

  test("readiness that was there and is lost for a moment", () => {
    const one = pod({ readySince: 60, statuses: [running(1, { started: true })] });
    const events = [event(one, "Unhealthy", readinessFailure, { container: "app", count: 3, first: 30, last: 60 })];
    const { fault, lookAgainAt } = look(one, events, 62) as { fault?: Fault; lookAgainAt?: number };
    expect(fault).toBeUndefined();
    expect(lookAgainAt).toBe(ms(60) + 10_000 + patienceMs);
    const ready = pod({ ready: true, readySince: 66, statuses: [running(1, { started: true, ready: true })] });
    expect(look(ready, events, 67)).toEqual({});
  });

  test("readiness that is lost and stays lost is a fault then", () => {
    const one = pod({ readySince: 60, statuses: [running(1, { started: true })] });
    const events = [event(one, "Unhealthy", readinessFailure, { container: "app", count: 9, first: 50, last: 78 })];
    expect(look(one, events, 80).fault?.kind).toBe("ProbeFailing");
  });

  test("a volume that was late, while the image is pulled for long", () => {
    const late = 'MountVolume.SetUp failed for volume "config" : failed to sync configmap cache: timed out';
    const one = pod({ statuses: [waiting("ContainerCreating")] });
    const events = [
      event(one, "FailedMount", late, { first: 0 }),
      event(one, "Pulling", `Pulling image "${image}"`, { first: 1, container: "app", type: "Normal" }),
    ];
    expect(look(one, events, 60)).toEqual({});
    const sandbox = pod({
      statuses: [waiting("ContainerCreating")],
      conditions: [{ type: "PodReadyToStartContainers", status: "True" }],
    });
    expect(look(sandbox, [event(sandbox, "FailedMount", late, { first: 0 })], 60)).toEqual({});
  });

  test("a disk that is still attached to the node of a pod that has ended", () => {
    const one = pod({ statuses: [waiting("ContainerCreating")] });
    const words = 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node';
    const events = [event(one, "FailedAttachVolume", words, { first: 0 })];
    expect(look(one, events, 45)).toEqual({ lookAgainAt: ms(60) });
    expect(look(one, events, 60).fault).toMatchObject({ kind: "VolumeCannotBeMounted", message: words });
  });

  test("config that the kubelet has not heard of yet", () => {
    const words = "failed to sync configmap cache: timed out waiting for the condition";
    const one = pod({ statuses: [waiting("CreateContainerConfigError", words)] });
    expect(look(one, [event(one, "Failed", `Error: ${words}`, { container: "app", count: 2 })], 12)).toEqual({});
  });

  test("a pod that waits for a node which the autoscaler makes", () => {
    const one = unscheduled("0/3 nodes are available: 3 Insufficient cpu");
    const scaled = event(one, "TriggeredScaleUp", "pod triggered scale-up: [{pool 3->4 (max: 9)}]", { type: "Normal" });
    expect(look(one, [], 5)).toEqual({ lookAgainAt: ms(20) });
    expect(look(one, [scaled], 120)).toEqual({});
  });

  test("a pod that waits for the room of an old pod which drains", () => {
    const one = unscheduled("0/1 nodes are available: 1 Insufficient memory");
    const draining = pod({ ...ofOld, name: "old-1", deletedAt: at(30), statuses: [running(-500)] });
    const seen = look(one, [], 25, { pods: [one, draining] });
    expect(seen).toEqual({ lookAgainAt: ms(30) + patienceMs });
    expect(look(one, [], 45, { pods: [one, draining] }).fault?.kind).toBe("Unschedulable");
  });

  test("an evicted pod, which has a successor", () => {
    const evicted = pod({
      name: "evicted",
      phase: "Failed",
      statuses: [containerStatus({ state: died({ exitCode: 137, reason: "OOMKilled" }) })],
    });
    const events = [
      event(evicted, "Killing", "Container app failed liveness probe, will be restarted", { container: "app" }),
    ];
    const successor = pod({ ready: true, statuses: [running(5, { ready: true, started: true })] });
    expect(look(evicted, events, 20, { pods: [evicted, successor] })).toEqual({});
  });

  test("a sidecar that was restarted once, and an init container that is done", () => {
    const one = pod({
      ready: true,
      init: [containerStatus({ name: "wait", ready: true, state: died({ exitCode: 0, reason: "Completed" }) })],
      statuses: [
        running(3, { ready: true, started: true }),
        running(9, { name: "proxy", ready: true, started: true, restartCount: 1, lastState: died() }),
      ],
    });
    expect(look(one, [], 20)).toEqual({});
  });

  test("another container's probe, or one whose name begins alike, is not this one's", () => {
    const sidecar = { name: "app-proxy", image };
    const one = pod({
      containers: [appContainer, sidecar],
      statuses: [running(1), running(1, { name: "app-proxy", ready: true, started: true, restartCount: 1 })],
    });
    const events = [
      event(one, "Unhealthy", "Liveness probe failed: dial tcp", { container: "app-proxy", count: 40 }),
      event(one, "Unhealthy", startupFailure, { container: "app-proxy", count: 40 }),
    ];
    expect(look(one, events, 10).fault).toBeUndefined();
    const killed = event(one, "Killing", "Container app-proxy failed liveness probe, will be restarted");
    expect(look(one, [...events, killed], 10).fault?.log?.container).toBe("app-proxy");
  });
});

const ofOld: PodParts = { owner: { kind: "ReplicaSet", name: oldSet.metadata.name, uid: oldSet.metadata.uid ?? "" } };

describe("pods that the API server refuses", () => {
  const refusing = (message: string, since = 0): { replicaSets: ReplicaSet[] } => ({
    replicaSets: [
      oldSet,
      replicaSet({
        name: newSet.metadata.name,
        revision: 2,
        conditions: [
          { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message, lastTransitionTime: at(since) },
        ],
      }),
    ],
  });
  const quota = (requested: string) =>
    `pods "myapp-7d9c4b-abcde" is forbidden: exceeded quota: small, requested: requests.cpu=${requested}, used: requests.cpu=300m, limited: requests.cpu=600m`;

  test("Pod Security ends it at once", () => {
    const words = `pods "myapp-7d9c4b-abcde" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`;
    const { fault } = diagnose(snapshot(refusing(words)), [], ms(0));
    expect(fault).toEqual({ kind: "PodRefused", subject: "ReplicaSet/myapp-7d9c4b", message: words });
  });

  test("a pod that is more than the whole quota ends it at once", () => {
    expect(diagnose(snapshot(refusing(quota("900m"))), [], ms(0)).fault).toMatchObject({
      kind: "QuotaExceeded",
      message: expect.stringContaining("exceeded quota: small") as string,
    });
    expect(diagnose(snapshot(refusing(quota("1"))), [], ms(0)).fault?.kind).toBe("QuotaExceeded");
  });

  test("a quota that is full now is borne for a while", () => {
    expect(diagnose(snapshot(refusing(quota("400m"))), [], ms(9))).toEqual({ lookAgainAt: ms(0) + patienceMs });
    expect(diagnose(snapshot(refusing(quota("400m"))), [], ms(10)).fault?.kind).toBe("QuotaExceeded");
  });

  test("a quota that old pods still use is borne until they have drained, also when the last has just gone", () => {
    const draining = pod({ ...ofOld, name: "old-1", deletedAt: at(30), statuses: [running(-500)] });
    const withPod = snapshot({ ...refusing(quota("400m")), pods: [draining] });
    expect(diagnose(withPod, [], ms(29))).toEqual({ lookAgainAt: ms(30) + patienceMs });
    const scaledDown = event(oldSet, "SuccessfulDelete", "Deleted pod: old-1", { first: 0, type: "Normal" });
    expect(diagnose(snapshot(refusing(quota("400m"))), [scaledDown], ms(12)).fault).toBeUndefined();
    expect(diagnose(snapshot(refusing(quota("400m"))), [scaledDown], ms(40)).fault?.kind).toBe("QuotaExceeded");
  });

  test("a new pod that was made meanwhile is progress", () => {
    const fresh = pod({ createdSeconds: 15, ready: true, statuses: [running(16, { ready: true, started: true })] });
    expect(diagnose(snapshot({ ...refusing(quota("400m")), pods: [fresh] }), [], ms(20))).toEqual({
      lookAgainAt: ms(15) + patienceMs,
    });
  });

  test.each([
    'Internal error occurred: failed calling webhook "policy.example": failed to call webhook: connect: connection refused',
    'Operation cannot be fulfilled on resourcequotas "small": the object has been modified; please apply your changes',
    'pods "myapp-1" is forbidden: error looking up service account shop/myapp: serviceaccount "myapp" not found',
    'pods "myapp-1" is forbidden: status unknown for quota: small, resources: requests.cpu',
  ])("a refusal that is none yet is borne for a while: %s", (words) => {
    expect(diagnose(snapshot(refusing(words)), [], ms(3))).toEqual({ lookAgainAt: ms(0) + patienceMs });
    expect(diagnose(snapshot(refusing(words)), [], ms(10)).fault).toMatchObject({ kind: "PodRefused", message: words });
  });
});

describe("the Deployment's own deadline", () => {
  const stuck = (name: string) =>
    snapshot({
      deployment: deployment({
        conditions: [
          {
            type: "Progressing",
            status: "False",
            reason: "ProgressDeadlineExceeded",
            message: `ReplicaSet "${name}" has timed out progressing.`,
          },
        ],
      }),
    });

  test("ends a rollout that nothing else explains", () => {
    expect(diagnose(stuck("myapp-7d9c4b"), [], ms(300)).fault?.kind).toBe("DeadlineExceeded");
  });

  test("does not count when it is left from the rollout before", () => {
    expect(diagnose(stuck("myapp-5f6d8c"), [], ms(1))).toEqual({});
  });
});

describe("a hook's Job", () => {
  const ofJob: PodParts = { name: "myapp-verify-1", owner: { kind: "Job", name: "myapp-verify", uid: "job" } };

  test("that failed names its reason, and its newest pod's log", () => {
    const failed = job([
      {
        type: "Failed",
        status: "True",
        reason: "BackoffLimitExceeded",
        message: "Job has reached the specified backoff limit",
      },
    ]);
    const pods = [
      pod({ ...ofJob, name: "second", createdSeconds: 9, phase: "Failed" }),
      pod({ ...ofJob, name: "first", createdSeconds: 1, phase: "Failed" }),
      pod({ name: "of-another-job", owner: { kind: "Job", name: "x", uid: "x" }, createdSeconds: 20 }),
    ];
    expect(diagnoseJob(failed, pods, [], ms(10)).fault).toEqual({
      kind: "HookFailed",
      subject: "Job/myapp-verify",
      message: "Job has reached the specified backoff limit",
      log: { pod: "second", container: "app", previous: false },
    });
  });

  test("whose image cannot be pulled is a fault before the Job fails", () => {
    const one = pod({ ...ofJob, statuses: [waiting("ErrImagePull", notFound)] });
    expect(diagnoseJob(job(), [one], [], ms(1)).fault?.kind).toBe("ImageCannotBePulled");
  });

  test("whose pods are refused is told by its events", () => {
    const refused = (words: string) => [
      event(job(), "FailedCreate", `Error creating: pods "myapp-verify-1" is forbidden: ${words}`),
    ];
    expect(
      diagnoseJob(job(), [], refused('violates PodSecurity "restricted:latest": runAsNonRoot != true'), ms(0)).fault,
    ).toMatchObject({ kind: "PodRefused", subject: "Job/myapp-verify" });
    const full = (amount: string) =>
      refused(`exceeded quota: small, requested: cpu=${amount}, used: cpu=1, limited: cpu=1`);
    expect(diagnoseJob(job(), [], full("2"), ms(0)).fault?.kind).toBe("QuotaExceeded");
    // The rollout's surge gives its room back.
    expect(diagnoseJob(job(), [], full("100m"), ms(60))).toEqual({});
  });

  test("that runs, or is done, is none", () => {
    const runs = pod({ ...ofJob, ready: true, statuses: [running(1, { ready: true, started: true })] });
    expect(diagnoseJob(job(), [runs], [], ms(500))).toEqual({});
    const done = pod({ ...ofJob, phase: "Succeeded", statuses: [containerStatus({ state: died({ exitCode: 0 }) })] });
    expect(diagnoseJob(job([{ type: "Complete", status: "True" }]), [done], [], ms(9))).toEqual({});
  });
});

describe("which pods count", () => {
  const crashing = [waiting("CrashLoopBackOff", "", { restartCount: 7, lastState: died() })];

  test("no fault of an old pod, whatever it is", () => {
    fc.assert(
      fc.property(fc.constantFrom(...faultyStatuses), fc.integer({ min: 0, max: 600 }), (status, seconds) => {
        const old = pod({ ...ofOld, name: "old", statuses: [status] });
        const events = [
          event(old, "Killing", "Container app failed liveness probe, will be restarted", { container: "app" }),
          event(old, "FailedMount", "MountVolume.SetUp failed"),
        ];
        expect(diagnose(snapshot({ pods: [old] }), events, ms(seconds))).toEqual({});
      }),
    );
  });

  test("no pod that is being deleted", () => {
    expect(look(pod({ statuses: crashing, deletedAt: at(30) }), [], 10)).toEqual({});
  });

  test("none before the controller has seen the new template", () => {
    const unseen = snapshot({
      deployment: deployment({ generation: 3, observed: 2 }),
      pods: [pod({ statuses: crashing })],
    });
    expect(diagnose(unseen, [], ms(5))).toEqual({});
    expect(diagnose(snapshot({ deployment: undefined }), [], ms(5))).toEqual({});
  });

  test("a ReplicaSet that a rollback uses again counts as the new one", () => {
    const again = replicaSet({ name: oldSet.metadata.name, revision: 3 });
    const s = snapshot({
      deployment: deployment({ revision: 3 }),
      replicaSets: [newSet, again],
      pods: [pod({ statuses: crashing })],
    });
    expect(diagnose(s, [], ms(5))).toEqual({});
    expect(diagnose({ ...s, pods: [pod({ ...ofOld, statuses: crashing })] }, [], ms(5)).fault?.kind).toBe("CrashLoop");
  });
});

const faultyStatuses: ContainerStatus[] = [
  waiting("CrashLoopBackOff", "", { restartCount: 3, lastState: died() }),
  waiting("ImagePullBackOff", notFound),
  waiting("CreateContainerConfigError", 'secret "x" not found'),
  containerStatus({ state: died({ exitCode: 137, reason: "OOMKilled" }) }),
  running(0, { restartCount: 4 }),
];

/** Every state that one pod of a good rollout goes through: scheduling, pulling, booting within its time, ready. */
const healthyStates: ((name: string) => { one: Pod; events: Event[] })[] = [
  (name) => ({ one: pod({ name, statuses: [] }), events: [] }),
  (name) => ({ one: pod({ name, statuses: [waiting("ContainerCreating")] }), events: [] }),
  (name) => {
    const one = pod({ name, statuses: [waiting("ContainerCreating")] });
    return { one, events: [event(one, "Pulling", "Pulling image", { type: "Normal", container: "app" })] };
  },
  (name) => {
    const one = pod({ name, statuses: [waiting("ErrImagePull", refusedConnection)] });
    return { one, events: pullFailure(one, refusedConnection, 1) };
  },
  (name) => ({
    one: pod({
      name,
      init: [running(1, { name: "wait", ready: false, started: true })],
      statuses: [waiting("PodInitializing")],
    }),
    events: [],
  }),
  (name) => ({ one: pod({ name, statuses: [running(10)] }), events: [] }),
  (name) => {
    const one = pod({ name, statuses: [running(10)] });
    return { one, events: [event(one, "Unhealthy", startupFailure, { container: "app", count: 9, first: 11 })] };
  },
  (name) => ({ one: pod({ name, statuses: [running(10, { started: true })] }), events: [] }),
  (name) => {
    const one = pod({ name, statuses: [running(10, { started: true })] });
    return { one, events: [event(one, "Unhealthy", readinessFailure, { container: "app", count: 1, first: 18 })] };
  },
  (name) => ({
    one: pod({ name, ready: true, statuses: [running(10, { ready: true, started: true })] }),
    events: [],
  }),
  (name) => {
    const one = pod({ name, ready: true, statuses: [running(10, { ready: true, started: true })] });
    return {
      one,
      events: [
        event(one, "Unhealthy", startupFailure, { container: "app", count: 22, first: 11 }),
        event(one, "Unhealthy", readinessFailure, { container: "app", count: 5, first: 18 }),
        event(one, "FailedMount", "failed to sync configmap cache: timed out", { first: 0 }),
      ],
    };
  },
];

describe("a good rollout", () => {
  test("has no fault in any of its moments", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: healthyStates.length - 1 }), { maxLength: 6 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 10, max: 39 }),
        (states, oldPods, seconds) => {
          const fresh = states.map((state, index) => healthyStates[state]?.(`new-${index}`));
          const old = Array.from({ length: oldPods }, (_, index) =>
            pod({
              ...ofOld,
              name: `old-${index}`,
              ready: true,
              statuses: [running(-600, { ready: true, started: true })],
              ...(index % 2 === 0 ? { deletedAt: at(30) } : {}),
            }),
          );
          const pods = [...fresh.flatMap((each) => each?.one ?? []), ...old];
          const events = fresh.flatMap((each) => each?.events ?? []);
          const seen = diagnose(snapshot({ pods, endpoints: [endpoints(old)] }), events, ms(seconds));
          expect(seen.fault).toBeUndefined();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("what one bad pod among good ones has is found, in whatever order they are listed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: healthyStates.length - 1 }), { maxLength: 4 }),
        fc.nat(),
        fc.constantFrom(...faultyStatuses.slice(0, 4)),
        (states, place, status) => {
          const good = states.map((state, index) => healthyStates[state]?.(`new-${index}`));
          const pods = good.flatMap((each) => each?.one ?? []);
          pods.splice(place % (pods.length + 1), 0, pod({ name: "bad", statuses: [status] }));
          const seen = diagnose(
            snapshot({ pods }),
            good.flatMap((each) => each?.events ?? []),
            ms(15),
          );
          expect(seen.fault?.subject).toBe("Pod/bad");
        },
      ),
    );
  });
});

describe("the next look", () => {
  test("is always ahead, so that waiting for it never turns into a busy loop", () => {
    const mounting = pod({ name: "mounting", statuses: [waiting("ContainerCreating")] });
    const booting = pod({ name: "booting", statuses: [running(1)] });
    const unready = pod({ name: "unready", statuses: [running(1, { started: true })] });
    const events = [
      event(mounting, "FailedMount", "no", { first: 2 }),
      event(mounting, "FailedAttachVolume", "no", { first: 3 }),
      event(booting, "Unhealthy", startupFailure, { container: "app", count: 22, first: 1 }),
      event(unready, "Unhealthy", readinessFailure, { container: "app", count: 4, first: 20 }),
    ];
    const all = [mounting, booting, unready, unscheduled("no room")];
    fc.assert(
      fc.property(fc.subarray(all), fc.integer({ min: 0, max: 200_000 }), (pods, passedMs) => {
        const now = ms(0) + passedMs;
        const seen = diagnose(snapshot({ pods }), events, now);
        if (seen.fault === undefined && seen.lookAgainAt !== undefined) expect(seen.lookAgainAt).toBeGreaterThan(now);
      }),
      { numRuns: 1_000 },
    );
  });

  test("finds what was borne: whoever follows the looks ends at a fault", () => {
    const cases: { one: Pod; events: Event[] }[] = [
      { one: unscheduled("no room"), events: [] },
      ...[pod({ statuses: [waiting("ContainerCreating")] })].map((one) => ({
        one,
        events: [event(one, "FailedMount", "no")],
      })),
      { one: pod({ statuses: [running(1)] }), events: [] },
    ];
    for (const { one, events } of cases) {
      const first = look(one, events, 2) as { lookAgainAt?: number };
      expect(first.lookAgainAt).toBeGreaterThan(ms(2));
      expect(diagnose(snapshot({ pods: [one] }), events, first.lookAgainAt ?? 0).fault).toBeDefined();
    }
  });
});
