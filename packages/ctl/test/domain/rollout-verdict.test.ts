import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rolloutState } from "../../src/domain/rollout.ts";
import { rolloutVerdict } from "../../src/domain/rollout-verdict.ts";
import { at, ms } from "../fixtures/cluster.ts";
import { analysis, blueGreen, canary, objects, set, type StatusParts, steps } from "../fixtures/rollout.ts";

type Parts = Parameters<typeof objects>[1];

const verdict = (rollout: ReturnType<typeof canary>, o: Parts = {}, seconds = 60) =>
  rolloutVerdict(rolloutState(objects(rollout, o)), ms(seconds));
const paused = (reason: string): StatusParts => ({
  pauseConditions: [{ reason, startTime: at(10) }],
  controllerPause: true,
});
const progressing = (reason: string, message: string) => ({
  conditions: [{ type: "Progressing", status: "False" as const, reason, message }],
});
const switched: StatusParts = { blueGreen: { activeSelector: "new", previewSelector: "new" } };

describe("a canary is in flight", () => {
  test.each<[string, ReturnType<typeof canary>, Parts]>([
    ["the Rollouts controller to see the new spec", canary({ observedGeneration: "3" }), {}],
    ["step 1 of 5 (setWeight 10)", canary(), {}],
    ["step 2 of 5 (pause 2m) to end in 1m10s", canary({ ...paused("CanaryPauseStep"), currentStepIndex: 1 }), {}],
    ["step 5 of 5 (analysis myapp-error-ratio)", canary({ currentStepIndex: 4 }), {}],
    ["the controller to go on after the pause", canary({ controllerPause: true, currentStepIndex: 3 }), {}],
    ["0 of 3 pods available", canary({ stableRS: "" }), { replicaSets: [set("new", 1, { available: 0 })] }],
    ["2 of 3 pods available", canary({ promoteFull: true }), { replicaSets: [set("new", 1, { available: 2 })] }],
    ["3 of 3 pods available", canary({ currentStepIndex: 5 }), {}],
    ["3 of 3 pods available", canary({}, { steps: [] }), {}],
  ])("%s", (why, rollout, parts) => {
    expect(verdict(rollout, parts)).toMatchObject({ kind: "inFlight", why });
  });

  test("and is looked at again when its pause ends", () => {
    expect(verdict(canary({ ...paused("CanaryPauseStep"), currentStepIndex: 1 }))).toMatchObject({
      lookAgainAt: ms(130),
    });
  });

  test("whatever its status says of the spec before", () => {
    const before = { observedGeneration: "3", stableRS: "new", abort: true, ...paused("InconclusiveAnalysisRun") };
    expect(verdict(canary(before)).kind).toBe("inFlight");
  });
});

describe("a canary is promoted", () => {
  const status: StatusParts = { stableRS: "new", currentStepIndex: 5 };

  test("when its template is the stable one and takes all traffic", () => {
    expect(verdict(canary(status))).toMatchObject({ kind: "promoted" });
  });

  test("also when somebody aborted it after that: nothing changed by it", () => {
    expect(verdict(canary({ ...status, abort: true })).kind).toBe("promoted");
  });

  test.each<[string, StatusParts, Parts]>([
    ["2 of 3 pods available", {}, { replicaSets: [set("new", 2, { available: 2 })] }],
    [
      "the router to send everything to the stable pods",
      { canary: { weights: { canary: { weight: 100 }, stable: { weight: 0 } } } },
      {},
    ],
  ])("not while it waits for %s", (why, change, parts) => {
    expect(verdict(canary({ ...status, ...change }), parts)).toEqual({ kind: "inFlight", why });
  });

  test("and stuck when pods of it are missing beyond its deadline", () => {
    const late = { ...status, ...progressing("ProgressDeadlineExceeded", "timed out") };
    expect(verdict(canary(late), { replicaSets: [set("new", 2, { available: 2 })] })).toEqual({
      kind: "stuck",
      why: "timed out",
    });
    expect(verdict(canary(late)).kind).toBe("promoted");
  });
});

