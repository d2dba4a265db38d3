import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { median, pairedRatio } from "../src/bench/measure.ts";
import { renderRun, type Run, writePage } from "../src/bench/page.ts";
import { must, run as runProgram } from "../src/run.ts";
import { root } from "../src/world.ts";

const run: Run = {
  schemaVersion: 1,
  date: "2026-01-02",
  commit: "abc1234",
  command: "make bench",
  machine: { cores: 2, processor: "X", memoryGiB: 8, kernel: "6.1", node: "v24.0.0", loadBefore: 0.1 },
  rows: [
    {
      what: "start",
      subject: { command: "ctl --help", unit: "s", values: [0.2, 0.1, 0.4] },
      baseline: { command: "kubectl version", unit: "s", values: [0.1, 0.1, 0.1] },
      ratio: pairedRatio([0.2, 0.1, 0.4], [0.1, 0.1, 0.1], "times the baseline"),
      goal: { text: "at most 1", isMet: false },
      note: "parts",
    },
  ],
  failures: [],
};

describe("the figures", () => {
  test("are medians, and ratios of medians with the span of the pairs", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(() => median([])).toThrow(/no values/);
    expect(pairedRatio([2, 6, 4], [1, 2, 4], "of the goal")).toEqual({
      median: 2,
      min: 1,
      max: 3,
      reads: "of the goal",
    });
    expect(() => pairedRatio([1], [1, 2], "of the goal")).toThrow(/pairs/);
  });

  test("stand in the page with their baseline, their goal and whether it is met", () => {
    expect(renderRun(run)).toContain(
      "| start | `ctl --help`: 0.2 s | `kubectl version`: 0.1 s | 2 times the baseline (1 to 4) | at most 1 | **no** |",
    );
    expect(renderRun(run)).toContain("- start: parts.");
    expect(renderRun({ ...run, failures: [{ figure: "demo", error: "no" }] })).toContain(
      "Not measured in this run: demo.",
    );
  });

  test("replace the last run's and leave the text around them alone; a page without markers is refused", () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), "bench-page-")), "page.md");
    writeFileSync(file, readFileSync(path.join(root, "docs/benchmarks.md")));
    writePage(file, run);
    const once = readFileSync(file, "utf8");
    expect(once).toContain("# Benchmarks");
    expect(once).toContain("## Running it");
    writePage(file, run);
    expect(readFileSync(file, "utf8")).toBe(once);
    writeFileSync(file, "nothing");
    expect(() => writePage(file, run)).toThrow(/markers/);
  });
});

test("an unknown figure is refused with the names of those that exist", async () => {
  const ran = await runProgram(process.execPath, ["e2e/src/bench.ts", "--only", "speed"], { cwd: root });
  expect(ran.code).toBe(2);
  expect(ran.stderr).toMatch(/cli-start.*restore.*demo/);
  await expect(must(process.execPath, ["e2e/src/bench.ts", "--fast"], { cwd: root })).rejects.toThrow(/usage/);
});
