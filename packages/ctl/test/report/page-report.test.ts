import type { AnalysisRun } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import type { Happening } from "../../src/domain/happening.ts";
import { Journal } from "../../src/report/journal.ts";
import { commandsOf, limitIn, type PageInput, pageReport } from "../../src/report/page-report.ts";
import { at, event, ms, pod, start } from "../fixtures/cluster.ts";
import { facts } from "../fixtures/facts.ts";
import { entry } from "../fixtures/ledger.ts";
import { analysis, canary, objects, set } from "../fixtures/rollout.ts";

const template = (hash: string, version: string) => {
  const made = set(hash, hash === "new" ? 2 : 1);
  const [container] = made.spec.template?.spec.containers ?? [];
  if (container === undefined) throw new Error("the fixture has no container");
  made.spec.template!.spec.containers = [
    {
      ...container,
      image: `registry.local/myapp:${version}`,
      envFrom: [{ configMapRef: { name: `myapp-config-${version}` } }],
    },
  ];
  return made;
};
const replicaSets = [template("new", "v2"), template("old", "v1")];

const measured = (values: [second: number, value: string, phase: "Successful" | "Failed"][]): AnalysisRun => {
  const run = analysis(values.some(([, , phase]) => phase === "Failed") ? "Failed" : "Running", {
    type: "Background",
    createdSeconds: 12,
  });
  const [result] = run.status?.metricResults ?? [];
  if (result === undefined) throw new Error("the fixture has no result");
  result.measurements = values.map(([second, value, phase]) => ({
    phase,
    value,
    startedAt: at(second),
    finishedAt: at(second),
  }));
  return run;
};

/** A canary at weight 10 that an analysis aborts, and that is restored. */
function abortedCanary(): Journal {
  const journal = new Journal(start, "app");
  const look = (second: number, status: Parameters<typeof canary>[0], runs: AnalysisRun[] = []) => {
    const { rollout, analysisRuns, pods } = objects(canary(status), { replicaSets, analysisRuns: runs });
    const workload = { deployment: undefined, rollout, replicaSets, pods, endpoints: [] };
    journal.look({ workload, analysisRuns, events: [], now: ms(second) });
  };
  const weights = (weight: number) => ({ weights: { canary: { weight }, stable: { weight: 100 - weight } } });
  const before = canary({ currentPodHash: "old", stableRS: "old", currentStepIndex: 5 });
  journal.begin({ deployment: undefined, rollout: before, replicaSets, pods: [], endpoints: [] });
  look(10, {});
  look(11, { currentStepIndex: 1, canary: weights(10) });
  look(20, { currentStepIndex: 1, canary: weights(10) }, [measured([[15, "[0.01]", "Successful"]])]);
  const failed = measured([[18, "[0.31]", "Failed"]]);
  look(21, { currentStepIndex: 1, canary: weights(10), abort: true }, [failed]);
  look(22, { currentStepIndex: 0, canary: weights(0), abort: true }, [failed]);
  look(30, { currentPodHash: "old", stableRS: "old", currentStepIndex: 5 }, [failed]);
  return journal;
}

const fault = {
  kind: "RolloutAborted",
  subject: "Rollout/myapp",
  message: 'metric "error-ratio" assessed Failed',
} as const;
const live = {
  helmRevision: 3,
  image: "registry.local/myapp:v1",
  configMap: "myapp-config-v1",
  flags: { FEATURE_NEW: "false" },
  content: "v1",
};

const happened = (second: number, happening: Happening) => ({ at: at(second), seconds: second, ...happening });

