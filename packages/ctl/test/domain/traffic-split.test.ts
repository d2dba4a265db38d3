import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Answer, judgeSplit } from "../../src/domain/traffic-split.ts";

const answers = (canary: number, stable: number, status = 200): Answer[] => [
  ...Array.from({ length: canary }, () => ({ version: "2", status })),
  ...Array.from({ length: stable }, () => ({ version: "1", status })),
];

describe("a split", () => {
  test.each([
    [20, 180, 10, true],
    [8, 192, 10, true],
    [0, 200, 10, false],
    [100, 100, 10, false],
    [0, 100, 0, true],
    [1, 99, 0, false],
    [100, 0, 100, true],
    [99, 1, 100, false],
    [50, 50, 50, true],
    [5, 95, 5, true],
  ])("of %i and %i answers at weight %i: %j", (canary, stable, weight, isAsExpected) => {
    expect(judgeSplit(answers(canary, stable), "2", weight).isAsExpected).toBe(isAsExpected);
  });

  test("is counted by version, errors apart, the most frequent first", () => {
    const { counts } = judgeSplit(
      [...answers(1, 3), { version: "1", status: 503 }, { version: "?", status: undefined }],
      "2",
      25,
    );
    expect(counts).toEqual([
      { version: "1", answers: 4, errors: 1 },
      { version: "2", answers: 1, errors: 0 },
      { version: "?", answers: 1, errors: 1 },
    ]);
  });

  test("says what it found and what the weight makes probable", () => {
    expect(judgeSplit(answers(20, 80), "2", 10).why).toBe(
      "20 of 100 answers are the canary's; weight 10 % makes it 0 to 20",
    );
    expect(judgeSplit(answers(1, 99), "2", 0).why).toContain("exactly 0");
  });

  test("of nothing, or of versions that cannot be told apart, is not judged", () => {
    expect(judgeSplit([], "2", 10).isAsExpected).toBeUndefined();
    expect(judgeSplit(answers(1, 9), undefined, 10)).toMatchObject({ isAsExpected: undefined, share: undefined });
  });

  test("that goes in turns is always as expected", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 100 }), (total, weight) => {
        const own = Math.floor((total * weight) / 100);
        expect(judgeSplit(answers(own, total - own), "2", weight).isAsExpected).toBe(true);
      }),
    );
  });
});
