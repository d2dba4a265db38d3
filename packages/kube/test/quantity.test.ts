import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareQuantities, formatQuantity, parseQuantity } from "../src/index.ts";

const seed = Number(process.env["SEED"] ?? 7);

describe("a quantity", () => {
  test.for([
    ["1", "1000m"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["1.", "1"],
    ["+2", "2"],
    ["-1500m", "-1.5"],
    ["1Ki", "1024"],
    ["1.5Gi", "1536Mi"],
    ["1G", "1000M"],
    ["1E", "1000P"],
    ["1Ei", "1024Pi"],
    ["1e3", "1k"],
    ["1E3", "1k"],
    ["12e-1", "1200m"],
    ["100n", "0.1u"],
    ["0.1n", "1n"],
    ["-0.1n", "-1n"],
  ])("%s is %s", ([one, other]) => {
    expect(parseQuantity(one ?? "")).toBe(parseQuantity(other ?? "?"));
  });

  test("of a number is that number", () => {
    expect(parseQuantity(2)).toBe(parseQuantity("2"));
    expect(parseQuantity(0.25)).toBe(parseQuantity("250m"));
  });

  test.for(["", " 1", "1 Gi", "1GB", "Mi", "1ki", "0x10", "1,5", "1e", "1e9999", "--1", "NaN", "Infinity", "."])(
    "%j is none",
    (text) => {
      expect(() => parseQuantity(text)).toThrow(RangeError);
    },
  );

  test("is exact where floating point is not", () => {
    expect(parseQuantity("0.1") + parseQuantity("0.2")).toBe(parseQuantity("0.3"));
    expect(compareQuantities("9007199254740993", "9007199254740992")).toBeGreaterThan(0);
  });

  test("is the same after writing and reading, in either form", () => {
    const quantity = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
    fc.assert(
      fc.property(quantity, fc.constantFrom("decimal" as const, "binary" as const), (value, form) => {
        expect(parseQuantity(formatQuantity(value, form))).toBe(value);
      }),
      { seed },
    );
  });

  test("of whole bytes keeps its binary form", () => {
    for (const text of ["1Ki", "512Mi", "3Gi", "1023", "-2Ti", "0"])
      expect(formatQuantity(parseQuantity(text), "binary")).toBe(text);
    for (const text of ["250m", "3", "7k", "1500M", "-1u"]) expect(formatQuantity(parseQuantity(text))).toBe(text);
  });

  test("sorts like the number it stands for, whatever its suffix", () => {
    const suffixes = [
      ["m", 1n],
      ["", 1000n],
      ["k", 1_000_000n],
      ["Ki", 1_024_000n],
      ["Mi", 1_048_576_000n],
    ] as const;
    const quantity = fc
      .tuple(fc.integer({ min: -5000, max: 5000 }), fc.constantFrom(...suffixes))
      .map(([n, [suffix, milli]]) => ({ text: `${n}${suffix}`, milli: BigInt(n) * milli }));
    fc.assert(
      fc.property(quantity, quantity, (a, b) => {
        const expected = a.milli < b.milli ? -1 : a.milli > b.milli ? 1 : 0;
        expect(compareQuantities(a.text, b.text)).toBe(expected);
      }),
      { seed },
    );
  });
});
