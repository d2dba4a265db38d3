import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { durationSeconds, rolloutState, secondsWords, stepWeight, stepWords } from "../../src/domain/rollout.ts";
import { isRolloutObserved } from "../../src/domain/rollout-object.ts";
import { at, ms } from "../fixtures/cluster.ts";
import { analysis, blueGreen, canary, objects, podOf, set, steps } from "../fixtures/rollout.ts";

describe("the controller has seen the spec", () => {
  test.each([
    ["3", false],
    ["4", true],
    ["5", true],
    [undefined, false],
    // Older controllers wrote a hash.
    ["6f8d9c", true],
  ])("observedGeneration %j of generation 4: %j", (observedGeneration, seen) => {
    const { status, ...rollout } = canary();
    const { observedGeneration: _, ...others } = status ?? {};
    expect(
      isRolloutObserved({
        ...rollout,
        status: observedGeneration === undefined ? others : { ...others, observedGeneration },
      }),
    ).toBe(seen);
  });
});

describe("a canary in plain data", () => {
  test("has its hashes, its step and its weight", () => {
    const weights = { canary: { weight: 10 }, stable: { weight: 90 } };
    const state = rolloutState(objects(canary({ currentStepIndex: 1, canary: { weights } })));
    expect(state).toMatchObject({
      strategy: "canary",
      currentHash: "new",
      stableHash: "old",
      isPromoted: false,
      isFirstDeploy: false,
      step: { index: 1 },
      weight: { desired: 10, actual: 10, byRouter: true },
      replicas: { wanted: 3, available: 3, ready: 3 },
    });
    expect(state.replicaSets.map(({ name, roles }) => [name, roles])).toEqual([
      ["myapp-new", ["canary"]],
      ["myapp-old", ["stable"]],
    ]);
  });

  test("that is promoted wants no canary weight, and has one ReplicaSet that is both", () => {
    const state = rolloutState(objects(canary({ stableRS: "new", currentStepIndex: 5 })));
    expect(state).toMatchObject({ isPromoted: true, weight: { desired: 0 } });
    expect(state.replicaSets[0]?.roles).toEqual(["stable"]);
  });

  test("that was aborted wants no canary weight, whatever its step", () => {
    const state = rolloutState(objects(canary({ abort: true, currentStepIndex: 3 })));
    expect(state.weight?.desired).toBe(0);
  });

  test("without a router has the share of its available pods", () => {
    const replicaSets = [set("old", 1, { available: 3 }), set("new", 2, { available: 1 })];
    const state = rolloutState(objects(canary({}, { router: false }), { replicaSets }));
    expect(state.weight).toEqual({ desired: 10, actual: 25, byRouter: false });
  });

  test("of nothing at all sends nothing", () => {
    const state = rolloutState(objects(canary({}, { router: false }), { replicaSets: [] }));
    expect(state.weight?.actual).toBe(0);
    expect(state.replicas).toEqual({ wanted: 3, ready: 0, available: 0 });
  });

  test("that is the first has no stable hash", () => {
    const state = rolloutState(objects(canary({ stableRS: "" })));
    expect(state).toMatchObject({ isFirstDeploy: true, isPromoted: false });
    expect(state.stableHash).toBeUndefined();
  });

  test("that the controller has not touched yet has nothing", () => {
    const { status: _, ...rollout } = canary();
    expect(rolloutState(objects(rollout))).toMatchObject({
      isObserved: false,
      isPromoted: false,
      currentHash: undefined,
      analyses: [],
    });
  });

  test("leaves the ReplicaSets and pods of others alone", () => {
    const foreign = { ...set("else", 9), metadata: { ...set("else", 9).metadata, ownerReferences: [] } };
    const pods = [podOf("new", "a"), podOf("new", "b", false), podOf("old", "c")];
    const state = rolloutState(objects(canary(), { replicaSets: [foreign, set("new", 2)], pods }));
    expect(state.replicaSets.map(({ name }) => name)).toEqual(["myapp-new"]);
    expect(state.replicaSets[0]).toMatchObject({ ready: 1, revision: 2 });
    expect(state.replicaSets[0]?.pods.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
  });
});

describe("blue-green in plain data", () => {
  test("has where its Services lead, and when the release before is let go", () => {
    const replicaSets = [set("old", 1, { scaleDownAt: at(30) }), set("new", 2)];
    const switched = { blueGreen: { activeSelector: "new", previewSelector: "new" } };
    const state = rolloutState(objects(blueGreen(switched), { replicaSets }));
    expect(state.services).toEqual({ active: "new", preview: "new" });
    expect(state.weight).toBeUndefined();
    expect(state.replicaSets.map(({ roles }) => roles)).toEqual([["active"], ["stable"]]);
    expect(state.replicaSets[1]?.scaleDownAt).toBe(at(30));
  });

  test("before the switch has a preview beside the active one", () => {
    const state = rolloutState(objects(blueGreen()));
    expect(state.replicaSets.map(({ roles }) => roles)).toEqual([["preview"], ["stable", "active"]]);
  });
});

describe("a pause", () => {
  const paused = (reason: string) => ({ pauseConditions: [{ reason, startTime: at(10) }], controllerPause: true });

  test("of a step with a duration ends by itself", () => {
    expect(rolloutState(objects(canary({ ...paused("CanaryPauseStep"), currentStepIndex: 1 }))).pause).toEqual({
      by: "step",
      since: at(10),
      untilMs: ms(130),
    });
  });

  test("of a step without one waits for a person", () => {
    expect(rolloutState(objects(canary({ ...paused("CanaryPauseStep"), currentStepIndex: 3 }))).pause).toEqual({
      by: "step",
      since: at(10),
      untilMs: undefined,
    });
  });

  test("by a person comes before that of a step", () => {
    const rollout = canary({ ...paused("CanaryPauseStep"), currentStepIndex: 1 }, { spec: { paused: true } });
    expect(rolloutState(objects(rollout)).pause?.by).toBe("person");
  });

  test.each(["InconclusiveAnalysisRun", "InconclusiveExperiment"])("for %s comes before all others", (reason) => {
    const rollout = canary(paused(reason), { spec: { paused: true } });
    expect(rolloutState(objects(rollout)).pause?.by).toBe("inconclusive");
  });

  test.each([
    [{ autoPromotionSeconds: 30 }, ms(40)],
    [{ autoPromotionEnabled: true, autoPromotionSeconds: 30 }, ms(40)],
    // The controller ignores the seconds then.
    [{ autoPromotionEnabled: false, autoPromotionSeconds: 30 }, undefined],
    [{ autoPromotionEnabled: false }, undefined],
  ])("of blue-green with %j ends at %j", (strategy, untilMs) => {
    expect(rolloutState(objects(blueGreen(paused("BlueGreenPause"), strategy))).pause).toEqual({
      by: "blueGreen",
      since: at(10),
      untilMs,
    });
  });

  test("that a person has ended is resuming until the controller has acted", () => {
    const state = rolloutState(objects(canary({ controllerPause: true })));
    expect(state).toMatchObject({ isResuming: true });
    expect(state.pause).toBeUndefined();
  });
});

describe("an abort", () => {
  const aborted = (message: string) => ({
    abort: true,
    abortedAt: at(60),
    conditions: [{ type: "Progressing", status: "False" as const, reason: "RolloutAborted", message }],
  });

  test("has the controller's reason", () => {
    const message =
      'Rollout aborted update to revision 2: Metric "error-ratio" assessed Failed due to failed (1) > failureLimit (0)';
    expect(rolloutState(objects(canary(aborted(message)))).abort).toEqual({
      at: at(60),
      isAsked: false,
      why: 'Metric "error-ratio" assessed Failed due to failed (1) > failureLimit (0)',
    });
  });

  test("without one was somebody's", () => {
    const { abort } = rolloutState(objects(canary(aborted("Rollout aborted update to revision 2"))));
    expect(abort?.why).toContain("somebody aborted it");
  });

  test("counts from the moment that it is asked for", () => {
    expect(rolloutState(objects(canary({ abort: true }))).abort).toMatchObject({ at: undefined });
  });
});

describe("what the controller complains of", () => {
  test("a deadline that passed", () => {
    const conditions = [
      { type: "Progressing", status: "False" as const, reason: "ProgressDeadlineExceeded", message: "timed out" },
    ];
    expect(rolloutState(objects(canary({ conditions }))).stalled).toBe("timed out");
  });

  test("a spec that it refuses", () => {
    const conditions = [
      { type: "InvalidSpec", status: "True" as const, reason: "InvalidSpec", message: "no Service myapp-canary" },
    ];
    expect(rolloutState(objects(canary({ conditions }))).invalid).toBe("no Service myapp-canary");
  });
});

describe("analyses", () => {
  const analyses = (...analysisRuns: ReturnType<typeof analysis>[]) =>
    rolloutState(objects(canary(), { analysisRuns })).analyses;

  test("have their metrics' last value, what it has to be, and the query, arguments filled in", () => {
    const [one] = analyses(analysis("Failed", { step: 4, value: "[0.31]" }));
    expect(one).toMatchObject({ kind: "step", step: 4, phase: "Failed" });
    expect(one?.metrics[0]).toMatchObject({
      name: "error-ratio",
      value: "[0.31]",
      wanted: "len(result) > 0 && result[0] < 0.05",
      query: 'errors{pod_template_hash="new"}',
      counts: { failed: 2, error: 0 },
    });
  });

  test("of a step that ran again are the newest one's", () => {
    const found = analyses(
      analysis("Inconclusive", { name: "b", step: 4, createdSeconds: 1 }),
      analysis("Running", { name: "a", step: 4, createdSeconds: 2 }),
      analysis("Running", { name: "c", type: "Background" }),
    );
    expect(found.map(({ name, kind }) => `${kind} ${name}`).toSorted()).toEqual(["background c", "step a"]);
  });

  test("of a try that failed, and was begun again, do not count any more", () => {
    const found = analyses(
      analysis("Successful", { name: "gate", step: 1, createdSeconds: 1 }),
      analysis("Failed", { name: "late gate", step: 4, createdSeconds: 5 }),
      analysis("Failed", { name: "next gate", step: 1, createdSeconds: 60 }),
      analysis("Running", { name: "beside it", type: "Background", createdSeconds: 60 }),
    );
    expect(found.map(({ name }) => name)).toEqual(["beside it", "next gate"]);
  });

  test("of an earlier revision of the same template do not count", () => {
    const run = analysis("Failed", { step: 4 });
    const of = (revision: string) => ({ "rollout.argoproj.io/revision": revision });
    const { metadata, ...rollout } = canary();
    const found = rolloutState(
      objects(
        { ...rollout, metadata: { ...metadata, annotations: of("4") } },
        { analysisRuns: [{ ...run, metadata: { ...run.metadata, annotations: of("2") } }] },
      ),
    );
    expect(found.analyses).toEqual([]);
  });

  test("of another template or of another Rollout do not count", () => {
    expect(analyses(analysis("Failed", { hash: "old" }), analysis("Failed", { owner: "other" }))).toEqual([]);
  });

  test("that have not begun are pending", () => {
    const { status: _, ...run } = analysis("Running");
    expect(analyses(run)[0]).toMatchObject({ phase: "Pending", metrics: [{ phase: "Pending", value: undefined }] });
  });

  test("whose phase is still empty are pending", () => {
    const run = analysis("Running");
    const empty = { ...run, status: { phase: "" } } as unknown as typeof run;
    expect(analyses(empty)[0]?.phase).toBe("Pending");
  });

  test("keep an argument that is a reference as it is written", () => {
    const run = analysis("Running");
    const [one] = analyses({ ...run, spec: { ...run.spec, args: [] } });
    expect(one?.metrics[0]?.wanted).toContain("{{args.limit}}");
  });
});

describe("steps", () => {
  test("in words", () => {
    expect(steps.map(stepWords)).toEqual([
      "setWeight 10",
      "pause 2m",
      "setWeight 50",
      "pause until promoted",
      "analysis myapp-error-ratio",
    ]);
    expect(stepWords({ setCanaryScale: { replicas: 1 } })).toBe("setCanaryScale");
  });

  test.each([
    [0, 10],
    [1, 10],
    [2, 50],
    [4, 50],
    [5, 100],
    [9, 100],
  ])("ask at index %i for weight %i", (index, weight) => {
    expect(stepWeight(steps, index)).toBe(weight);
  });

  test("before the first setWeight ask for none", () => {
    expect(stepWeight([{ pause: {} }, { setWeight: 20 }], 0)).toBe(0);
    expect(stepWeight([], 0)).toBe(100);
  });

  test("never ask for less than an earlier index when their weights rise", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 8 }), (weights) => {
        const rising = weights.toSorted((a, b) => a - b).map((setWeight) => ({ setWeight }));
        const asked = [...rising.keys(), rising.length].map((index) => stepWeight(rising, index));
        expect(asked).toEqual(asked.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe("durations", () => {
  test.each([
    [30, 30],
    ["45", 45],
    ["2m", 120],
    ["1h30m", 5400],
    ["500ms", 0.5],
    ["1.5s", 1.5],
  ])("%j is %i s", (text, seconds) => {
    expect(durationSeconds(text)).toBe(seconds);
  });

  test.each([
    [5, "5s"],
    [60, "1m"],
    [95, "1m35s"],
    [3600, "1h"],
    [5400, "1h30m"],
  ])("%i s in words is %s", (seconds, words) => {
    expect(secondsWords(seconds)).toBe(words);
  });
});
