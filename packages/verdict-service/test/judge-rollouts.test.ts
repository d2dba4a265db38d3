import { afterEach, beforeEach, expect, test } from "vitest";
import type { Verdict } from "@safe-deploy/verdict";
import { ClusterState } from "../src/cluster-state.ts";
import { RolloutJudge } from "../src/judge-rollouts.ts";
import { OwnMetrics } from "../src/own-metrics.ts";
import type { Answer, AttemptRecord } from "../src/record.ts";
import {
  type Counters,
  key,
  MemoryStore,
  name,
  namespace,
  pod,
  rollout,
  settings,
  silent,
  SimulatedPods,
} from "./fixtures.ts";
import { startPrometheus } from "./simulated-prometheus.ts";

let pods: SimulatedPods;
let store: MemoryStore;
let stop: AbortController;
let cluster: ClusterState;
let judge: RolloutJudge;
let stable: Counters;
let canary: Counters;

const stableIp = "127.0.0.2";
const canaryIp = "127.0.0.3";

/** A service that has just begun, with what the store holds. */
function restart(): void {
  stop?.abort();
  stop = new AbortController();
  cluster = new ClusterState();
  judge = new RolloutJudge({ cluster, store, metrics: new OwnMetrics(), log: silent, signal: stop.signal });
}

beforeEach(async () => {
  pods = await SimulatedPods.start();
  store = new MemoryStore();
  restart();
  stable = pods.set(stableIp, { ok: 50_000, bad: 100 });
  canary = pods.set(canaryIp, { ok: 0, bad: 0 });
});

afterEach(async () => {
  stop.abort();
  await pods[Symbol.asyncDispose]();
});

function begin(o: Parameters<typeof rollout>[0] = {}): void {
  cluster.setPod(pod("stable-1", "old", stableIp));
  cluster.setPod(pod("canary-1", o.canary ?? "new", canaryIp, { createdAt: Date.now() }));
  cluster.setRollout(rollout({ settings: settings({ port: pods.port }), ...o }), true);
}

/** The first answer that is as asked for; requests come meanwhile if `traffic` makes them. */
async function answerThat(
  isAsked: (answer: Answer, record: AttemptRecord) => boolean,
  traffic = () => {},
): Promise<Answer> {
  const until = Date.now() + 60_000;
  let last: Answer | undefined;
  while (Date.now() < until) {
    traffic();
    await judge.nextAnswer(100);
    const standing = judge.standing(namespace, name);
    if (standing.kind !== "judged" || standing.record.answer === null) continue;
    last = standing.record.answer;
    if (isAsked(last, standing.record)) return last;
  }
  throw new Error(`no such answer; the last was ${JSON.stringify(last)}`);
}

const saying = (verdict: Verdict) => (answer: Answer) => answer.verdict === verdict;

/** The version under test is good, or it fails this share of its requests. */
function requests(badShare = 0): () => void {
  return () => {
    stable.ok += 90;
    canary.ok += 10 * (1 - badShare);
    canary.bad += 10 * badShare;
  };
}

test("a good version passes once it has had enough requests, and its weight begins the evidence anew", async () => {
  begin();
  const passed = await answerThat(saying("pass"), requests());
  expect(passed).toMatchObject({ weight: 10, source: "pods", rule: "errors", k: 0 });
  expect(passed.n).toBeGreaterThanOrEqual(197);
  expect(passed.attempt).toBe("u-1/new/1");
  cluster.setRollout(rollout({ settings: settings({ port: pods.port }), weight: 50 }));
  const next = await answerThat(({ weight }) => weight === 50);
  expect(next.verdict).toBe("continue");
});

test("a bad version fails within a few requests, and the failure stays", async () => {
  begin();
  await answerThat(saying("continue"));
  const failed = await answerThat(saying("fail"), requests(1));
  expect(failed.k).toBeLessThan(40);
  expect(failed.reason).toContain("the new version is bad");
  canary.ok += 100_000;
  expect((await answerThat(() => true)).reason).toBe(failed.reason);
});

test("a service that was ended goes on where it was, and counts what came in between", async () => {
  begin();
  await answerThat(({ n }) => n >= 60, requests());
  await judge.saveAll();
  restart();
  canary.ok += 150;
  begin();
  const passed = await answerThat(saying("pass"));
  expect(passed.attempt).toBe("u-1/new/1");
  expect(passed.n).toBeGreaterThanOrEqual(200);
});