function input(o: Partial<PageInput> = {}): PageInput {
  const known = (version: string, revision: number, flag: string) => ({
    ...facts,
    revision,
    image: `registry.local/myapp:${version}`,
    configMap: `myapp-config-${version}`,
    flags: { FEATURE_NEW: flag },
    workload: { kind: "Rollout", name: "myapp" } as const,
    rollout: { strategy: "canary", router: "traefik" } as const,
  });
  return {
    kind: "deploy",
    release: "myapp",
    namespace: "shop",
    cluster: "https://cluster:6443",
    startedAt: start,
    since: start,
    endedAt: ms(40),
    ending: {
      result: "restored",
      exit: 5,
      code: "CTL_E_FAILED_RESTORED",
      summary: "the release failed",
      fault,
      live,
      detectionSeconds: 21,
      restoreSeconds: 9.5,
    },
    timeline: [
      happened(1, { kind: "change", mark: "deploy", what: "helm upgrade to registry.local/myapp:v2" }),
      happened(11, { kind: "step", mark: "10 %", what: "10 % of the requests are the canary's" }),
      happened(21, { kind: "step", mark: "0 %", what: "0 % of the requests are the canary's" }),
      happened(21, { kind: "decision", outcome: "bad", mark: "aborted", what: "aborted: it was 0.123456789" }),
      happened(39, { kind: "restore", outcome: "good", mark: "restored", what: "restored and verified" }),
    ],
    journal: abortedCanary(),
    facts: [known("v2", 2, "true"), known("v1", 1, "false")],
    ledger: [entry(1, "v1", "pass", { why: "it alone serves" })],
    configs: new Map([
      ["myapp-config-v1", { FEATURE_NEW: "false", LOG_LEVEL: "info", GONE: "1" }],
      ["myapp-config-v2", { FEATURE_NEW: "true", LOG_LEVEL: "debug" }],
    ]),
    logs: [],
    ...o,
  };
}

describe("the page about a canary that was taken back", () => {
  const report = pageReport(input());

  test("says what happened after the result's word, and what made it so", () => {
    expect(report.verdict).toEqual({
      result: "restored",
      exit: 5,
      code: "CTL_E_FAILED_RESTORED",
      summary: "v2 failed and was taken back. v1 serves again, verified.",
      because: "error-ratio was 31 %, and at most 5 % is asked for",
    });
  });

  test("names the deciding metric with all its measurements, the limit and the query", () => {
    expect(report.analysis).toMatchObject([
      {
        name: "error-ratio",
        deciding: true,
        phase: "Failed",
        unit: "ratio",
        threshold: { max: 0.05 },
        query: 'errors{pod_template_hash="new"}',
        measurements: [
          { value: 0.01, phase: "Successful" },
          { value: 0.31, phase: "Failed" },
        ],
      },
    ]);
  });

  test("keeps the weights, from before the canary to its end", () => {
    expect(report.weights?.map(({ at: moment, weight }) => [Date.parse(moment) - start, weight])).toEqual([
      [10_000, 0],
      [11_000, 10],
      [22_000, 0],
    ]);
  });

  test("shows how far the steps came", () => {
    expect(report.strategy?.steps?.map(({ text, state }) => [text, state])).toEqual([
      ["weight 10 %", "done"],
      ["wait 2m", "failed"],
      ["weight 50 %", "skipped"],
      ["pause until promoted", "skipped"],
      ["analysis myapp-error-ratio", "skipped"],
    ]);
  });

  test("lists what changed, each flag once", () => {
    expect(report.changes).toEqual([
      { what: "image", from: "registry.local/myapp:v1", to: "registry.local/myapp:v2" },
      { what: "config", name: "GONE", from: "1", to: null },
      { what: "config", name: "LOG_LEVEL", from: "info", to: "debug" },
      { what: "flag", name: "FEATURE_NEW", from: "false", to: "true" },
    ]);
  });

  test("tells what happened as it was written down, without figures that tell nothing", () => {
    expect(report.timeline[3]).toEqual({
      at: at(21),
      kind: "decision",
      outcome: "bad",
      mark: "aborted",
      text: "aborted: it was 0.1234",
    });
  });

  test("of marks that would cover each other draws the weightier", () => {
    expect(report.timeline.flatMap(({ mark, kind }) => (mark === undefined ? [] : [[mark, kind]]))).toEqual([
      ["deploy", "change"],
      ["10 %", "step"],
      ["aborted", "decision"],
      ["restored", "restore"],
    ]);
  });

  test("says what serves again, and every check that says so", () => {
    const checks = [
      { name: "health", outcome: "passed", detail: "1 of 1 request passed" },
      { name: "new feature", outcome: "passed", detail: "20 of 20 requests passed" },
    ] as const;
    const judged = entry(4, "v1", "pass", { checks: [...checks] });
    const { restored, verification, rejectedBy } = pageReport(input({ ledger: [judged] }));
    expect(restored).toMatchObject({ version: "v1" });
    expect(verification).toEqual({ by: `ledger entry 4, ${judged.at}`, checks });
    expect(rejectedBy).toBeUndefined();
  });

  test("shows the reason of a verdict whose checks nobody wrote down", () => {
    expect(report.verification?.checks).toEqual([
      { name: "the release's own verification", outcome: "passed", detail: "it alone serves" },
    ]);
  });
});

