import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Results } from "../src/results.ts";

function fresh(): { results: Results; page: () => string } {
  const folder = mkdtempSync(path.join(tmpdir(), "e2e-results-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const page = path.join(folder, "page.md");
  return {
    results: new Results({ rows: path.join(folder, "rows.jsonl"), page }),
    page: () => readFileSync(page, "utf8"),
  };
}

describe("the page of results", () => {
  test("has a table per name, with the rows in the order in which they were recorded", () => {
    const { results, page } = fresh();
    results.record("b", { fault: "one", seconds: 1 });
    results.record("a", { moment: 0.5 });
    results.record("b", { fault: "two", seconds: 2 });
    results.finish("today");
    expect(page()).toContain("## b\n\ntoday.\n\n| fault | seconds |\n| --- | --- |\n| one | 1 |\n| two | 2 |\n");
    expect(page().indexOf("## a")).toBeLessThan(page().indexOf("## b"));
  });

  test("keeps the tables that a run did not record, and replaces those that it did", () => {
    const { results, page } = fresh();
    results.record("a", { n: 1 });
    results.record("b", { n: 1 });
    results.finish("first");
    results.record("b", { n: 2 });
    results.finish("second");
    expect(page()).toContain("## a\n\nfirst.\n\n| n |\n| --- |\n| 1 |");
    expect(page()).toContain("## b\n\nsecond.\n\n| n |\n| --- |\n| 2 |");
    expect(page().match(/^## /gm)).toHaveLength(2);
  });

  test("forgets what an interrupted run left, and refuses what would break the table", () => {
    const { results, page } = fresh();
    results.record("a", { n: 1 });
    results.begin();
    results.record("a", { n: 2 });
    results.finish("now");
    expect(page()).not.toContain("| 1 |");
    expect(() => results.record("a", { n: "1 | 2" })).toThrow(/pipe/);
  });
});
