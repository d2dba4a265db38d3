import { describe, expect, test } from "vitest";
import { contentId } from "../../src/domain/content.ts";
import { diagnose } from "../../src/domain/diagnose.ts";
import {
  newReplicaSet,
  podsOf,
  presentTemplate,
  runningImageId,
  servesAlone,
  servesBehindItsService,
} from "../../src/domain/serving.ts";
import {
  appContainer,
  deployment,
  digest,
  endpoints,
  event,
  image,
  ms,
  newSet,
  pod,
  running,
  snapshot,
  waiting,
} from "../fixtures/cluster.ts";
import { blueGreen, canary, podOf, rolloutSnapshot, set } from "../fixtures/rollout.ts";

const owner = { kind: "ReplicaSet", name: "myapp-new", uid: "set-new" };
const fresh = ["a", "b", "c"].map((name) => podOf("new", name));
const old = ["x", "y", "z"].map((name) => podOf("old", name));

describe("the new ReplicaSet of a Rollout", () => {
  test("has the hash that the controller gives the present template", () => {
    expect(newReplicaSet(rolloutSnapshot())?.metadata.name).toBe("myapp-new");
    expect(podsOf(newReplicaSet(rolloutSnapshot()), [...fresh, ...old])).toEqual(fresh);
  });

  test("is not known before the controller has seen the template", () => {
    expect(newReplicaSet(rolloutSnapshot({ rollout: canary({ observedGeneration: "3" }) }))).toBeUndefined();
    expect(newReplicaSet(rolloutSnapshot({ rollout: canary({ currentPodHash: "" }) }))).toBeUndefined();
  });

  test("is none of another Rollout's", () => {
    const stranger = { ...set("new", 2), metadata: { ...set("new", 2).metadata, ownerReferences: [] } };
    expect(newReplicaSet(rolloutSnapshot({ replicaSets: [stranger] }))).toBeUndefined();
  });

  test("tells what image its pods run", () => {
    expect(runningImageId(rolloutSnapshot({ pods: [...old, ...fresh] }), "app")).toBe(digest);
  });
});

describe("what a release runs", () => {
  const template = (labels: Record<string, string>, spec: object) => ({
    metadata: { labels },
    spec: { containers: [appContainer], ...spec },
  });
  const labels = { "app.kubernetes.io/name": "myapp", role: "stable" };
  const defaults = { restartPolicy: "Always", terminationGracePeriodSeconds: 30 };

  test("has one id, as a Deployment and as a Rollout in any role", () => {
    const asDeployment = deployment({});
    asDeployment.spec.template = template(labels, defaults);
    const asRollout = canary();
    asRollout.spec.template = template(labels, {});
    const replicaSet = set("new", 2);
    replicaSet.spec.template = template({ ...labels, role: "canary", "rollouts-pod-template-hash": "new" }, defaults);
    const one = presentTemplate(snapshot({ deployment: asDeployment }));
    const other = presentTemplate(rolloutSnapshot({ rollout: asRollout, replicaSets: [replicaSet] }));
    if (one === undefined || other === undefined) throw new Error("no template");
    expect(contentId(other, digest)).toBe(contentId(one, digest));
  });

  test("is not known of a Rollout whose template the controller has not seen", () => {
    expect(presentTemplate(rolloutSnapshot({ rollout: canary({ observedGeneration: "3" }) }))).toBeUndefined();
  });
});