test("a service that was ended finds the failure again, although nobody fails any more", async () => {
  begin();
  await answerThat(saying("continue"));
  const failed = await answerThat(saying("fail"), requests(1));
  await expect.poll(() => store.records.get(key)).toContain('"verdict":"fail"');
  restart();
  pods.set(canaryIp, { ok: 0, bad: 0 });
  begin();
  const again = await answerThat(saying("fail"));
  expect(again.reason).toBe(failed.reason);
  expect(again.attempt).toBe("u-1/new/1");
});

test("a retry is another attempt, with evidence of its own", async () => {
  begin();
  await answerThat(saying("continue"));
  await answerThat(saying("fail"), requests(1));
  const asked = settings({ port: pods.port });
  cluster.setRollout(rollout({ settings: asked, aborted: true, weight: 0 }));
  await expect.poll(() => judge.standing(namespace, name).kind).toBe("idle");
  cluster.setRollout(rollout({ settings: asked, weight: 0 }));
  const retried = await answerThat(() => true);
  expect(retried.attempt).toBe("u-1/new/2");
  expect(retried.verdict).toBe("continue");
  cluster.setRollout(rollout({ settings: asked, weight: 10 }));
  expect((await answerThat(saying("pass"), requests())).attempt).toBe("u-1/new/2");
});

test("a retry that nobody watched is told by its AnalysisRuns", async () => {
  begin();
  await answerThat(saying("continue"));
  await answerThat(saying("fail"), requests(1));
  await judge.saveAll();
  restart();
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const run = (runName: string, createdAt: number, status: { phase: "Failed" | "Running"; completedAt?: string }) => ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AnalysisRun",
    metadata: {
      name: runName,
      namespace,
      creationTimestamp: at(createdAt),
      ownerReferences: [{ apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", name, uid: "u-1" }],
    },
    spec: { metrics: [] },
    status,
  });
  store.runs.push(run("first", 1_000, { phase: "Failed", completedAt: at(2_000) }));
  store.runs.push(run("second", 5_000, { phase: "Running" }));
  begin();
  expect((await answerThat(() => true)).attempt).toBe("u-1/new/2");
});

test("another version under test is another attempt, and a promoted one is over", async () => {
  begin();
  await answerThat(saying("pass"), requests());
  begin({ canary: "newer" });
  await answerThat(({ attempt }) => attempt === "u-1/newer/2");
  cluster.setRollout(rollout({ settings: settings({ port: pods.port }), canary: "newer", stable: "newer" }));
  await expect.poll(() => judge.standing(namespace, name).kind).toBe("idle");
  expect((await judge.lastRecord(namespace, name))?.ended?.how).toBe("promoted");
  const asked = pods.asked.get(stableIp);
  await judge.nextAnswer(100);
  expect(pods.asked.get(stableIp)).toBe(asked);
});

test("a first release, and one that does not ask, are not judged", async () => {
  cluster.setRollout(rollout({ settings: settings({ port: pods.port }), stable: "" }), true);
  expect(judge.standing(namespace, name)).toEqual({ kind: "idle", last: undefined });
  cluster.setRollout(rollout({}), true);
  expect(judge.standing(namespace, name)).toEqual({ kind: "notAsking" });
  expect(judge.standing(namespace, "other")).toEqual({ kind: "unknown" });
});

test("a pod of the version under test that runs out of memory fails it at once, but not what happened before the attempt", async () => {
  begin();
  cluster.setPod(pod("canary-1", "new", canaryIp, { restarts: 3 }));
  await answerThat(saying("continue"), requests());
  cluster.setPod(pod("canary-1", "new", canaryIp, { restarts: 4, ended: { exitCode: 137, reason: "OOMKilled" } }));
  const failed = await answerThat(saying("fail"), requests());
  expect(failed).toMatchObject({ rule: "hard evidence" });
  expect(failed.reason).toContain("canary-1 ran out of memory: container app ended with exit code 137, OOMKilled");
});

