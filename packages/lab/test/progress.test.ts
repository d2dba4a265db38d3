import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { Progress, estimateWhole } from "../src/progress.ts";

const earlier = { "api answers": 4, "node is Ready": 6, "add-ons are Ready": 30 };

test("the whole is estimated as long as the last run took", () => {
  expect(estimateWhole(0, {}, earlier)).toBe(30);
});

test("a step that came later or earlier than last time moves the estimate by as much", () => {
  expect(estimateWhole(9, { "api answers": 9 }, earlier)).toBe(35);
  expect(estimateWhole(9, { "api answers": 9, "node is Ready": 5 }, earlier)).toBe(35);
  expect(estimateWhole(5, { "api answers": 3, "node is Ready": 5 }, earlier)).toBe(29);
});

test("what must be compiled first comes on top, and is not counted again when steps come later for it", () => {
  expect(estimateWhole(0, {}, earlier, 300)).toBe(330);
  expect(estimateWhole(304, { "api answers": 304 }, earlier, 300)).toBe(330);
  expect(estimateWhole(324, { "api answers": 324 }, earlier, 300)).toBe(350);
});

test("an estimate is never less than what has passed", () => {
  expect(estimateWhole(45, { "api answers": 4 }, earlier)).toBe(45);
});

test("a step nobody has timed yet changes nothing", () => {
  expect(estimateWhole(3, { unheard: 3 }, earlier)).toBe(30);
});

test("a saved run is the next run's estimate", async () => {
  const directory = mkdtempSync(path.join(tmpdir(), "lab-progress-"));
  try {
    const file = path.join(directory, "durations", "up.json");
    const first = new Progress(file, { "node is Ready": 3600 }, () => {});
    await first.step("node is Ready", async () => {});
    first.save();
    const lines: string[] = [];
    new Progress(file, { "node is Ready": 3600 }, (line) => lines.push(line)).note("looking");
    expect(lines[0]).toMatch(/^\[ *\d+\.\d s of about \d s\] looking\n$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
