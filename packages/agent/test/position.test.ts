import type { Rollout } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import { ABORT, DOWN, HOLD, UP } from "../src/actions.ts";
import { patchFor, positionOf, unsteerable } from "../src/cluster/position.ts";
import { canary, steerableSteps, waitingAt } from "./rollout.ts";

const paused = [{ reason: "CanaryPauseStep", startTime: "2026-01-01T00:00:00Z" }];

describe("where a Rollout stands:", () => {
  const cases: [string, Rollout, ReturnType<typeof positionOf>["kind"]][] = [
    ["a pause without an end", waitingAt(30), "waiting"],
    ["on its way to the next weight", canary({ currentStepIndex: 2 }), "moving"],
    ["a spec that was not seen yet", canary({ observedGeneration: "2" }), "moving"],
    ["a first deploy", canary({ stableRS: "" }), "idle"],
    ["all promoted", canary({ stableRS: "new" }), "idle"],
    ["aborted", canary({ abort: true, message: "RolloutAborted: ..." }), "aborted"],
    ["paused by a person", canary({}, { paused: true }), "held"],
    [
      "an analysis that could not tell",
      canary({ pauseConditions: [{ reason: "InconclusiveAnalysisRun", startTime: "2026-01-01T00:00:00Z" }] }),
      "held",
    ],
    [
      "a pause that ends by itself",
      canary(
        { currentStepIndex: 1, pauseConditions: paused },
        { steps: [{ setWeight: 10 }, { pause: { duration: "60s" } }] },
      ),
      "moving",
    ],
    [
      "a weight between those that it steers through",
      canary(
        {
          currentStepIndex: 1,
          pauseConditions: paused,
          canary: { weights: { canary: { weight: 25 }, stable: { weight: 75 } } },
        },
        { steps: [{ setWeight: 25 }, { pause: {} }] },
      ),
      "held",
    ],
    ["at the last gate", canary({ currentStepIndex: 19 }), "moving"],
  ];
  test.each(cases)("%s", (_name, rollout, kind) => {
    expect(positionOf(rollout).kind).toBe(kind);
  });
});

test("an action becomes a place among the Rollout's own steps; no weight is ever written", () => {
  const move = (weight: number, action: typeof UP | typeof DOWN | typeof HOLD | typeof ABORT) => {
    const rollout = waitingAt(weight);
    const position = positionOf(rollout);
    if (position.kind !== "waiting") throw new Error(position.kind);
    return patchFor(rollout, position, action);
  };
  const at = (index: number) => ({ currentStepIndex: index, pauseConditions: null, controllerPause: false });
  expect(move(10, UP)).toEqual(at(2));
  expect(move(50, UP)).toEqual(at(10));
  // Into the pause behind the step: at the step itself the weight before it, 30, would hold for a moment.
  expect(move(50, DOWN)).toEqual(at(7));
  // What follows the last pause is 100 % and the last gate.
  expect(move(90, UP)).toEqual(at(18));
  expect(move(50, HOLD)).toBeUndefined();
  expect(move(50, ABORT)).toEqual({ abort: true });
});

test("steps that cannot be steered through are named", () => {
  expect(unsteerable(canary({}))).toBeUndefined();
  expect(unsteerable(canary({}, { router: false }))).toContain("no router");
  expect(unsteerable(canary({}, { steps: steerableSteps.toSpliced(4, 2) }))).toBe(
    "no step sets weight 30 and then waits without an end (pause: {})",
  );
  expect(
    unsteerable(canary({}, { steps: steerableSteps.map((step) => (step.pause ? { pause: { duration: 5 } } : step)) })),
  ).toContain("10, 20, 30");
  const blueGreen = canary({});
  blueGreen.spec.strategy = { blueGreen: { activeService: "a" } };
  expect(unsteerable(blueGreen)).toBe("it is no canary");
});
