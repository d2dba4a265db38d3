import { describe, expect, test } from "vitest";
import { rolloutState } from "../../src/domain/rollout.ts";
import {
  decideCommand,
  planRollback,
  type RolloutCommand,
  waitingCommands,
} from "../../src/domain/rollout-commands.ts";
import { rolloutVerdict } from "../../src/domain/rollout-verdict.ts";
import { at, ms } from "../fixtures/cluster.ts";
import { blueGreen, canary, objects, set, type StatusParts } from "../fixtures/rollout.ts";

type Parts = Parameters<typeof objects>[1];

function decide(command: RolloutCommand, rollout: ReturnType<typeof canary>, parts: Parts = {}) {
  const state = rolloutState(objects(rollout, parts));
  return decideCommand(command, rollout, state, rolloutVerdict(state, ms(60)));
}

const waits: StatusParts = {
  pauseConditions: [{ reason: "CanaryPauseStep", startTime: at(10) }],
  controllerPause: true,
  currentStepIndex: 3,
};
const inconclusive: StatusParts = {
  pauseConditions: [{ reason: "InconclusiveAnalysisRun", startTime: at(10) }],
  controllerPause: true,
};
const promoted: StatusParts = { stableRS: "new", currentStepIndex: 5 };
const byPerson = { spec: { paused: true } };

test.each([
  ["a person paused", "resume", { kind: "paused", by: "person", why: "" }],
  ["waits at a step", "promote", { kind: "paused", by: "step", why: "" }],
  ["waits with its preview", "promote", { kind: "paused", by: "blueGreen", why: "" }],
  ["an analysis could not tell", "promote", { kind: "inconclusive", why: "" }],
] as const)("an update that %s goes on with ctl %s", (_, command, verdict) => {
  expect(waitingCommands(verdict, "-n shop")).toBe(`ctl ${command} -n shop, or ctl abort -n shop`);
});

describe("promote", () => {
  test("ends the pause of a step, and nothing else", () => {
    expect(decide("promote", canary(waits))).toEqual({ do: "patch", patch: { status: { pauseConditions: null } } });
  });

  test("ends a person's pause", () => {
    expect(decide("promote", canary({}, byPerson))).toEqual({ do: "patch", patch: { spec: { paused: null } } });
  });

  test("ends both together", () => {
    expect(decide("promote", canary(waits, byPerson))).toEqual({
      do: "patch",
      patch: { status: { pauseConditions: null }, spec: { paused: null } },
    });
  });

  test("goes to the next step when the analysis of a step could not tell", () => {
    const status: StatusParts = {
      ...inconclusive,
      currentStepIndex: 4,
      canary: { currentStepAnalysisRunStatus: { name: "x", status: "Inconclusive" } },
    };
    expect(decide("promote", canary(status))).toEqual({
      do: "patch",
      patch: { status: { pauseConditions: null, controllerPause: false, currentStepIndex: 5 } },
    });
  });

  test("lets a background analysis run again when it could not tell", () => {
    expect(decide("promote", canary({ ...inconclusive, currentStepIndex: 1 }))).toEqual({
      do: "patch",
      patch: { status: { pauseConditions: null } },
    });
  });

  test("switches a blue-green one that waits", () => {
    const status = { pauseConditions: [{ reason: "BlueGreenPause", startTime: at(10) }], controllerPause: true };
    expect(decide("promote", blueGreen(status, { autoPromotionEnabled: false }))).toEqual({
      do: "patch",
      patch: { status: { pauseConditions: null } },
    });
  });

  test("never skips an analysis that is at work", () => {
    expect(decide("promote", canary({ currentStepIndex: 4 }))).toMatchObject({ do: "nothing" });
  });

  test("has nothing to do twice", () => {
    expect(decide("promote", canary({ ...promoted }))).toMatchObject({ do: "nothing" });
    expect(decide("promote", canary({ controllerPause: true, currentStepIndex: 3 }))).toMatchObject({ do: "nothing" });
  });

  test("is refused after an abort", () => {
    expect(decide("promote", canary({ ...waits, abort: true }))).toMatchObject({ do: "refuse", next: "retry" });
  });

  test("is refused when it is stuck", () => {
    const conditions = [
      { type: "Progressing", status: "False" as const, reason: "ProgressDeadlineExceeded", message: "timed out" },
    ];
    expect(decide("promote", canary({ conditions }))).toMatchObject({ do: "refuse", next: "rollback" });
  });
});

