import type { Deployment, Pod, ReplicaSet } from "@safe-deploy/kube";
import { describe, expect, it } from "vitest";
import { isHopeless, isReady, newestPods } from "../../src/addons/install.ts";

const revision = "deployment.kubernetes.io/revision";

function deployment(status: Deployment["status"], generation = 2): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", uid: "d", generation, annotations: { [revision]: "2" } },
    spec: { replicas: 1, selector: {}, template: { spec: { containers: [] } } },
    ...(status ? { status } : {}),
  };
}

const done = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };

describe("isReady", () => {
  it("when the template as it is now serves alone", () => {
    expect(isReady(deployment(done))).toBe(true);
  });

  it.each([
    ["there is none", undefined],
    ["the controller has not seen the change", deployment(done, 3)],
    ["an old pod is still there", deployment({ ...done, replicas: 2 })],
    ["the new pod is not available", deployment({ ...done, availableReplicas: 0 })],
    ["only an old pod is available", deployment({ ...done, updatedReplicas: 0 })],
    ["nothing has happened yet", deployment(undefined)],
  ])("not when %s", (_, object) => {
    expect(isReady(object)).toBe(false);
  });
});

describe("newestPods", () => {
  const replicaSet = (name: string, number: string, owner = "d"): ReplicaSet => ({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      uid: name,
      annotations: { [revision]: number },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: owner, uid: owner }],
    },
    spec: { selector: {} },
  });
  const pod = (name: string, owner: string): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner }] },
    spec: { containers: [] },
  });
  const state = {
    replicaSets: [replicaSet("old", "1"), replicaSet("new", "2"), replicaSet("another's", "2", "other")],
    pods: [pod("a", "old"), pod("b", "new"), pod("c", "another's")],
  };

  it("are those of the template as it is now", () => {
    expect(newestPods(deployment(done), state).map((it) => it.metadata.name)).toEqual(["b"]);
  });

  it("are none before the controller has seen the template, or made its set", () => {
    expect(newestPods(deployment(done, 3), state)).toEqual([]);
    expect(newestPods(deployment(done), { ...state, replicaSets: [replicaSet("old", "1")] })).toEqual([]);
    expect(newestPods(undefined, state)).toEqual([]);
  });
});

describe("isHopeless", () => {
  const waiting = (reason: string, restartCount = 0) => ({ restartCount, state: { waiting: { reason } } });

  it("is an image that cannot be pulled, or a program that keeps ending", () => {
    expect(isHopeless(waiting("ImagePullBackOff"))).toBe(true);
    expect(isHopeless(waiting("CrashLoopBackOff", 3))).toBe(true);
  });

  it("is not a start, nor a program that ended once because another was not there yet", () => {
    expect(isHopeless(waiting("ContainerCreating"))).toBe(false);
    expect(isHopeless(waiting("CrashLoopBackOff", 1))).toBe(false);
    expect(isHopeless({ restartCount: 9, state: {} })).toBe(false);
  });
});
