import { describe, expect, test } from "vitest";
import { compareWeight, countByVersion, failuresOf } from "../run/versions.ts";

const point = (t: number, version: string, status: number, count: number) => ({ t, version, status, count });

// Weight 10 until second 12, then the canary is taken out; its last two requests fail, and one gets no answer.
const series = [
  point(10, "stable", 200, 90),
  point(10, "canary", 200, 8),
  point(10, "canary", 500, 2),
  point(11, "stable", 200, 90),
  point(11, "canary", 500, 10),
  point(12, "stable", 200, 97),
  point(12, "canary", 503, 2),
  point(12, "none", 0, 1),
  point(13, "stable", 200, 100),
];

describe("countByVersion", () => {
  test("tells requests and failures of each version, and what nobody answered", () => {
    expect(countByVersion(series)).toEqual({
      stable: { requests: 377, failed: 0 },
      canary: { requests: 22, failed: 14 },
      none: { requests: 1, failed: 1 },
    });
  });

  test("counts the seconds of a period, both ends included", () => {
    expect(countByVersion(series, { from: 11, to: 12 })["canary"]).toEqual({ requests: 12, failed: 12 });
    expect(countByVersion(series, { from: 13 })).toEqual({ stable: { requests: 100, failed: 0 } });
    expect(countByVersion(series, { to: 9 })).toEqual({});
  });
});

test("failuresOf tells when a version failed first and last", () => {
  expect(failuresOf(series, "canary")).toEqual({ first: 10, last: 12 });
  expect(failuresOf(series, "none")).toEqual({ first: 12, last: 12 });
  expect(failuresOf(series, "stable")).toBeUndefined();
});

describe("compareWeight", () => {
  test("gives the share of a version's answers, and what chance allows at that weight", () => {
    const compared = compareWeight(series, { version: "canary", weight: 10, to: 11 });
    expect(compared).toMatchObject({ answers: 200, ofVersion: 20, share: 10, agrees: true });
    // Four standard deviations of 200 answers: 4 * sqrt(200 * 0.1 * 0.9) = 17 of 200.
    expect(compared.allowed.least).toBeCloseTo(1.51, 2);
    expect(compared.allowed.most).toBeCloseTo(18.49, 2);
  });

  test("does not agree with another weight", () => {
    expect(compareWeight(series, { version: "canary", weight: 50, to: 11 }).agrees).toBe(false);
  });

  test("allows nothing at weight 0 and everything at 100: one answer more or less is a fault", () => {
    expect(compareWeight(series, { version: "canary", weight: 0, from: 13 })).toMatchObject({ share: 0, agrees: true });
    expect(compareWeight(series, { version: "canary", weight: 0, from: 12 })).toMatchObject({
      allowed: { least: 0, most: 0 },
      agrees: false,
    });
    expect(compareWeight(series, { version: "stable", weight: 100, from: 13 }).agrees).toBe(true);
    expect(compareWeight(series, { version: "stable", weight: 100, from: 12 }).agrees).toBe(false);
  });

  test("does not agree where nothing was answered, and leaves out what nobody answered", () => {
    expect(compareWeight([], { version: "canary", weight: 0 })).toMatchObject({ share: undefined, agrees: false });
    expect(compareWeight([point(1, "none", 0, 5)], { version: "canary", weight: 0 })).toMatchObject({
      answers: 0,
      agrees: false,
    });
  });

  test("takes few answers for what they are", () => {
    const few = [point(1, "stable", 200, 9), point(1, "canary", 200, 2)];
    expect(compareWeight(few, { version: "canary", weight: 10 }).agrees).toBe(true);
  });
});
