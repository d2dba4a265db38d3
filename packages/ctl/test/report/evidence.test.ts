import type { PathPoint } from "@safe-deploy/verdict-service";
import { expect, test } from "vitest";
import { type Evidence, evidenceMetrics } from "../../src/report/evidence.ts";

const at = Date.parse("2026-01-01T00:00:00Z");

function point(second: number, o: Partial<PathPoint["rules"][number]> & { spent?: number }): PathPoint {
  const { spent = 0, ...rule } = o;
  return {
    ...{ at: at + second * 1000, weight: 10, verdict: "continue", n: 10, k: 0, spent },
    rules: [
      { rule: "errors", absolute: [0, 0], relative: [0, 0], boundaries: [7.6, 15.1], gate: [0, -2.996], ...rule },
    ],
  };
}

function evidence(points: PathPoint[], o: { failed?: string; budget?: number } = {}): Evidence {
  const { failed, budget } = o;
  return {
    canary: "new",
    answer: failed === undefined ? null : ({ verdict: "fail", rule: failed } as NonNullable<Evidence["answer"]>),
    path: { stride: 1, looks: points.length, points },
    state: { policy: budget === undefined ? {} : { budget } },
  };
}

test("each rule has its curves against their boundaries, of the test that has less evidence", () => {
  const points = [point(1, { absolute: [2, 3], relative: [1, 4] }), point(2, { absolute: [9, 3], relative: [8, 4] })];
  const metrics = evidenceMetrics(evidence(points, { failed: "errors" }));
  expect(metrics.map(({ name, phase, threshold }) => [name, phase, threshold?.max])).toEqual([
    ["evidence, errors: bad from the start", "Failed", 7.6],
    ["evidence, errors: turned bad", "Successful", 15.1],
    ["evidence, errors: good at this weight", "Successful", -2.996],
    ["bad requests spent", "Successful", undefined],
  ]);
  expect(metrics[0]!.measurements).toEqual([
    { at: "2026-01-01T00:00:01.000Z", value: 1, phase: "Successful" },
    { at: "2026-01-01T00:00:02.000Z", value: 8, phase: "Failed" },
  ]);
});

test("a test that has ended, or has nothing to compare with, has no part in its curve", () => {
  const points = [
    point(1, { absolute: [null, 3], relative: [null, null] }),
    point(2, { absolute: [null, 5], relative: [null, null] }),
  ];
  const metrics = evidenceMetrics(evidence(points));
  expect(metrics.map(({ name }) => name)).not.toContain("evidence, errors: bad from the start");
  const lately = metrics.find(({ name }) => name === "evidence, errors: turned bad");
  expect(lately?.measurements?.map(({ value }) => value)).toEqual([3, 5]);
});

test("what was spent is set against the budget", () => {
  const metrics = evidenceMetrics(evidence([point(1, { spent: 40 }), point(2, { spent: 70.5 })], { budget: 60 }));
  const last = metrics.at(-1);
  expect(last).toMatchObject({ name: "bad requests spent", phase: "Failed", threshold: { max: 60 } });
  expect(last?.measurements?.map(({ value, phase }) => [value, phase])).toEqual([
    [40, "Successful"],
    [70.5, "Failed"],
  ]);
});

test("without a look there is nothing to draw", () => {
  expect(evidenceMetrics(evidence([]))).toEqual([]);
});
