import { describe, expect, test } from "vitest";
import { releaseStatus } from "../../src/domain/release-status.ts";
import { deployment, endpoints, pod, running, snapshot } from "../fixtures/cluster.ts";
import { helmRelease } from "../fixtures/helm.ts";
import { entry } from "../fixtures/ledger.ts";

const one = pod({ name: "a", ready: true, statuses: [running(1, { ready: true, started: true })] });
const serving = snapshot({
  deployment: deployment({ replicas: 1, available: 1 }),
  pods: [one],
  endpoints: [endpoints([one])],
});
const rolling = snapshot({ deployment: deployment({ replicas: 1 }) });
const newest = helmRelease({});
const passed = entry(1, "a", "pass");
const good = { newest, verdict: passed, workload: serving, operationRuns: false };

describe("the state of a release", () => {
  test("verified: it serves alone, and its newest verdict is a pass", () => {
    expect(releaseStatus(good)).toMatchObject({ state: "verified", exit: 0 });
  });

  test("unverified: it serves, and nothing has judged it", () => {
    expect(releaseStatus({ ...good, verdict: undefined })).toMatchObject({ state: "unverified", exit: 8 });
  });

  test.each(["fail", "bad"] as const)("failed: it was judged %s, even if it serves", (verdict) => {
    const judged = entry(2, "a", verdict, { why: "a check failed\nwith details" });
    const status = releaseStatus({ ...good, verdict: judged });
    expect(status).toEqual({ state: "failed", exit: 6, why: `judged "${verdict}": a check failed` });
  });

  test.each([
    ["a ctl is at work", { operationRuns: true }, /ctl is at work/],
    ["Helm is at work", { newest: helmRelease({ info: { status: "pending-upgrade" } }) }, /pending-upgrade/],
    ["pods are not ready", { workload: rolling }, /0 of 1 new pods ready/],
    ["both ctl and pods", { operationRuns: true, workload: rolling }, /ctl is at work on it; waiting for 0 of 1/],
  ])("in progress while %s", (_what, change, why) => {
    const status = releaseStatus({ ...good, ...change });
    expect(status).toMatchObject({ state: "inProgress", exit: 4 });
    expect(status.why).toMatch(why);
  });

  test("in progress, not failed, while ctl takes a failed one back", () => {
    const status = releaseStatus({ ...good, verdict: entry(2, "a", "fail"), operationRuns: true });
    expect(status.state).toBe("inProgress");
  });
});
