import { describe, expect, test } from "vitest";
import { waitsForRoute } from "../../src/domain/first-release.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { helmRelease } from "../fixtures/helm.ts";

const held = { ingress: { held: true } };
const deployed = { info: { status: "deployed" } } as const;
const operation = (change: Partial<Operation>): Operation => ({
  id: "a",
  kind: "promote",
  fingerprint: "f",
  startedAt: "2026-01-01T00:00:00Z",
  fromRevision: 1,
  backTo: 0,
  ...change,
});

describe("a first release waits for its routes", () => {
  test("when it was installed without them, until they are made", () => {
    const first = helmRelease({ ...deployed, version: 1, config: held });
    expect(waitsForRoute({ helm: [first], operation: undefined })).toBe(true);
    const promoted = helmRelease({ ...deployed, version: 2, config: { ingress: { held: false } } });
    expect(waitsForRoute({ helm: [promoted, first], operation: undefined })).toBe(false);
  });

  test("while Helm has failed to make them", () => {
    const first = helmRelease({ ...deployed, version: 1, config: held });
    const failed = helmRelease({ version: 2, info: { status: "failed" }, config: { ingress: { held: false } } });
    expect(waitsForRoute({ helm: [failed, first], operation: undefined })).toBe(true);
  });

  test("while what was done to it is not finished, even if nothing is left of it", () => {
    expect(waitsForRoute({ helm: [], operation: operation({ kind: "abort" }) })).toBe(true);
    expect(waitsForRoute({ helm: [], operation: operation({ kind: "promote" }) })).toBe(true);
  });

  test("not when it was installed with them, nor while something else goes on", () => {
    const plain = helmRelease({ ...deployed, version: 1 });
    expect(waitsForRoute({ helm: [plain], operation: undefined })).toBe(false);
    expect(waitsForRoute({ helm: [plain], operation: operation({ kind: "deploy" }) })).toBe(false);
    expect(waitsForRoute({ helm: [plain], operation: operation({ backTo: 3 }) })).toBe(false);
  });
});
