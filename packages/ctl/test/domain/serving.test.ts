import { describe, expect, test } from "vitest";
import { newReplicaSet, podsOf, runningImageId, servesAlone, servingUnchangedSince } from "../../src/domain/serving.ts";
import {
  at,
  deployment,
  digest,
  endpoints,
  ms,
  newSet,
  oldSet,
  pod,
  replicaSet,
  running,
  snapshot,
  waiting,
} from "../fixtures/cluster.ts";
import { canary } from "../fixtures/rollout.ts";

const fresh = (name: string, ready = true) => pod({ name, ready, statuses: [running(1, { ready, started: true })] });
const old = (name: string, deletedAt?: string) =>
  pod({
    name,
    ready: true,
    owner: { kind: "ReplicaSet", name: oldSet.metadata.name, uid: oldSet.metadata.uid ?? "" },
    statuses: [running(-600, { ready: true, started: true, imageID: "registry.local/myapp@sha256:old" })],
    ...(deletedAt === undefined ? {} : { deletedAt }),
  });

describe("a template serves alone", () => {
  const pods = [fresh("a"), fresh("b"), fresh("c")];
  const done = snapshot({ deployment: deployment({ available: 3 }), pods, endpoints: [endpoints(pods)] });

  test("when all its pods are ready, available, and nobody else answers", () => {
    expect(servesAlone(done)).toEqual({ done: true });
    // One that still drains no longer takes requests.
    const draining = old("old", at(30));
    expect(servesAlone({ ...done, pods: [...pods, draining], endpoints: [endpoints([...pods, draining])] })).toEqual({
      done: true,
    });
  });

  test("also when it is scaled to nothing", () => {
    expect(servesAlone(snapshot({ deployment: deployment({ replicas: 0 }) }))).toEqual({ done: true });
  });

  test.each([
    ["the Deployment to exist", { deployment: undefined }],
    ["the Deployment controller to see the new template", { deployment: deployment({ generation: 3, observed: 2 }) }],
    ["the new ReplicaSet", { replicaSets: [oldSet] }],
    ["2 of 3 new pods ready", { pods: [fresh("a"), fresh("b"), fresh("c", false)] }],
    ["2 of 3 new pods ready", { pods: [fresh("a"), fresh("b"), old("c")] }],
    ["2 of 3 new pods ready", { pods: [fresh("a"), fresh("b"), pod({ name: "c", ready: true, deletedAt: at(9) })] }],
    ["3 of 5 new pods ready", { deployment: deployment({ replicas: 5, available: 3 }) }],
    ["1 of 3 pods available", { deployment: deployment({ available: 1 }) }],
    ["1 old pod to stop serving", { endpoints: [endpoints([...pods, old("old")])] }],
    ["2 old pods to stop serving", { endpoints: [endpoints(pods), endpoints([old("x"), old("y")])] }],
    ["the Service to have endpoints", { endpoints: [] }],
  ])("not while it waits for %s", (waitingFor, change) => {
    expect(servesAlone({ ...done, ...change })).toEqual({ done: false, waitingFor });
  });
});

describe("the pods that take a Service's requests are the same since", () => {
  const settled = { ...old("old"), ...pod({ name: "old", ready: true, readySince: -600 }) };

  test.each([
    ["the last one became ready", [settled, pod({ name: "a", ready: true, readySince: 4 })], 4],
    ["one stopped being ready", [settled, pod({ name: "a", readySince: 7 })], 7],
    ["one that is ready began to end", [settled, pod({ name: "a", ready: true, deletedAt: at(30) })], 30],
    // It takes none, so that it ends changes nothing.
    ["one was made that never became ready", [settled, pod({ name: "a", createdSeconds: 2, deletedAt: at(30) })], 2],
  ])("%s", (_, pods, seconds) => {
    const state = snapshot({ deployment: deployment({}), pods });
    // Times come without their fraction: it may have been almost a second later.
    expect(servingUnchangedSince(state)).toBe(ms(seconds + 1));
  });

  test("nobody knows when, where labels and selectors move the requests", () => {
    expect(servingUnchangedSince({ ...snapshot({ pods: [settled] }), rollout: canary({}) })).toBeUndefined();
  });
});

describe("the new ReplicaSet", () => {
  test("is the one with the Deployment's revision, among its own", () => {
    const stranger = { ...newSet, metadata: { ...newSet.metadata, uid: "x", ownerReferences: [] } };
    expect(newReplicaSet(snapshot({ replicaSets: [stranger, oldSet, newSet] }))).toBe(newSet);
    expect(newReplicaSet(snapshot({ replicaSets: [stranger, oldSet] }))).toBeUndefined();
  });

  test("is an older one again after a rollback", () => {
    const again = replicaSet({ name: "myapp-5f6d8c", revision: 3 });
    expect(newReplicaSet(snapshot({ deployment: deployment({ revision: 3 }), replicaSets: [newSet, again] }))).toBe(
      again,
    );
  });

  test("has its own pods only", () => {
    expect(podsOf(newSet, [fresh("a"), old("b")]).map(({ metadata }) => metadata.name)).toEqual(["a"]);
    expect(podsOf(undefined, [fresh("a")])).toEqual([]);
  });
});

test("the running image is read from the new pods, once one of them has run", () => {
  const pending = pod({ name: "p", statuses: [waiting("ContainerCreating")] });
  expect(runningImageId(snapshot({ pods: [old("o"), pending] }), "app")).toBeUndefined();
  expect(runningImageId(snapshot({ pods: [old("o"), pending, fresh("a")] }), "app")).toBe(digest);
  expect(runningImageId(snapshot({ pods: [fresh("a")] }), "proxy")).toBeUndefined();
});
