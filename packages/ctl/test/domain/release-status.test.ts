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

  test("paused: it is a first release, verified, that no route leads to", () => {
    const held = helmRelease({ config: { ingress: { held: true } } });
    expect(releaseStatus({ ...good, newest: held })).toMatchObject({ state: "paused", exit: 7 });
    const bad = entry(2, "a", "fail");
    expect(releaseStatus({ ...good, newest: held, verdict: bad })).toMatchObject({ state: "failed" });
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

  test.each([
    ["paused", 7, { kind: "paused", by: "step", why: "it waits" }],
    ["inconclusive", 8, { kind: "inconclusive", why: "could not tell" }],
    ["aborted", 6, { kind: "aborted", why: "errors" }],
    ["failed", 6, { kind: "stuck", why: "timed out" }],
    ["failed", 6, { kind: "invalid", why: "no Service" }],
  ] as const)("%s (exit code %i) as its rollout is", (state, exit, rollout) => {
    const status = releaseStatus({ ...good, verdict: undefined, workload: rolling, rollout });
    expect(status).toEqual({ state, exit, why: rollout.why });
  });

  test("in progress while its rollout is in flight, and verified only when it is promoted", () => {
    const inFlight = releaseStatus({ ...good, rollout: { kind: "inFlight", why: "step 2 of 5" } });
    expect(inFlight).toMatchObject({ state: "inProgress", why: "waiting for step 2 of 5" });
    expect(releaseStatus({ ...good, rollout: { kind: "promoted", why: "" } }).state).toBe("verified");
  });

  test("in progress while a version that failed before is rolled out again", () => {
    const verdict = { ...good.verdict, verdict: "fail" as const } as typeof good.verdict;
    const again = releaseStatus({ ...good, verdict, rollout: { kind: "inFlight", why: "step 2 of 5" } });
    expect(again.state).toBe("inProgress");
  });
});