describe("a version that its own verification refused", () => {
  const message = "declared check failed: new feature: GET http://myapp/feature/new: status is 500\nok health\nFAILED";
  const judged = entry(5, "v2", "fail", {
    why: message,
    at: at(20),
    image: "registry.local/myapp:v2",
    configMap: "myapp-config-v2",
    checks: [
      { name: "health", outcome: "passed", detail: "1 of 1 request passed" },
      { name: "new feature", outcome: "failed", detail: "GET http://myapp/feature/new: status is 500" },
    ],
  });
  const ending = {
    ...input().ending,
    fault: { kind: "VerificationFailed", subject: "Job/gate", message },
  } as const;

  test("is told in one line, and check by check", () => {
    const report = pageReport(input({ ledger: [judged], ending }));
    expect(report.verdict.because).toBe(message.split("\n")[0]);
    expect(report.fault?.message).toBe(message);
    expect(report.rejectedBy).toEqual({ version: "v2", by: `ledger entry 5, ${at(20)}`, checks: judged.checks });
  });

  test("in an earlier operation says nothing about this one", () => {
    const earlier = { ...judged, at: at(-60) };
    expect(pageReport(input({ ledger: [earlier], ending })).rejectedBy).toBeUndefined();
  });
});

test("a secret that changed is told without its name or its values", () => {
  const same = new Map([
    ["myapp-config-v1", { A: "1" }],
    ["myapp-config-v2", { A: "1" }],
  ]);
  expect(pageReport(input({ configs: same })).changes).toContainEqual({ what: "secret" });
});

test("two versions of one tag have names of their own", () => {
  const journal = abortedCanary();
  journal.templates.set("new", { hash: "new", image: "registry.local/myapp:v1", configMap: "myapp-config-v2" });
  expect(pageReport(input({ journal })).versions?.map(({ version }) => version)).toEqual(["v1 (before)", "v1 (new)"]);
});

test("the probes of a pod that is being stopped are no evidence", () => {
  const journal = abortedCanary();
  const stopped = pod({ name: "stopped" });
  const restarted = pod({ name: "restarted" });
  const seen = [
    event(stopped, "Unhealthy", "while it served", { first: 20 }),
    event(stopped, "Killing", "Stopping container app", { first: 22, type: "Normal" }),
    event(stopped, "Unhealthy", "while it was stopped", { first: 23 }),
    event(restarted, "Killing", "Container app failed liveness probe, will be restarted", {
      first: 20,
      type: "Normal",
    }),
    event(restarted, "Unhealthy", "after its restart", { first: 25 }),
  ];
  const { rollout } = objects(canary({ currentPodHash: "old", stableRS: "old" }), { replicaSets });
  const pods = [stopped, restarted];
  const workload = { deployment: undefined, rollout, replicaSets, pods, endpoints: [] };
  journal.look({ workload, analysisRuns: [], events: seen, now: ms(31) });
  const told = pageReport(input({ journal })).podEvents?.map(({ message }) => message);
  expect(told).toHaveLength(4);
  expect(told).not.toContain("while it was stopped");
});

