import type { Deployment, KubeObject, Pod, ReplicaSet } from "@safe-deploy/kube";
import { describe, expect, it } from "vitest";
import { addonOf } from "../../src/addons/catalog.ts";
import { areReady, definitionsFor, isHopeless, isReady, newestPods, type Workloads } from "../../src/addons/install.ts";

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
  const state = (deployments: Deployment[]): Workloads => ({
    deployments,
    replicaSets: [replicaSet("old", "1"), replicaSet("new", "2"), replicaSet("another's", "2", "other")],
    pods: [pod("a", "old"), pod("b", "new"), pod("c", "another's")],
    statefulSets: [],
    operated: [],
  });
  const names = (found: Pod[]) => found.map((it) => it.metadata.name);

  it("are those of the template as it is now", () => {
    expect(names(newestPods(state([deployment(done)])))).toEqual(["b"]);
  });

  it("are none before the controller has seen the template, or made its set", () => {
    expect(newestPods(state([deployment(done, 3)]))).toEqual([]);
    const before = state([deployment(done)]);
    expect(newestPods({ ...before, replicaSets: [replicaSet("old", "1")] })).toEqual([]);
    expect(newestPods(state([]))).toEqual([]);
  });
});

describe("a StatefulSet that an operator makes", () => {
  const addon = addonOf("prometheus");
  const metadata = { name: "lab", uid: "s", generation: 2 };
  const operated = (observedGeneration: number) => ({
    apiVersion: "monitoring.coreos.com/v1",
    kind: "Prometheus",
    metadata,
    status: { conditions: [{ type: "Reconciled", status: "True", observedGeneration }] },
  });
  const pod = (name: string, template: string): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      labels: { "controller-revision-hash": template },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "s", uid: "s" }],
    },
    spec: { containers: [] },
  });
  const state = (reconciled: number, available = 1): Workloads => ({
    deployments: [deployment(done)],
    replicaSets: [],
    pods: [pod("old", "1"), pod("new", "2")],
    statefulSets: [
      {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata,
        spec: { replicas: 1 },
        status: { ...done, availableReplicas: available, updateRevision: "2" },
      },
    ],
    operated: [operated(reconciled)],
  });

  it("is ready when it serves what the operator made of the object as it is now", () => {
    expect(areReady(addon, state(2))).toBe(true);
    expect(areReady(addon, state(1))).toBe(false);
    expect(areReady(addon, state(2, 0))).toBe(false);
    expect(areReady(addon, { ...state(2), statefulSets: [] })).toBe(false);
    expect(areReady(addon, { ...state(2), deployments: [] })).toBe(false);
  });

  it("is judged by the pods of its newest template, once that is made", () => {
    expect(newestPods(state(2)).map((it) => it.metadata.name)).toEqual(["new"]);
    expect(newestPods(state(1))).toEqual([]);
  });
});

describe("definitionsFor", () => {
  const definition = (name: string, group: string, kind: string): KubeObject => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name },
    spec: { group, names: { kind } },
  });
  const definitions = [definition("as.x", "x", "A"), definition("as.y", "y", "A"), definition("bs.x", "x", "B")];

  it("are those that the objects are of, by group and kind", () => {
    const object = { apiVersion: "x/v1", kind: "A", metadata: { name: "a" } };
    expect(definitionsFor([object], definitions)).toEqual(["as.x"]);
    expect(definitionsFor([], definitions)).toEqual([]);
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
