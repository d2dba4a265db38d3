import { expect, test } from "vitest";
import { type Answer, evaluate, measure, phaseOf, startRun } from "../src/simulator/argo-analysis.ts";
import type { Metric } from "../src/simulator/rollout-plan.ts";
import { metric } from "./argo-metric.ts";

const below = { operator: "<", limit: 0.05 } as const;
const above = { operator: ">=", limit: 0.05 } as const;

test.each<[string, Answer, string, string, string]>([
  // answer, success condition alone, failure condition alone, both with a limit between
  ["a good value", 0.01, "Successful", "Successful", "Successful"],
  ["a value between", 0.07, "Failed", "Failed", "Inconclusive"],
  ["a bad value", 0.2, "Failed", "Failed", "Failed"],
  ["NaN", Number.NaN, "Failed", "Successful", "Inconclusive"],
  ["infinity", Infinity, "Failed", "Failed", "Failed"],
  ["an empty vector", "empty", "Error", "Error", "Error"],
  ["no answer", "unreachable", "Error", "Error", "Error"],
])("%s is judged as Argo Rollouts does", (_, answer, success, failure, both) => {
  expect(evaluate({ ...metric, success: below }, answer)).toBe(success);
  expect(evaluate({ ...metric, failure: above }, answer)).toBe(failure);
  expect(evaluate({ ...metric, success: below, failure: { operator: ">=", limit: 0.1 } }, answer)).toBe(both);
});

test("no condition is always successful, a vector compared as a number never", () => {
  expect(evaluate(metric, 1)).toBe("Successful");
  expect(evaluate({ ...metric, success: below, indexed: false }, 0)).toBe("Error");
});

test("a guard makes no answer inconclusive", () => {
  expect(evaluate({ ...metric, success: below, failure: above, guarded: true }, "empty")).toBe("Inconclusive");
});

function play(changes: Partial<Metric>, answers: Answer[]) {
  const [run] = startRun([{ ...metric, success: below, failure: { operator: ">=", limit: 0.1 }, ...changes }], 0);
  for (const answer of answers) if (run!.phase === undefined) measure(run!, answer, run!.nextAt);
  return { phase: run!.phase, nextAt: run!.nextAt, counted: run!.counted };
}

test("a run ends after its count, and an interval lies between measurements", () => {
  expect(play({ count: 3 }, [0, 0])).toEqual({ phase: undefined, nextAt: 60, counted: 2 });
  expect(play({ count: 3 }, [0, 0, 0]).phase).toBe("Successful");
});

test("failures, inconclusive results and errors end a run when they exceed their limits", () => {
  expect(play({}, [0.2]).phase).toBe("Failed");
  expect(play({ failureLimit: 1 }, [0.2, 0, 0.2]).phase).toBe("Failed");
  expect(play({ failureLimit: -1 }, [0.2, 0.2]).phase).toBeUndefined();
  expect(play({}, [0.07]).phase).toBe("Inconclusive");
  expect(play({ inconclusiveLimit: 1 }, [0.07]).phase).toBeUndefined();
});

test("errors are not counted, are tried again after 10 s, and end a run at the fifth in a row", () => {
  const empty: Answer[] = ["empty", "empty", "empty", "empty"];
  expect(play({}, empty)).toEqual({ phase: undefined, nextAt: 40, counted: 0 });
  expect(play({}, [...empty, "empty"]).phase).toBe("Error");
  expect(play({}, [...empty, 0, ...empty]).phase).toBeUndefined();
});

test("successes in a row end a run early; its count without them is inconclusive", () => {
  expect(play({ consecutiveSuccessLimit: 2, inconclusiveLimit: 5 }, [0.07, 0, 0]).phase).toBe("Successful");
  expect(play({ consecutiveSuccessLimit: 2, inconclusiveLimit: 5, count: 3 }, [0, 0.07, 0]).phase).toBe("Inconclusive");
});

test("a metric without a count goes on for ever", () => {
  expect(
    play(
      { count: 0 },
      Array.from({ length: 50 }, () => 0),
    ).phase,
  ).toBeUndefined();
});

test("of several metrics the worst decides, and one bad end is enough", () => {
  const runs = startRun(
    ["a", "b", "c"].map((name) => ({ ...metric, name, success: below, count: 1 })),
    0,
  );
  measure(runs[0]!, 0, 0);
  expect(phaseOf(runs)).toBeUndefined();
  measure(runs[1]!, 0.2, 0);
  expect(phaseOf(runs)).toBe("Failed");
});
