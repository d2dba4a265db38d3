import type { Kube, Pod } from "@safe-deploy/kube";
import { expect, test } from "vitest";
import { gateFault } from "../../src/act/gate-fault.ts";
import type { LedgerEntry } from "../../src/domain/ledger.ts";
import { at, containerStatus, pod } from "../fixtures/cluster.ts";
import { facts } from "../fixtures/facts.ts";
import { entry } from "../fixtures/ledger.ts";

const job = "c1d2.verified.1";

/** A cluster after a gate's Job has failed. */
function cluster(o: { ledger?: LedgerEntry[]; pods?: Pod[]; log?: string }): Kube {
  const kube = {
    get: async () => await Promise.resolve({ metadata: { name: job, creationTimestamp: at(50) } }),
    list: async ({ kind }: { kind: string }) =>
      await Promise.resolve({
        items:
          kind === "Pod"
            ? (o.pods ?? [])
            : (o.ledger ?? []).map((one) => ({ data: { "entry.json": JSON.stringify(one) } })),
      }),
    logs: async () => await Promise.resolve(o.log ?? ""),
  };
  return kube as unknown as Kube;
}

const why = "declared check failed: new feature: GET http://myapp-canary/feature/new: status is 500\nok health";
const verdict = (o: Partial<LedgerEntry> = {}) =>
  entry(4, "v2", "fail", { why, helmRevision: facts.revision, at: at(60), ...o });
const ended = (message?: string) =>
  pod({
    name: `${job}-x2x9q`,
    statuses: [
      containerStatus({
        name: "verify",
        state: { terminated: { exitCode: 6, ...(message === undefined ? {} : { message }) } },
      }),
    ],
  });

test("a gate that gave a verdict is quoted: which check failed, and how", async () => {
  expect(await gateFault(cluster({ ledger: [verdict()] }), facts, job)).toEqual({
    kind: "VerificationFailed",
    subject: `Job/${job}`,
    message: why,
  });
});

test.each([
  ["of an earlier gate", { at: at(40) }],
  ["of another revision", { helmRevision: facts.revision - 1 }],
  ["of a person", { by: "ctl" }],
  ["that is good", { verdict: "pass" }],
] as const)("a verdict %s is not this gate's", async (_, other) => {
  expect(await gateFault(cluster({ ledger: [verdict(other)] }), facts, job)).toBeUndefined();
});

test("a gate that gives no verdict is quoted by its pod's last words", async () => {
  const fault = await gateFault(cluster({ pods: [ended(why)], log: "waiting for it to serve" }), facts, job);
  expect(fault).toEqual({
    kind: "HookFailed",
    subject: `Job/${job}`,
    message: why,
    log: { pod: `${job}-x2x9q`, container: "verify", previous: false },
  });
});

test("a gate that left no words is quoted by its log", async () => {
  const fault = await gateFault(cluster({ pods: [ended()], log: "Error: out of file handles\n" }), facts, job);
  expect(fault).toMatchObject({ kind: "HookFailed", message: "Error: out of file handles" });
});

test("a gate of which nothing is left leaves the controller's words", async () => {
  expect(await gateFault(cluster({}), facts, job)).toBeUndefined();
});
