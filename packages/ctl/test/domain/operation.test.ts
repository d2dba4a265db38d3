import { expect, test } from "vitest";
import { type Operation, resumption } from "../../src/domain/operation.ts";

const left: Operation = {
  id: "1",
  kind: "deploy",
  fingerprint: "same",
  startedAt: "2026-03-01T12:00:00Z",
  fromRevision: 2,
  backTo: 4,
};

test("the same command goes on with what it left", () => {
  expect(resumption(left, { kind: "deploy", fingerprint: "same" })).toEqual({ continue: left });
});

test.each([
  ["another kind", { kind: "rollback" as const, fingerprint: "same" }],
  ["another input", { kind: "deploy" as const, fingerprint: "other" }],
])("a command of %s begins anew, and knows what it supersedes", (_what, wanted) => {
  expect(resumption(left, wanted)).toEqual({ continue: undefined, superseded: left });
});

test("with nothing left it begins anew", () => {
  expect(resumption(undefined, { kind: "deploy", fingerprint: "same" })).toEqual({
    continue: undefined,
    superseded: undefined,
  });
});
