import { describe, expect, test } from "vitest";
import { restartedSince, restartsOf } from "../../src/domain/restarts.ts";
import { pod, running, snapshot } from "../fixtures/cluster.ts";

const one = (restartCount: number, reason = "Error", exitCode = 1) =>
  pod({
    name: "a",
    ready: true,
    statuses: [
      running(1, { restartCount, ...(restartCount > 0 ? { lastState: { terminated: { exitCode, reason } } } : {}) }),
    ],
  });

describe("a container that ends under watch", () => {
  const before = restartsOf(snapshot({ pods: [one(1)] }));

  test("is a fault, however well it started again", () => {
    expect(restartedSince(before, snapshot({ pods: [one(2)] }))).toMatchObject({
      kind: "CrashLoop",
      subject: "Pod/a",
      message: "container app exited with code 1 (Error) while it took requests",
      log: { previous: true },
    });
  });

  test("for lack of memory is called so", () => {
    expect(restartedSince(before, snapshot({ pods: [one(2, "OOMKilled", 137)] }))?.kind).toBe("OutOfMemory");
  });

  test("before the watch is none", () => {
    expect(restartedSince(before, snapshot({ pods: [one(1)] }))).toBeUndefined();
  });

  test("in a pod that came later counts from its start", () => {
    expect(restartedSince(new Map(), snapshot({ pods: [one(0)] }))).toBeUndefined();
    expect(restartedSince(new Map(), snapshot({ pods: [one(1)] }))).toBeDefined();
  });

  test("in an old pod says nothing of this release", () => {
    const old = pod({
      name: "x",
      owner: { kind: "ReplicaSet", name: "old", uid: "old" },
      statuses: [running(1, { restartCount: 5 })],
    });
    expect(restartedSince(new Map(), snapshot({ pods: [old] }))).toBeUndefined();
  });
});