describe("a canary is aborted", () => {
  const failed = progressing("RolloutAborted", 'Rollout aborted update to revision 2: Metric "error-ratio" failed');

  test("by an analysis, with its numbers", () => {
    const found = verdict(canary({ abort: true, ...failed }), {
      analysisRuns: [analysis("Failed", { step: 4, value: "[0.31]" })],
    });
    expect(found).toEqual({
      kind: "aborted",
      why: 'Metric "error-ratio" failed; error-ratio is [0.31], wanted len(result) > 0 && result[0] < 0.05 (2 failed, 0 inconclusive, 0 without an answer)',
    });
  });

  test("by a source that did not answer", () => {
    const found = verdict(canary({ abort: true, ...failed }), { analysisRuns: [analysis("Error", { step: 4 })] });
    expect(found.kind).toBe("aborted");
    expect(found.why).toContain("error-ratio has no value");
    expect(found.why).toContain("5 without an answer");
    expect(found.why).toContain("; the metrics server could not be asked");
  });

  test("because nothing answers a question, and says what that means", () => {
    const message = "metric result is nil or empty: no data returned from the metric provider";
    const found = verdict(canary({ abort: true, ...failed }), {
      analysisRuns: [analysis("Error", { step: 4, message })],
    });
    expect(found.why).toContain("; nothing answers this question: the version had no requests");
  });

  test("by a person, while it was paused", () => {
    const found = verdict(canary({ abort: true, ...paused("CanaryPauseStep"), currentStepIndex: 3 }));
    expect(found).toMatchObject({ kind: "aborted", why: expect.stringContaining("somebody") as string });
  });

  test("by a person, of which an analysis that failed earlier says nothing", () => {
    const asked = progressing("RolloutAborted", "Rollout aborted update to revision 2");
    const runs = [analysis("Failed", { step: 4, value: "[0.31]" })];
    const found = verdict(canary({ abort: true, ...asked }), { analysisRuns: runs });
    expect(found.why).toBe("no analysis asked for it: somebody aborted it");
  });

  test("by a Job, which is named", () => {
    const run = analysis("Failed", { step: 4 });
    const name = "verified";
    const job = "c1d2.verified.1";
    run.spec.metrics = [{ name, provider: { job: {} } }];
    run.status!.metricResults = [
      { name, phase: "Failed", failed: 1, measurements: [{ phase: "Failed", metadata: { "job-name": job } }] },
    ];
    expect(verdict(canary({ abort: true, ...failed }), { analysisRuns: [run] })).toEqual({
      kind: "aborted",
      job,
      why: `Metric "error-ratio" failed; verified by Job ${job} (1 failed, 0 inconclusive, 0 without an answer)`,
    });
  });

  test("by its deadline", () => {
    const late = progressing("RolloutAborted", 'Rollout aborted update to revision 2: ReplicaSet "x" has timed out');
    expect(verdict(canary({ abort: true, ...late }))).toEqual({ kind: "aborted", why: 'ReplicaSet "x" has timed out' });
  });
});

describe("it waits for a person", () => {
  test.each([
    [
      "step",
      "it waits at step 4 of 5 (pause until promoted)",
      canary({ ...paused("CanaryPauseStep"), currentStepIndex: 3 }),
    ],
    ["person", "a person paused it at step 1 of 5 (setWeight 10)", canary({}, { spec: { paused: true } })],
    [
      "blueGreen",
      "the preview is up, and waits to be promoted",
      blueGreen(paused("BlueGreenPause"), { autoPromotionEnabled: false }),
    ],
  ])("by %s: %s", (by, why, rollout) => {
    expect(verdict(rollout)).toEqual({ kind: "paused", by, why });
  });

  test("also beyond its deadline, which does not count then", () => {
    const late = progressing("ProgressDeadlineExceeded", "timed out");
    expect(verdict(canary({ ...late, ...paused("CanaryPauseStep"), currentStepIndex: 3 })).kind).toBe("paused");
  });
});

