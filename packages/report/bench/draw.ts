import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { type Report, toHtml } from "../src/index.ts";
import { startBrowser } from "../test/browser.ts";
import { abortedCanary, plainDeploy } from "../test/fixtures/reports.ts";
import { trafficOf } from "../test/fixtures/traffic.ts";

const runs = 9;

/** A canary of an hour: 720 moments in ten series. */
function longCanary(): Report {
  const report = abortedCanary();
  const traffic = trafficOf({
    from: "2025-10-28T07:00:00Z",
    to: "2025-10-28T08:00:00Z",
    rate: 100,
    weights: report.weights ?? [],
    versions: [
      { version: "20251028.1", role: "stable", errorRatio: 0.002, latency: 0.021 },
      { version: "20251028.2", role: "new", errorRatio: 0.2, latency: 0.024 },
    ],
  });
  return { ...report, traffic };
}

/** Milliseconds from the start of opening the page until its plots are drawn, each in a context of its own. */
async function timesToDraw(browser: Browser, file: string): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    await page.goto(pathToFileURL(file).href);
    times.push(await page.evaluate(() => performance.getEntriesByName("drawn")[0]?.startTime ?? Number.NaN));
    await context.close();
  }
  return times.toSorted((a, b) => a - b);
}

const directory = mkdtempSync(path.join(tmpdir(), "report-bench-"));
const browser = await startBrowser();
try {
  const rows: Record<string, object> = {};
  for (const [name, report] of Object.entries({ plain: plainDeploy(), canary: abortedCanary(), hour: longCanary() })) {
    const page = toHtml(report);
    const file = path.join(directory, `${name}.html`);
    writeFileSync(file, page);
    const times = await timesToDraw(browser, file);
    rows[name] = {
      "report.json, KB": (JSON.stringify(report).length / 1000).toFixed(1),
      "page, KB": (page.length / 1000).toFixed(1),
      "page gzipped, KB": (gzipSync(page).length / 1000).toFixed(1),
      "drawn after, ms (median)": times[Math.floor(runs / 2)]?.toFixed(0),
      "slowest, ms": times.at(-1)?.toFixed(0),
    };
  }
  console.table(rows);
} finally {
  await browser.close();
  rmSync(directory, { recursive: true });
}