describe("a Rollout's template serves alone", () => {
  const promoted = rolloutSnapshot({
    rollout: canary({ stableRS: "new" }),
    pods: [...fresh, ...old],
    endpoints: [endpoints(fresh)],
  });

  test("when it is the stable one, all its pods serve, and nobody else answers", () => {
    expect(servesAlone(promoted)).toEqual({ done: true });
  });

  test.each([
    ["the Rollouts controller to see the new template", { rollout: canary({ observedGeneration: "3" }) }],
    ["the new ReplicaSet", { replicaSets: [set("old", 1)] }],
    ["the rollout to be promoted", { rollout: canary() }],
    [
      "the router to send everything to the stable pods",
      { rollout: canary({ stableRS: "new", canary: { weights: { canary: { weight: 5 }, stable: { weight: 95 } } } }) },
    ],
    ["the active Service to lead to it", { rollout: blueGreen({ stableRS: "new" }) }],
    ["2 of 3 new pods ready", { pods: [...fresh.slice(1), ...old] }],
    ["1 of 3 pods available", { replicaSets: [set("new", 2, { available: 1 })] }],
    ["3 old pods to stop serving", { endpoints: [endpoints([...fresh, ...old])] }],
    ["the Service to have endpoints", { endpoints: [] }],
  ])("not while it waits for %s", (waitingFor, change) => {
    expect(servesAlone({ ...promoted, ...change })).toEqual({ done: false, waitingFor });
  });

  test("behind its own Service also before it is promoted", () => {
    expect(servesBehindItsService({ ...promoted, rollout: canary() })).toEqual({ done: true });
  });

  test("with as many pods as it is to have by now", () => {
    const preview = set("new", 2, { available: 1 });
    preview.spec.replicas = 1;
    const one = fresh.slice(0, 1);
    const state = rolloutSnapshot({
      rollout: blueGreen(),
      replicaSets: [preview],
      pods: one,
      endpoints: [endpoints(one)],
    });
    expect(servesBehindItsService(state)).toEqual({ done: true });
  });
});

describe("what is wrong with a canary's pods decides as it does for a Deployment's", () => {
  const broken = (o: Parameters<typeof pod>[0]) => pod({ name: "a", owner, ...o });

  test.each([
    ["ImageCannotBePulled", broken({ statuses: [waiting("ErrImagePull", "registry.local/myapp:nope: not found")] })],
    [
      "CrashLoop",
      broken({
        statuses: [
          waiting("CrashLoopBackOff", "back-off", { restartCount: 1, lastState: { terminated: { exitCode: 1 } } }),
        ],
      }),
    ],
    [
      "OutOfMemory",
      broken({ statuses: [running(1, { lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } })] }),
    ],
  ])("%s", (kind, one) => {
    expect(diagnose(rolloutSnapshot({ pods: [one, ...old] }), [], ms(5)).fault).toMatchObject({
      kind,
      subject: "Pod/a",
    });
  });

  test("a probe beyond its own threshold", () => {
    const one = broken({ statuses: [running(0)] });
    const failing = event(one, "Unhealthy", "Startup probe failed: connection refused", {
      count: 30,
      last: 31,
      container: "app",
    });
    expect(diagnose(rolloutSnapshot({ pods: [one] }), [failing], ms(31)).fault?.kind).toBe("ProbeFailing");
  });

  test("the stable pods never count", () => {
    const one = pod({
      name: "x",
      owner: { kind: "ReplicaSet", name: "myapp-old", uid: "set-old" },
      statuses: [waiting("ErrImagePull", `${image}: not found`)],
    });
    expect(diagnose(rolloutSnapshot({ pods: [one, ...fresh] }), [], ms(5))).toEqual({});
  });

  test("a deadline names the Rollout", () => {
    const conditions = [
      {
        type: "Progressing",
        status: "False" as const,
        reason: "ProgressDeadlineExceeded",
        message: 'ReplicaSet "myapp-new" has timed out progressing.',
      },
    ];
    expect(diagnose(rolloutSnapshot({ rollout: canary({ conditions }) }), [], ms(5)).fault).toMatchObject({
      kind: "DeadlineExceeded",
      subject: "Rollout/myapp",
    });
    // One of the template before says nothing about this one.
    const rollout = canary({ conditions, currentPodHash: newSet.metadata.name });
    expect(diagnose(rolloutSnapshot({ rollout }), [], ms(5))).toEqual({});
  });
});
