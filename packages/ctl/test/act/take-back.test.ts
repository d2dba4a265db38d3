import { KubeError } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import type { OperationLock } from "../../src/act/operation-lock.ts";
import { finishRestore, takeBack } from "../../src/act/take-back.ts";
import type { Context } from "../../src/context.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { noWorkload } from "../../src/domain/serving.ts";
import { Journal } from "../../src/report/journal.ts";
import { Timeline } from "../../src/report/timeline.ts";
import { facts } from "../fixtures/facts.ts";

const refusal = () => new KubeError("the API server at https://cluster:6443 did not answer", { reason: "Unreachable" });

/** A cluster that answers nothing any more. */
function context(answer = refusal()): Context {
  const refuse = async () => await Promise.reject(answer);
  const kube = {
    ...{ namespace: "shop", serverNow: Date.now, get: refuse, list: refuse },
    ...{ create: refuse, patch: refuse, delete: refuse, logs: refuse },
  };
  return {
    kube: kube as unknown as Context["kube"],
    helm: {} as Context["helm"],
    progress: {} as Context["progress"],
    release: "myapp",
    namespace: "shop",
    address: "--release myapp -n shop",
    timeline: new Timeline(() => undefined),
    journal: new Journal(0),
    signal: new AbortController().signal,
  };
}

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
    const own = context();
    expect(await finishRestore(own, lock(), restoring, o)).toMatchObject(notRestored);
    expect(own.timeline.entries).toMatchObject([{ kind: "restore", outcome: "bad", mark: "not restored" }]);
  });

  test("before the restore has begun, too, with what was found before", async () => {
    const fault = { kind: "CrashLoop", subject: "Pod/a", message: "no licence file\nmore of it" } as const;
    const failed = { fault, workload: noWorkload, events: ["BackOff: again"], at: Date.now() };
    const unreachable = lock({ record: () => Promise.reject(refusal()) });
    const given = { facts, since: Date.now(), wanted: true, ...o };
    expect(await takeBack(context(), unreachable, operation, failed, given)).toMatchObject({
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
    expect(await finishRestore(context(hinted), lock(), restoring, o)).toMatchObject({
      exit: 6,
      next: "ask for the right to get pods",
    });
  });
});

test("an interruption is none of the cluster's errors", async () => {
  const signal = AbortSignal.abort();
  await expect(finishRestore(context(), lock(), restoring, { ...o, signal })).rejects.toThrow(KubeError);
});