describe("it is inconclusive", () => {
  test("when an analysis could not tell, with its numbers", () => {
    const found = verdict(canary({ ...paused("InconclusiveAnalysisRun"), currentStepIndex: 4 }), {
      analysisRuns: [analysis("Inconclusive", { step: 4, value: "[NaN]" })],
    });
    expect(found.kind).toBe("inconclusive");
    expect(found.why).toContain("error-ratio is [NaN]");
    expect(found.why).toContain("3 inconclusive");
  });

  test("also where nothing more is known", () => {
    expect(verdict(canary(paused("InconclusiveAnalysisRun")))).toEqual({
      kind: "inconclusive",
      why: "the analysis could not tell",
    });
  });
});

test("it is stuck beyond its deadline when nothing takes it back", () => {
  expect(verdict(canary(progressing("ProgressDeadlineExceeded", "timed out")))).toEqual({
    kind: "stuck",
    why: "timed out",
  });
});

test("it is invalid when the controller refuses the spec", () => {
  const conditions = [{ type: "InvalidSpec", status: "True" as const, message: "no Service myapp-canary" }];
  expect(verdict(canary({ conditions }))).toEqual({ kind: "invalid", why: "no Service myapp-canary" });
});

describe("blue-green is", () => {
  test.each<[string, string, ReturnType<typeof blueGreen>, Parts]>([
    [
      "inFlight",
      "1 new pods available, then the active Service to switch",
      blueGreen(),
      { replicaSets: [set("new", 2, { available: 1 })] },
    ],
    [
      "inFlight",
      "analysis pre",
      blueGreen(),
      { analysisRuns: [analysis("Running", { name: "pre", type: "PrePromotion" })] },
    ],
    ["inFlight", "the release before to be let go", blueGreen(switched), {}],
    [
      "inFlight",
      "analysis post",
      blueGreen(switched),
      { analysisRuns: [analysis("Running", { name: "post", type: "PostPromotion" })] },
    ],
    ["inFlight", "the active Service to lead to it", blueGreen({ stableRS: "new" }), {}],
    ["promoted", "it is the stable release", blueGreen({ stableRS: "new", ...switched }), {}],
  ])("%s: %s", (kind, why, rollout, parts) => {
    expect(verdict(rollout, parts)).toEqual({ kind, why });
  });

  test("in flight while it waits to promote itself", () => {
    expect(verdict(blueGreen(paused("BlueGreenPause"), { autoPromotionSeconds: 90 }))).toEqual({
      kind: "inFlight",
      why: "the preview's pause to end in 40s",
      lookAgainAt: ms(100),
    });
  });
});

test("nothing but a stable template that serves is ever promoted, and every verdict has a reason", () => {
  const status = fc.record({
    observedGeneration: fc.constantFrom("3", "4"),
    stableRS: fc.constantFrom("", "old", "new"),
    currentStepIndex: fc.integer({ min: 0, max: steps.length }),
    abort: fc.boolean(),
    promoteFull: fc.boolean(),
    controllerPause: fc.boolean(),
    pauseConditions: fc.subarray([
      { reason: "CanaryPauseStep", startTime: at(0) },
      { reason: "InconclusiveAnalysisRun", startTime: at(1) },
    ]),
    canary: fc.integer({ min: 0, max: 100 }).map((weight) => ({
      weights: { canary: { weight }, stable: { weight: 100 - weight } },
    })),
  });
  fc.assert(
    fc.property(status, fc.boolean(), fc.integer({ min: 0, max: 3 }), (parts, isPaused, available) => {
      const rollout = canary(parts, { spec: { paused: isPaused } });
      const found = verdict(rollout, { replicaSets: [set("old", 1), set("new", 2, { available })] });
      expect(found.why).not.toBe("");
      const serves =
        parts.observedGeneration === "4" &&
        parts.stableRS === "new" &&
        available === 3 &&
        parts.canary.weights.canary.weight === 0;
      expect(found.kind === "promoted").toBe(serves);
    }),
  );
});