describe("promote --full", () => {
  test("takes it to the end, a person's pause included", () => {
    expect(decide("promoteFull", canary(waits))).toEqual({ do: "patch", patch: { status: { promoteFull: true } } });
    expect(decide("promoteFull", canary(waits, byPerson))).toEqual({
      do: "patch",
      patch: { status: { promoteFull: true }, spec: { paused: null } },
    });
  });

  test("has nothing to do twice", () => {
    expect(decide("promoteFull", canary(promoted))).toMatchObject({ do: "nothing" });
    expect(decide("promoteFull", canary({ promoteFull: true }))).toMatchObject({ do: "nothing" });
  });

  test("never brings back what was aborted", () => {
    expect(decide("promoteFull", canary({ abort: true }))).toMatchObject({ do: "refuse", next: "retry" });
  });
});

describe("abort", () => {
  test.each([
    ["in flight", canary()],
    ["paused", canary(waits)],
    ["inconclusive", canary(inconclusive)],
    ["paused by a person", canary({}, byPerson)],
    ["blue-green with its preview", blueGreen()],
    ["blue-green after the switch, its pods available", blueGreen({ blueGreen: { activeSelector: "new" } })],
  ])("takes back what is %s", (_, rollout) => {
    expect(decide("abort", rollout)).toEqual({ do: "patch", patch: { status: { abort: true } } });
  });

  test("has nothing to do twice", () => {
    expect(decide("abort", canary({ abort: true }))).toMatchObject({ do: "nothing" });
  });

  test("is refused when everything is promoted, or nothing stable is there", () => {
    expect(decide("abort", canary(promoted))).toMatchObject({ do: "refuse", next: "rollback" });
    expect(decide("abort", canary({ stableRS: "" }))).toMatchObject({ do: "refuse", next: "deploy" });
  });

  test("is refused where the controller would not act on it: switched to pods that are not available", () => {
    const parts = { replicaSets: [set("new", 2, { available: 1 })] };
    expect(decide("abort", blueGreen({ blueGreen: { activeSelector: "new" } }), parts)).toMatchObject({
      do: "refuse",
      next: "rollback",
    });
  });
});

describe("retry, pause and resume", () => {
  test("retry begins again what was aborted, and nothing else", () => {
    expect(decide("retry", canary({ abort: true }))).toEqual({ do: "patch", patch: { status: { abort: false } } });
    expect(decide("retry", canary())).toMatchObject({ do: "nothing" });
    expect(decide("retry", canary(promoted))).toMatchObject({ do: "nothing" });
  });

  test("pause stops what is in flight, and nothing else", () => {
    expect(decide("pause", canary())).toEqual({ do: "patch", patch: { spec: { paused: true } } });
    expect(decide("pause", canary({}, byPerson))).toMatchObject({ do: "nothing" });
    expect(decide("pause", canary(promoted))).toMatchObject({ do: "refuse" });
    expect(decide("pause", canary({ abort: true }))).toMatchObject({ do: "refuse", next: "retry" });
  });

  test("resume ends a person's pause, and leaves that of a step", () => {
    expect(decide("resume", canary(waits, byPerson))).toEqual({ do: "patch", patch: { spec: { paused: null } } });
    expect(decide("resume", canary(waits))).toMatchObject({ do: "nothing" });
  });
});

describe("the way back", () => {
  const plan = (rollout: ReturnType<typeof canary>, targetIsStable: boolean, parts: Parts = {}) =>
    planRollback(rolloutState(objects(rollout, parts)), targetIsStable).map((step) => step.do);

  test.each<[string, ReturnType<typeof canary>, boolean, string[]]>([
    ["in flight", canary(), true, ["abort", "applyTarget", "verify"]],
    ["paused", canary(waits), true, ["abort", "applyTarget", "verify"]],
    ["inconclusive", canary(inconclusive), true, ["abort", "applyTarget", "verify"]],
    ["aborted", canary({ abort: true }), true, ["applyTarget", "verify"]],
    ["in flight, to an older one", canary(), false, ["abort", "applyTarget", "promoteFully", "verify"]],
    ["promoted", canary(promoted), false, ["applyTarget", "promoteFully", "verify"]],
    ["the first", canary({ stableRS: "" }), false, ["applyTarget", "promoteFully", "verify"]],
    ["blue-green before the switch", blueGreen(), true, ["abort", "applyTarget", "verify"]],
    // An abort would not switch back while the new pods crash; the old template does, within its delay.
    [
      "blue-green after the switch",
      blueGreen({ blueGreen: { activeSelector: "new" } }),
      true,
      ["applyTarget", "verify"],
    ],
    [
      "blue-green, promoted",
      blueGreen({ stableRS: "new", blueGreen: { activeSelector: "new" } }),
      false,
      ["applyTarget", "promoteFully", "verify"],
    ],
  ])("from what is %s", (_, rollout, targetIsStable, steps) => {
    expect(plan(rollout, targetIsStable)).toEqual(steps);
  });

  test("says why of every step", () => {
    for (const step of planRollback(rolloutState(objects(canary())), false))
      expect(step.why.length).toBeGreaterThan(10);
  });
});
