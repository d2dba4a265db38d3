import { expect, test } from "vitest";
import { gatesWithoutPass, toldIn } from "../../src/domain/gate-answers.ts";
import type { MetricState, RolloutAnalysisState } from "../../src/domain/rollout.ts";

function analysis(
  name: string,
  o: Partial<MetricState> & { kind?: RolloutAnalysisState["kind"] },
): RolloutAnalysisState {
  const { kind = "step", ...metric } = o;
  return {
    name,
    kind,
    phase: "Successful",
    message: "",
    metrics: [
      {
        name: "sequential",
        phase: "Successful",
        message: "",
        value: undefined,
        job: undefined,
        wanted: undefined,
        counts: { successful: 1, failed: 0, inconclusive: 0, error: 0 },
        query: undefined,
        isDryRun: false,
        ...metric,
      },
    ],
  };
}

const pass = JSON.stringify({ verdict: "pass", reason: "good so far", n: 210 });

test("a gate that was told `pass` counts, whatever else the answer holds", () => {
  expect(gatesWithoutPass([analysis("gate-1", { value: pass })], "sequential")).toEqual([]);
});

test.each([
  [undefined],
  [""],
  ["OK"],
  ["pass"],
  ['"pass"'],
  ["null"],
  ["{}"],
  ['{"verdict":"pass"}'],
  ['{"verdict":"blind","reason":"no samples"}'],
])("a gate that passed on %j was not told `pass`", (value) => {
  expect(gatesWithoutPass([analysis("gate-1", { value }), analysis("gate-2", { value: pass })], "sequential")).toEqual([
    { analysis: "gate-1", value },
  ]);
});

test("gates that a person went past, other metrics and the background are not looked at", () => {
  const others = [
    analysis("gate-1", { value: "", phase: "Inconclusive" }),
    analysis("gate-2", { value: "[0.01]", name: "error-ratio" }),
    analysis("background", { value: "", kind: "background" }),
  ];
  expect(gatesWithoutPass(others, "sequential")).toEqual([]);
});

test("what a service told is read out of a measurement, and nothing else is taken for it", () => {
  expect(toldIn(pass)).toEqual({ verdict: "pass", reason: "good so far" });
  for (const value of [undefined, "", "[0.31]", "{", "3"]) expect(toldIn(value)).toBeUndefined();
});
