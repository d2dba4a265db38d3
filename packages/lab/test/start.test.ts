import { expect, test } from "vitest";
import { whyNodeNotReady, whyReportIsOld } from "../src/node/start.ts";

const node = (status: string) => ({
  status: { conditions: [{ type: "Ready", status, message: "PLEG is not healthy" }] },
});

test("a node is Ready when its kubelet says so", () => {
  expect(whyNodeNotReady(node("True"))).toBeUndefined();
  expect(whyNodeNotReady(node("False"))).toContain("PLEG is not healthy");
  expect(whyNodeNotReady({ status: {} })).toContain("has not reported yet");
});

test("what an earlier kubelet said does not count", () => {
  const started = "2026-01-01T10:00:05.900Z";
  const [before, after] = ["2026-01-01T10:00:04Z", "2026-01-01T10:00:05Z"];
  expect(whyReportIsOld([before, "2026-01-01T10:00:05.950123Z"], started)).toBeUndefined();
  expect(whyReportIsOld([after, undefined], started)).toBeUndefined();
  expect(whyReportIsOld([before, before], started)).toContain("since it started");
  expect(whyReportIsOld([undefined, undefined], started)).toContain("since it started");
});
