import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { release } from "../src/app-release.ts";
import { median, pairedRatio } from "../src/bench/measure.ts";
import { randomPaths, releaseFlags, sideBySide } from "../src/bench/canary.ts";
import { presets } from "../src/bench/detection.ts";
import { settings as ofEngines } from "../src/bench/engines.ts";
import type { Row } from "../src/bench/figure.ts";
import { settings as ofSimulation } from "../src/bench/live-against-simulated.ts";
import { rowsOf } from "../src/bench/promises.ts";
import { type Measured, renderRun, type Run, writePage } from "../src/bench/page.ts";
import { must, run as runProgram, words } from "../src/run.ts";
import { chart, root, World } from "../src/world.ts";

const run: Run = {
  schemaVersion: 2,
  date: "2026-01-02",
  commit: "abc1234",
  command: "make bench",
  machine: { cores: 2, processor: "X", memoryGiB: 8, kernel: "6.1", node: "v24.0.0" },
  measured: [measured("start", 0.2), measured("stop", 0.4)],
  failures: [],
};

function measured(figure: string, seconds: number): Measured {
  return {
    figure,
    loadBefore: 0.1,
    rows: [
      {
        what: `time to ${figure}`,
        subject: { command: "ctl --help", unit: "s", values: [seconds, seconds / 2, seconds * 2] },
        baseline: { command: "kubectl version", unit: "s", values: [0.1, 0.1, 0.1] },
        ratio: pairedRatio([seconds, seconds / 2, seconds * 2], [0.1, 0.1, 0.1], "times the baseline"),
        goal: { text: "at most 1", isMet: false },
        note: "parts",
      },
    ],
  };
}

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
      "| time to start | `ctl --help`: 0.2 s | `kubectl version`: 0.1 s | 2 times the baseline (1 to 4) | at most 1 | **no** |",
    );
    expect(renderRun(run)).toContain("- time to start: parts.");
    expect(renderRun({ ...run, failures: [{ figure: "demo", error: "no" }] })).toContain(
      "Not measured in this run: demo: no",
    );
  });

  test("say that a simulated promise is kept while chance explains what is over it", () => {
    const cell = {
      ...{ policy: "one", cell: "p0", promise: "alpha" as const, runs: 100_000, promised: 0.001 },
      ...{ meanBad: 0, p99Bad: 0, absolute: 0, comparison: 0, perLook: 0, milliseconds: 0 },
    };
    const kept = (...events: number[]) =>
      rowsOf([
        ...events.map((each) => ({ ...cell, events: each })),
        { ...cell, promise: "beta", events: 0 },
        { ...cell, promise: "cost", events: 100_000, meanBad: 12, absolute: 8, comparison: 9, perLook: 1 },
      ]).map(({ ratio, goal }) => [ratio.max, goal?.isMet]);
    expect(kept(3, 110)).toEqual([
      [1.1, true],
      [0, true],
      [1.2, true],
    ]);
    expect(kept(3, 150)[0]).toEqual([1.5, false]);
  });

  test("say so when a measurement was ended before its time", () => {
    const rows: Row[] = [
      {
        what: "bad requests",
        subject: { command: "the defaults", unit: "requests", values: [20] },
        baseline: { command: "preset X", unit: "requests", values: [6000], isAtLeast: true },
        ratio: { median: 300, min: 300, max: 300, reads: "times fewer than the baseline", isAtLeast: true },
      },
    ];
    expect(renderRun({ ...run, measured: [{ figure: "x", loadBefore: 0, rows }] })).toContain(
      "| the defaults: 20 requests | preset X: more than 6000 requests | more than 300 times fewer than the baseline |",
    );
  });
});

