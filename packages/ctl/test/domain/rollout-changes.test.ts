import { describe, expect, test } from "vitest";
import type { Happening } from "../../src/domain/happening.ts";
import { rolloutChanges } from "../../src/domain/rollout-changes.ts";
import { rolloutState } from "../../src/domain/rollout.ts";
import { analysis, blueGreen, canary, objects, set, type StatusParts } from "../fixtures/rollout.ts";

type Parts = Parameters<typeof objects>[1];
const state = (rollout: ReturnType<typeof canary>, o: Parts = {}) => rolloutState(objects(rollout, o));
const weight = (canary: number): NonNullable<StatusParts["canary"]> => ({
  weights: { canary: { weight: canary }, stable: { weight: 100 - canary } },
});

describe("between two looks", () => {
  const first = state(canary());

  test("nothing happened", () => {
    expect(rolloutChanges(first, first)).toEqual([]);
  });

  test.each<[string, ReturnType<typeof canary>, Parts, Happening[]]>([
    ["a step", canary({ currentStepIndex: 1 }), {}, [{ kind: "step", what: "step 2 of 5: pause 2m" }]],
    ["the last step, done", canary({ currentStepIndex: 5 }), {}, []],
    [
      "a weight",
      canary({ canary: weight(10) }),
      {},
      [{ kind: "step", mark: "10 %", what: "10 % of the requests are the canary's" }],
    ],
    [
      "an analysis that begins",
      canary(),
      { analysisRuns: [analysis("Running", { name: "gate" })] },
      [{ kind: "analysis", what: "step analysis gate: Running" }],
    ],
    [
      "an analysis that fails, with its numbers",
      canary(),
      { analysisRuns: [analysis("Failed", { name: "gate", value: "[0.31]" })] },
      [
        {
          kind: "analysis",
          outcome: "bad",
          what: expect.stringMatching(
            /^step analysis gate: Failed: error-ratio is \[0.31\], wanted .* < 0.05/,
          ) as string,
        },
      ],
    ],
    [
      "an abort, once and with its weight",
      canary({ abort: true }),
      {},
      [{ kind: "decision", outcome: "bad", mark: "aborted", what: expect.stringMatching(/^aborted: /) as string }],
    ],
    [
      "the promotion",
      canary({ stableRS: "new", currentStepIndex: 5 }),
      {},
      [{ kind: "decision", outcome: "good", mark: "promoted", what: "promoted" }],
    ],
    ["what the controller has not seen", canary({ observedGeneration: "3", currentStepIndex: 4 }), {}, []],
  ])("%s", (_, rollout, parts, lines) => {
    expect(rolloutChanges(first, state(rollout, parts))).toEqual(lines);
  });

  test("another template begins anew", () => {
    const next = state(canary({ currentPodHash: "newer" }), { replicaSets: [set("newer", 3)] });
    expect(rolloutChanges(state(canary({ abort: true })), next)).toEqual([
      { kind: "step", what: "step 1 of 5: setWeight 10" },
    ]);
  });

  test("an analysis that goes on is told once", () => {
    const running = state(canary(), { analysisRuns: [analysis("Running")] });
    expect(rolloutChanges(running, running)).toEqual([]);
  });

  test("the active Service of blue-green, there and back", () => {
    const before = state(blueGreen());
    const after = state(blueGreen({ blueGreen: { activeSelector: "new" } }));
    expect(rolloutChanges(before, after)).toEqual([
      { kind: "step", mark: "switched", what: "the active Service leads to the new pods" },
    ]);
    expect(rolloutChanges(after, before)).toMatchObject([{ what: "the active Service leads to the pods before" }]);
  });
});

test("the first look tells where it stands", () => {
  expect(rolloutChanges(undefined, state(canary({ currentStepIndex: 2 })))).toEqual([
    { kind: "step", what: "step 3 of 5: setWeight 50" },
  ]);
  expect(rolloutChanges(undefined, state(canary({ stableRS: "new", currentStepIndex: 5 })))).toEqual([]);
});