describe("traffic", () => {
  const series = { metric: "requestRate", query: "q", values: [1] } as const;

  test("is told by version, with the limits of the analysis", () => {
    const { traffic, figures } = pageReport(
      input({
        traffic: {
          source: "Prometheus",
          times: [1],
          series: [
            { hash: "old", ...series, values: [45] },
            { hash: "new", ...series, values: [5] },
          ],
          counts: [
            { hash: "old", requests: 4300, failedRequests: 0 },
            { hash: "new", requests: 120, failedRequests: 37 },
          ],
        },
      }),
    );
    expect(traffic?.series.map(({ version, role, values }) => [version, role, values])).toEqual([
      ["v1", "stable", [45]],
      ["v2", "new", [5]],
    ]);
    expect(figures).toMatchObject({
      requests: 4420,
      failedRequests: 37,
      requestsByVersion: [
        { version: "v1", role: "stable", requests: 4300, failedRequests: 0 },
        { version: "v2", role: "new", requests: 120, failedRequests: 37 },
      ],
    });
    expect(traffic?.thresholds).toEqual([{ metric: "errorRatio", max: 0.05, name: "error-ratio" }]);
  });

  test("that could not be had is told in words", () => {
    const report = pageReport(input({ traffic: { source: "Prometheus", why: "forbidden" } }));
    expect(report.traffic).toEqual({ source: "Prometheus (forbidden)", times: [], series: [] });
    expect(report.timeline.at(-1)).toMatchObject({ kind: "note", text: "no series by version: Prometheus: forbidden" });
    expect(report.figures).toMatchObject({ uncounted: "Prometheus: forbidden" });
    expect(report.figures).not.toHaveProperty("requests");
  });
});

test("an earlier try's failure does not decide the next one", () => {
  const journal = new Journal(ms(100), "app");
  const { rollout, analysisRuns } = objects(canary({ currentStepIndex: 1 }), {
    replicaSets,
    analysisRuns: [measured([[15, "[0.31]", "Failed"]])],
  });
  const workload = { deployment: undefined, rollout, replicaSets, pods: [], endpoints: [] };
  journal.begin(workload);
  journal.look({ workload, analysisRuns, events: [], now: ms(110) });
  expect(journal.analyses.size).toBe(0);
});

test.each([
  ["result[0] < 0.05", { max: 0.05 }],
  ["len(result) > 0 && result[0] < 0.05", { max: 0.05 }],
  ["result[0] >= 0.99", { min: 0.99 }],
  ["not (result[0] >= 0.025)", { max: 0.025 }],
  ["not (len(result) > 0 && result[0] < 0.95)", { min: 0.95 }],
  ["len(result) > 0 && !(result[0] >= 0.025)", { max: 0.025 }],
  ["isNaN(result[0])", undefined],
])("the limit in %s", (condition, limit) => {
  expect(limitIn(condition)).toEqual(limit);
});

test.each([
  [
    "ctl promote -n shop, or ctl abort -n shop",
    [
      { command: "ctl promote -n shop", why: "lets it go on" },
      { command: "ctl abort -n shop", why: "sends all traffic back to what served before" },
    ],
  ],
  [
    "ctl rollback -n shop makes the stable release the one asked for; ctl retry -n shop tries again",
    [
      { command: "ctl rollback -n shop", why: "makes the stable release the one asked for" },
      { command: "ctl retry -n shop", why: "tries again" },
    ],
  ],
])("the commands in %s", (text, commands) => {
  expect(commandsOf(text)).toEqual(commands);
});