test.each([
  ["HTTP 503", "HTTP 503"],
  ["another metric", "no pod of the canary version exports http_requests_total"],
] as const)(
  "blind while the pods answer %s, never good, and a failure at the policy's deadline",
  async (answer, words) => {
    const policy = { ...(settings({ port: 0 })["policy"] as object), blind: { seconds: 1, atDeadline: "fail" } };
    begin({ settings: settings({ port: pods.port, policy }) });
    await answerThat(saying("pass"), requests());
    canary.answer = answer;
    const blind = await answerThat(saying("blind"), requests());
    expect(blind.reason).toContain(words);
    const failed = await answerThat(saying("fail"), requests());
    expect(failed).toMatchObject({ rule: "blind" });
  },
);

test("blindness that ends in time is forgotten", async () => {
  begin();
  await answerThat(saying("pass"), requests());
  stable.answer = "HTTP 503";
  expect((await answerThat(saying("blind"), requests())).reason).toContain(
    "no pod of the stable version tells its counters",
  );
  delete stable.answer;
  await answerThat(saying("pass"), requests());
});

test("blind when the cluster has not been followed for longer than a sample may be old", async () => {
  begin();
  await answerThat(saying("pass"), requests());
  cluster.noteTrouble("rollouts", "cannot reach the server", Date.now() - 31_000);
  expect((await answerThat(saying("blind"), requests())).reason).toContain("so the weight is not known");
  cluster.noteTrouble("rollouts", undefined, Date.now());
  await answerThat(saying("pass"), requests());
});

test("settings that cannot be kept are refused with every reason, and taken up when they are mended", async () => {
  const policy = { ...(settings({ port: 0 })["policy"] as object), alpha: 0.7, rules: [] };
  begin({ settings: settings({ port: pods.port, policy }) });
  await expect.poll(() => judge.standing(namespace, name).kind).toBe("refused");
  const standing = judge.standing(namespace, name) as { problem: string };
  expect(standing.problem).toContain("alpha");
  expect(standing.problem).toContain("rules");
  expect(judge.blind).toBe(1);
  begin();
  await answerThat(saying("continue"));
  expect(judge.blind).toBe(0);
});

test("Prometheus is asked where the pods cannot be reached, and the answer says so", async () => {
  await using prometheus = await startPrometheus(() => [
    { pod: "stable-1", hash: "old", ...stable },
    { pod: "canary-1", hash: "new", ...canary },
  ]);
  const source = { address: prometheus.address, namespaceLabel: "namespace", hashLabel: "hash", scrapeSeconds: 0.05 };
  begin({ settings: settings({ port: pods.port, prometheus: source }) });
  await answerThat(({ source, n }) => source === "pods" && n > 0, requests());
  pods.set(stableIp, { ok: 0, bad: 0, answer: "HTTP 503" });
  pods.set(canaryIp, { ok: 0, bad: 0, answer: "HTTP 503" });
  const passed = await answerThat(({ verdict, source }) => verdict === "pass" && source === "prometheus", requests());
  expect(passed.n).toBeGreaterThanOrEqual(197);
  prometheus.stop();
  expect((await answerThat(saying("blind"))).reason).toMatch(/Prometheus at .*ECONN/);
});

test("blind where nobody exports the counter, though Prometheus knows the pods", async () => {
  await using prometheus = await startPrometheus(() => [
    { pod: "stable-1", hash: "old", ...stable, isBare: true },
    { pod: "canary-1", hash: "new", ...canary, isBare: true },
  ]);
  const source = { address: prometheus.address, namespaceLabel: "namespace", hashLabel: "hash", scrapeSeconds: 0.05 };
  canary.answer = stable.answer = "another metric";
  begin({ settings: settings({ port: pods.port, prometheus: source }) });
  expect((await answerThat(saying("blind"), requests())).reason).toMatch(
    /Prometheus at .* has no http_requests_total of the canary version \(hash=new\), and its pods do not tell it either/,
  );
});

test("records are written at a failure, not at every look", async () => {
  begin();
  await answerThat(saying("fail"), requests(1));
  await expect.poll(async () => (await store.load(namespace, name))?.state.failed).toEqual(expect.anything());
  const looks = () => (judge.standing(namespace, name) as { record: AttemptRecord }).record.path.looks;
  const { saves } = store;
  const since = performance.now();
  const before = looks();
  await expect.poll(looks).toBeGreaterThan(before + 20);
  // Every few seconds one more is due.
  expect(store.saves - saves).toBeLessThanOrEqual((performance.now() - since) / 5_000);
});
