import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseJsonPath, valueAt } from "../src/json-path.ts";
import { subsetDifferences } from "../src/json-subset.ts";
import { seed } from "./seed.ts";

describe("a JSON path", () => {
  test.each<[string, unknown]>([
    ["a", { "b.c": [{ 'd"e': 1 }] }],
    ['a["b.c"][0]["d\\"e"]', 1],
    ["a.b", undefined],
    ["list[1]", 5],
    ["list.1", 5],
    ["list[2]", undefined],
    ["list.length", 2],
    ["none", null],
    ["none.more", undefined],
    ["toString", undefined],
  ])("%s finds %j", (path, value) => {
    const document = { a: { "b.c": [{ 'd"e': 1 }] }, list: [4, 5], none: null };
    expect(valueAt(document, parseJsonPath(path)!)).toEqual(value);
  });

  test.each(["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", 'a["b]', "a b", "[0]a"])("%j is none", (text) => {
    expect(parseJsonPath(text)).toBeUndefined();
  });
});

describe("a JSON subset", () => {
  test("is contained in every document that it was taken from", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.infiniteStream(fc.boolean()), (document, keep) => {
        const seen = JSON.parse(JSON.stringify(document)) as unknown;
        expect(subsetDifferences(without(seen, keep), seen)).toEqual([]);
      }),
      { seed },
    );
  });

  test("is not contained once any value of it differs", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 1 }), (document, key) => {
        expect(subsetDifferences({ [key]: [document, 1] }, { [key]: [document, 2] })).toHaveLength(1);
        expect(subsetDifferences({ [key]: document }, {})).toEqual([`${key} is missing`]);
      }),
      { seed },
    );
  });
});

/** The document with some keys left out. */
function without(value: unknown, keep: fc.Stream<boolean>): unknown {
  if (Array.isArray(value)) return value.map((element) => without(element, keep));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(() => keep.next().value);
  return Object.fromEntries(kept.map(([key, inner]) => [key, without(inner, keep)]));
}
