import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseDuration } from "../src/command-line.ts";

test.each([
  ["90s", 90],
  ["5m", 300],
  ["1h30m", 5400],
  ["1h0m5s", 3605],
  ["45", 45],
  ["0s", 0],
])("%s is %i seconds", (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(["", "5 m", "m", "-5s", "1.5h", "5m1h", "5x", "5mm", "s5"])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test("hours, minutes and seconds add up", () => {
  const part = fc.nat({ max: 500 });
  fc.assert(
    fc.property(part, part, part, (hours, minutes, seconds) => {
      expect(parseDuration(`${hours}h${minutes}m${seconds}s`)).toBe(hours * 3600 + minutes * 60 + seconds);
    }),
  );
});
