import { expect, test } from "vitest";
import type { Result } from "@safe-deploy/verdict";
import { addPoint, newPath } from "../src/path.ts";

function result(verdict: Result["verdict"]): Result {
  return {
    ...{
      verdict,
      reason: "",
      rule: "errors",
      statistic: 0,
      boundary: 0,
      n: 1,
      k: 0,
      missing: 0,
      spent: { bad: 0.12345 },
    },
    evidence: [
      {
        rule: "errors",
        absolute: { fromStart: null, recent: 1.23456 },
        boundaries: { fromStart: 7.6, recent: 15.1 },
        gate: { score: -1.5, boundary: -2.99573, requests: 10, bad: 0, missing: 5 },
      },
    ],
  };
}

test("a look is kept with its evidence and boundaries, in few digits", () => {
  const path = newPath();
  addPoint(path, 1_000, 10, result("continue"));
  expect(path.points).toEqual([
    {
      ...{ at: 1_000, weight: 10, verdict: "continue", n: 1, k: 0, spent: 0.123 },
      rules: [
        {
          rule: "errors",
          absolute: [null, 1.235],
          relative: [null, null],
          boundaries: [7.6, 15.1],
          gate: [-1.5, -2.996],
        },
      ],
    },
  ]);
});

test("a path of any length stays small, and keeps its changes of weight and its failure", () => {
  const path = newPath();
  const weights = [5, 10, 50, 100];
  for (let look = 0; look < 20_000; look++)
    addPoint(path, look, weights[Math.floor(look / 5_000)]!, result("continue"));
  addPoint(path, 20_000, 100, result("fail"));
  expect(path.points.length).toBeLessThanOrEqual(121);
  expect(JSON.stringify(path).length).toBeLessThan(30_000);
  const times = path.points.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  for (const turn of [0, 5_000, 10_000, 15_000, 20_000]) expect(times).toContain(turn);
  expect(path.points.at(-1)?.verdict).toBe("fail");
});
