import { KubeError } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import type { OperationLock } from "../../src/act/operation-lock.ts";
import { finishRestore, takeBack } from "../../src/act/take-back.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { noWorkload } from "../../src/domain/serving.ts";
import { deafContext, refusal } from "../fixtures/deaf-cluster.ts";
import { facts } from "../fixtures/facts.ts";

function lock(o: Partial<OperationLock> = {}): OperationLock {
  const done = () => Promise.resolve();
  return { left: undefined, lost: new AbortController().signal, record: done, finish: done, release: done, ...o };
}

const operation: Operation = {
  id: "1",
  kind: "deploy",
  fingerprint: "f",
  startedAt: "2026-03-01T12:00:00Z",
  fromRevision: 3,
  backTo: 2,
};
const restoring: Operation = {
  ...operation,
  restore: { targetNumber: 2, why: "CrashLoop: Pod/a: no licence file\nmore of it", detectedAt: operation.startedAt },
};
const o = { deadline: Date.now() + 60_000, signal: new AbortController().signal };

const notRestored = {
  result: "restoreFailed",
  exit: 6,
  code: "CTL_E_RESTORE_FAILED",
  summary: expect.stringMatching(
    /^the release failed \(CrashLoop: Pod\/a: no licence file\) and could not be restored: the API server .* did not answer$/,
  ) as string,
  next: expect.stringMatching(
    /^the same command goes on with the restore; ctl status --release myapp -n shop/,
  ) as string,
};

describe("a cluster that stops answering", () => {
  test("in the middle of a restore ends it as not restored, and says how to go on", async () => {
    const own = deafContext();
    expect(await finishRestore(own, lock(), restoring, o)).toMatchObject(notRestored);
    expect(own.timeline.entries).toMatchObject([{ kind: "restore", outcome: "bad", mark: "not restored" }]);
  });

  test("before the restore has begun, too, with what was found before", async () => {
    const fault = { kind: "CrashLoop", subject: "Pod/a", message: "no licence file\nmore of it" } as const;
    const failed = { fault, workload: noWorkload, events: ["BackOff: again"], at: Date.now() };
    const unreachable = lock({ record: () => Promise.reject(refusal()) });
    const given = { facts, since: Date.now(), wanted: true, ...o };
    expect(await takeBack(deafContext(), unreachable, operation, failed, given)).toMatchObject({
      ...notRestored,
      fault,
      events: ["BackOff: again"],
    });
  });

  test("names what the cluster asked to be done, where it did", async () => {
    const hinted = new KubeError("forbidden", {
      reason: "Forbidden",
      status: 403,
      hint: "ask for the right to get pods",
    });
    expect(await finishRestore(deafContext(hinted), lock(), restoring, o)).toMatchObject({
      exit: 6,
      next: "ask for the right to get pods",
    });
  });
});

test("an interruption is none of the cluster's errors", async () => {
  const signal = AbortSignal.abort();
  await expect(finishRestore(deafContext(), lock(), restoring, { ...o, signal })).rejects.toThrow(KubeError);
});