describe("traffic for a canary", () => {
  test("asks for the bad path at random, with the share that is wanted, and fits a command line", () => {
    const paths = randomPaths(0.2, "a");
    const bad = paths.filter((one) => one === "/api/v1/version").length;
    // Four standard deviations of 8000 requests.
    expect(Math.abs(bad - 0.2 * paths.length)).toBeLessThan(4 * Math.sqrt(paths.length * 0.2 * 0.8));
    // However a router deals them out in turn, each version gets its share.
    const everyTenth = paths.filter((_, index) => index % 10 === 3);
    expect(everyTenth.filter((one) => one === "/api/v1/version").length).toBeGreaterThan(0.1 * everyTenth.length);
    expect(randomPaths(1, "a").join(",").length).toBeLessThan(128 * 1024);
    expect(randomPaths(0.2, "b")).not.toEqual(paths);
  });

  test("comes from no more releases at a time than there are lanes, and one that fails stops no other", async () => {
    let running = 0;
    let most = 0;
    const failures: string[] = [];
    const results = await sideBySide(
      2,
      [1, 2, 3, 4, 5],
      async (item) => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        if (item === 2) throw new Error("no");
        return item;
      },
      (item, error) => failures.push(`${item}: ${error.message}`),
    );
    expect(most).toBe(2);
    expect(results.toSorted((a, b) => a - b)).toEqual([1, 3, 4, 5]);
    expect(failures).toEqual(["2: no"]);
  });
});

describe("what is rolled out", () => {
  test.each([...presets, ...ofEngines, ...ofSimulation])("renders: $name", async (setting) => {
    const world = await World.attach();
    const rendered = await world.helm([
      ...["template", release, chart, ...releaseFlags(setting, "bench")],
      ...["--set", "image.tag=v3"],
    ]);
    expect(rendered.code, words(rendered)).toBe(0);
  });
});

describe("the page", () => {
  const order = ["start", "stop", "other"];

  function copyOfPage(): string {
    const folder = mkdtempSync(path.join(tmpdir(), "bench-page-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "page.md");
    writeFileSync(file, readFileSync(path.join(root, "docs/benchmarks.md")));
    return file;
  }

  test("holds each figure with the run that it comes from, and the text around them stays", () => {
    const file = copyOfPage();
    writePage(file, run, order);
    const once = readFileSync(file, "utf8");
    expect(once).toContain("# Benchmarks");
    expect(once).toContain("## Running it");
    expect(once).toContain("### start\n\n`make bench`, 2026-01-02, commit abc1234: 2 cores (X), 8 GiB");
    writePage(file, run, order);
    expect(readFileSync(file, "utf8")).toBe(once);
  });

  test("takes in one figure of another run and keeps the others, in their order", () => {
    const file = copyOfPage();
    writePage(file, run, order);
    const later = { ...run, date: "2026-02-03", command: "bench --only start", measured: [measured("start", 0.7)] };
    writePage(file, later, order);
    const page = readFileSync(file, "utf8");
    expect(page).toContain("`bench --only start`, 2026-02-03");
    expect(page).toContain("`ctl --help`: 0.7 s");
    expect(page).not.toContain("`ctl --help`: 0.2 s");
    expect(page).toContain("### stop\n\n`make bench`, 2026-01-02");
    expect(page.indexOf("### start")).toBeLessThan(page.indexOf("### stop"));
    expect(page.match(/^### /gm)).toHaveLength(2);
  });

  test("drops figures that are no more, and is refused without its markers", () => {
    const file = copyOfPage();
    writePage(file, run, order);
    writePage(file, { ...run, measured: [] }, ["stop"]);
    expect(readFileSync(file, "utf8")).not.toContain("### start");
    writeFileSync(file, "nothing");
    expect(() => writePage(file, run, order)).toThrow(/markers/);
  });
});

test("an unknown figure is refused with the names of those that exist", async () => {
  const ran = await runProgram(process.execPath, ["e2e/src/bench.ts", "--only", "speed"], { cwd: root });
  expect(ran.code).toBe(2);
  expect(ran.stderr).toMatch(/cli-start.*restore.*demo/);
  await expect(must(process.execPath, ["e2e/src/bench.ts", "--fast"], { cwd: root })).rejects.toThrow(/usage/);
});
