import { describe, expect, test } from "vitest";
import { type Report, toMarkdown } from "../src/index.ts";
import * as fixtures from "./fixtures/reports.ts";
import { hostile, invisible } from "./hostile.ts";

const bare: Report = {
  schemaVersion: 1,
  kind: "deploy",
  release: "myapp",
  namespace: "default",
  startedAt: "2025-10-28T07:00:00Z",
  verdict: { result: "verified", summary: "It runs." },
  timeline: [],
};

describe("the Markdown", () => {
  test("tells verdict, why, what changed, what happened, evidence, what was restored, what next", () => {
    const text = toMarkdown(fixtures.abortedCanary());
    expect(text.split("\n")[0]).toBe(
      "## ↩ Restored: 20251028.2 answered 20 % of its requests with 5xx; 20251028.1 serves alone again.",
    );
    expect([...text.matchAll(/^### (.*)$/gm)].map(([, title]) => title)).toEqual([
      "Why",
      "What changed",
      "Timeline",
      "Traffic by version",
      "Evidence",
      "What was restored, and how it was verified",
      "What next",
    ]);
    expect(text).toContain(
      "Deploy of myapp in test-rollback on lab · canary, split by traefik · 28 Oct 2025, 07:12:04 UTC · took 1 min 48 s · found after 45 s · restored after 23.4 s · 94 of 10,812 requests failed · exit code 5 · AnalysisFailed",
    );
    expect(text).toContain("✗ failed `errorRatio`: **20.4 %**, asked for: at most 5 %");
    expect(text).toContain("| 07:12:56 | no data | ? inconclusive |");
    expect(text).toContain("| Flag FEATURE\\_NEW | `false` | `true` |");
    expect(text).toContain("| Secret DB\\_DSN | (not shown) | (not shown) |");
    expect(text).toContain("| 07:13:27 | +1:23 | ✗ Aborted: errorRatio failed 3 measurements, 2 are allowed |");
    expect(text).toContain("```sh\nctl history -n test-rollback\n```");
  });

  test("has no section without content", () => {
    expect(toMarkdown(bare)).toBe(
      "## ✓ Verified: It runs.\n\nDeploy of myapp in default · 28 Oct 2025, 07:00:00 UTC\n",
    );
  });

  test("does not take silence for a passed check", () => {
    expect(toMarkdown({ ...bare, verification: { checks: [] } })).toContain("No check ran.");
  });

  test("tells every declared check of a version that they refused", () => {
    const text = toMarkdown({
      ...bare,
      rejectedBy: {
        version: "v2",
        checks: [
          { name: "health", outcome: "passed", detail: "1 of 1 request passed" },
          { name: "new feature", outcome: "failed", detail: "status is 500, not 2xx" },
        ],
      },
    });
    expect(text).toContain("1 of 2 checks of v2 passed:");
    expect(text).toMatch(/\| new feature \| ✗ \w+ \| status is 500, not 2xx \|/);
  });

  test("tells the requests by version, or why nobody counted them", () => {
    expect(toMarkdown(fixtures.abortedCanary())).toContain("| 20251028.2 (canary) | 312 | 94 (30.1 %) |");
    expect(toMarkdown({ ...bare, figures: { uncounted: "Prometheus: forbidden" } })).toContain(
      "The requests were not counted. Prometheus: forbidden",
    );
  });

  test("every table keeps its columns whatever its cells hold", () => {
    const lines = toMarkdown(hostile()).split("\n");
    const tables = lines.flatMap((line, index) => (line.startsWith("| --- ") ? [index] : []));
    expect(tables.length).toBeGreaterThan(4);
    for (const rule of tables) {
      const columns = cellsOf(lines[rule] ?? "");
      for (let row = rule - 1; lines[row]?.startsWith("| ") === true; row++)
        expect(cellsOf(lines[row] ?? ""), lines[row]?.slice(0, 200)).toBe(columns);
    }
  });

  test("text of others becomes neither markup nor HTML, link, picture, mention or heading", () => {
    const outside = outsideOfCode(toMarkdown(hostile()));
    expect(outside.replaceAll(/<\/?details>|<\/?summary>/g, "")).not.toMatch(/[<>]/);
    expect(outside).not.toMatch(/(?<!\\)!?\[/);
    expect(outside).not.toMatch(/(^|\W)@\w/);
    expect(outside).not.toMatch(/https?:\/\/evil/);
    expect([...outside.matchAll(/^#+ .*$/gm)].map(([heading]) => heading.slice(0, 12))).toEqual([
      "## ↩ Restore",
      "### Why",
      "### What cha",
      "### Timeline",
      "### Traffic ",
      "### Evidence",
      "### What was",
      "### What nex",
    ]);
    expect(invisible.filter((character) => toMarkdown(hostile()).includes(character))).toEqual([]);
  });

  test("a block of code outlasts the backticks in it", () => {
    const text = toMarkdown({
      ...bare,
      fault: { kind: "CrashLoop", subject: "Pod/a", message: "before\n```\n# out\n````\nafter" },
    });
    expect(text).toContain("`````\nbefore\n```\n# out\n````\nafter\n`````");
  });
});

/** Cells between bars that are not escaped. */
function cellsOf(line: string): number {
  return line.split(/(?<!\\)\|/).length - 2;
}

/** The text without blocks of code and inline code. */
function outsideOfCode(text: string): string {
  return text
    .replaceAll(/^(`{3,})\w*\n[\s\S]*?\n\1$/gm, "")
    .replaceAll(/(?<![\\`])(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, "");
}
