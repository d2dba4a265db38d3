import { expect, test } from "vitest";
import { renderSimulations } from "../src/simulator/render-simulations.ts";
import type { Simulation } from "../src/simulator/simulate.ts";

const spread = { mean: 12.4, median: 12, low: 8, high: 20, p99: 22 };
const simulation: Simulation = {
  schemaVersion: 1,
  scenario: "buggy 5 %",
  engine: "sequential",
  rollouts: 1000,
  seed: 1,
  horizonSeconds: 900,
  ends: {
    promoted: { share: 0, count: 0, low: 0, high: 0.0037 },
    aborted: { share: 1, count: 1000, low: 0.9963, high: 1 },
    paused: { share: 0, count: 0, low: 0, high: 0.0037 },
  },
  seconds: { aborted: spread },
  bad: spread,
  excess: spread,
  badByHorizon: spread,
  why: [{ why: "the verdict is fail", weight: 10, count: 1000 }],
};

test("simulations stand side by side, with their intervals", () => {
  const [head, rule, first, second] = renderSimulations([
    { name: "values.yaml", simulation },
    { name: "other.yaml", simulation: { ...simulation, engine: "thresholds" } },
  ]).split("\n");
  expect(new Set([head, rule, first, second].map((line) => line!.length)).size).toBe(1);
  expect(first!.split("|").map((cell) => cell.trim())).toEqual([
    "",
    "values.yaml",
    "sequential",
    "buggy 5 %",
    "0 (< 0.37 %)",
    "100 % (99.6 % to 100 %)",
    "0 (< 0.37 %)",
    "aborted 12 (8 to 20)",
    "12 (8 to 20)",
    "12",
    "12 (8 to 20)",
    "the verdict is fail",
    "",
  ]);
  expect(second).toContain("thresholds");
});
