import { expect, test } from "vitest";
import { whyNodeNotReady } from "../src/node/start.ts";

const node = (status: string, lastHeartbeatTime = "2026-01-01T10:00:05Z") => ({
  status: { conditions: [{ type: "Ready", status, message: "PLEG is not healthy", lastHeartbeatTime }] },
});

test("a node is Ready when its kubelet says so", () => {
  expect(whyNodeNotReady(node("True"))).toBeUndefined();
  expect(whyNodeNotReady(node("False"))).toContain("PLEG is not healthy");
  expect(whyNodeNotReady({ status: {} })).toContain("has not reported yet");
});

test("what an earlier kubelet said does not count", () => {
  expect(whyNodeNotReady(node("True"), "2026-01-01T10:00:05.900Z")).toBeUndefined();
  expect(whyNodeNotReady(node("True"), "2026-01-01T10:00:06.100Z")).toContain("has not reported since it started");
});
