import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Report, toHtml } from "../src/index.ts";
import { startBrowser, violations } from "./browser.ts";
import * as fixtures from "./fixtures/reports.ts";
import { hostile, invisible } from "./hostile.ts";

const results = path.resolve(import.meta.dirname, "../test-results");
const pages = mkdtempSync(path.join(tmpdir(), "report-pages-"));
const cases: [name: string, make: () => Report][] = Object.entries(fixtures);
const widths = [390, 1280];
const schemes = ["light", "dark"] as const;

let browser: Browser;
beforeAll(async () => {
  mkdirSync(results, { recursive: true });
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(pages, { recursive: true });
});

interface Opened extends AsyncDisposable {
  page: Page;
  /** What the console and uncaught errors said. */
  complaints: string[];
  /** What the page asked the network for. */
  requests: string[];
}

/** Opens the report's page as the file that a person would open. */
async function open(
  report: Report,
  options: { width?: number; colorScheme?: "light" | "dark"; javaScript?: boolean } = {},
): Promise<Opened> {
  const { width = 1280, colorScheme = "light", javaScript = true } = options;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme,
    javaScriptEnabled: javaScript,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  const file = path.join(pages, `${crypto.randomUUID()}.html`);
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  writeFileSync(file, toHtml(report));
  await page.goto(pathToFileURL(file).href);
  return {
    page,
    complaints,
    requests: requests.filter((url) => !url.startsWith("file:") && !url.startsWith("data:")),
    [Symbol.asyncDispose]: () => context.close(),
  };
}

function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** The pixels of a plot, as red, green, blue, alpha for each, row by row. */
async function pixelsOf(page: Page, plot: string): Promise<{ width: number; data: Uint8ClampedArray }> {
  const { width, data } = await page.evaluate((id) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`#plot-${id} canvas`);
    if (canvas === null) throw new Error(`no plot ${id} is drawn`);
    // A copy, for reading the page's own canvas would change how it is kept.
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext("2d", { willReadFrequently: true });
    context?.drawImage(canvas, 0, 0);
    const { data } = context?.getImageData(0, 0, copy.width, copy.height) ?? { data: [] };
    let text = "";
    for (const byte of data) text += String.fromCharCode(byte);
    return { width: copy.width, data: btoa(text) };
  }, plot);
  return { width, data: new Uint8ClampedArray(Buffer.from(data, "base64")) };
}

/** In how many opaque colours a plot is drawn. */
async function coloursDrawn(page: Page, plot: string): Promise<number> {
  const { data } = await pixelsOf(page, plot);
  const colours = new Set<number>();
  for (let at = 0; at < data.length; at += 4)
    if ((data[at + 3] ?? 0) > 250)
      colours.add(((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0));
  return colours.size;
}

/** The columns of a plot in which the version's line is drawn, by its colour. */
async function lineColumns(page: Page, plot: string, role: "stable" | "new"): Promise<number[]> {
  const { width, data } = await pixelsOf(page, plot);
  const colour = await page.evaluate(
    (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),
    `--${role}`,
  );
  const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  const columns = new Set<number>();
  for (let at = 0; at < data.length; at += 4)
    if ((data[at + 3] ?? 0) > 150 && wanted.every((value, channel) => Math.abs((data[at + channel] ?? 0) - value) < 12))
      columns.add((at / 4) % width);
  return [...columns].toSorted((a, b) => a - b);
}

describe.each(cases)("the page of %s", (name, make) => {
  test.each(widths.flatMap((width) => schemes.map((scheme) => [width, scheme] as const)))(
    "at %i pixels, %s: nothing complains, runs over or asks the network, and axe finds no fault",
    async (width, colorScheme) => {
      await using opened = await open(make(), { width, colorScheme });
      const { page, complaints, requests } = opened;
      expect(await overflow(page)).toBe(0);
      await page.screenshot({ path: path.join(results, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      expect(await overflow(page)).toBe(0);
      expect(await violations(page)).toEqual([]);
      expect(complaints).toEqual([]);
      expect(requests).toEqual([]);
    },
  );

  test("stays below 150 KB without its data", () => {
    const report = make();
    expect(toHtml(report).length - rowsOf(toHtml(report))).toBeLessThan(150_000);
  });
});

/** The length of the tables of points, which grow with the data. */
function rowsOf(page: string): number {
  return [...page.matchAll(/<table class="points">.*?<\/table>/gs)].reduce((sum, [table]) => sum + table.length, 0);
}

describe("what it says", () => {
  test("the verdict comes first, then why, then what happened, and what next at the end", async () => {
    await using opened = await open(fixtures.abortedCanary());
    const { page } = opened;
    expect(await page.title()).toBe("Restored: myapp in test-rollback");
    expect(await page.locator("h1").innerText()).toMatch(
      /^↩ Restored\s+20251028\.2 answered 20 % of its requests with 5xx/,
    );
    expect(await page.locator("h2").allInnerTexts()).toEqual([
      "Why",
      "What changed",
      "Timeline",
      "Traffic by version",
      "Evidence",
      "What was restored, and how it was verified",
      "What next",
    ]);
    const deciding = page.locator(".card");
    await deciding.getByText("Query").click();
    for (const text of ["errorRatio", "20.4 %", "at most 5 %", 'status=~"5.."', "no data", "failureLimit (2)"])
      expect(await deciding.innerText()).toContain(text);
  });

  test("headings leave out no level", async () => {
    await using opened = await open(fixtures.abortedCanary());
    const levels = await opened.page
      .locator("h1,h2,h3,h4,h5,h6")
      .evaluateAll((all) => all.map((one) => Number(one.tagName[1])));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    for (const [index, level] of levels.entries()) expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1);
  });

  test("a deploy without Prometheus shows the pod's own words, and no empty section", async () => {
    await using opened = await open(fixtures.plainDeploy());
    const text = await opened.page.locator("main").innerText();
    expect(text).toContain("CrashLoop");
    expect(text).toContain('LOG_LEVEL: "verbose" is none of');
    expect(await opened.page.locator("h2", { hasText: "Traffic" }).count()).toBe(0);
    for (const section of await opened.page.locator("section").all())
      expect((await section.innerText()).length).toBeGreaterThan(30);
  });

  test("the least that a report can be is a page", async () => {
    await using opened = await open({
      schemaVersion: 1,
      kind: "rollback",
      release: "myapp",
      namespace: "default",
      startedAt: "2025-10-28T07:00:00Z",
      verdict: { result: "nothingToDo", summary: "myapp runs what was asked for." },
      timeline: [],
    });
    expect(await opened.page.locator("h1").innerText()).toContain("Nothing to do");
    expect(await violations(opened.page)).toEqual([]);
    expect(opened.complaints).toEqual([]);
  });

  test("all its words and numbers are there without JavaScript", async () => {
    await using opened = await open(fixtures.abortedCanary(), { javaScript: false });
    const text = await opened.page.locator("#traffic").textContent();
    expect(text).toContain("needs JavaScript");
    expect(text).toContain("no data");
    expect(await opened.page.locator("#plot-errors-table tbody tr").count()).toBe(30);
  });
});

describe("plots", () => {
  test("draw a gap where there is no data, and never a line through it", async () => {
    const report = fixtures.abortedCanary();
    const none = structuredClone(report);
    for (const series of none.traffic?.series ?? []) series.values = series.values.map(() => null);
    const zero = structuredClone(report);
    for (const series of zero.traffic?.series ?? []) series.values = series.values.map(() => 0);
    // The same but for the colours of the lines.
    await using without = await open(none);
    await using withZeros = await open(zero);
    expect(await lineColumns(without.page, "errors", "new")).toEqual([]);
    expect((await lineColumns(withZeros.page, "errors", "new")).length).toBeGreaterThan(500);
    expect(await without.page.locator("#plot-errors-key").innerText()).toContain("no data");

    await using opened = await open(report);
    const columns = await lineColumns(opened.page, "requests", "stable");
    const widest = Math.max(...columns.slice(1).map((column, index) => column - (columns[index] ?? 0)));
    // The outage of Prometheus spans two of 29 intervals and the one on each side of it.
    const { length, 0: first = 0, [length - 1]: last = 0 } = columns;
    expect(widest / (last - first)).toBeGreaterThan(2.5 / 29);
  });

  test("are in the colours of the scheme, and change with it", async () => {
    await using opened = await open(fixtures.abortedCanary(), { colorScheme: "light" });
    const { page } = opened;
    expect(await coloursDrawn(page, "errors")).toBeGreaterThan(3);
    const light = await page.locator("#plot-errors canvas").screenshot();
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await page.locator("#plot-errors canvas").screenshot();
    expect(dark.equals(light)).toBe(false);
  });

  test("go from moment to moment by keys and say the values of each", async () => {
    await using opened = await open(fixtures.abortedCanary());
    const { page } = opened;
    const slider = page.getByRole("slider", { name: "Error ratio: moment" });
    await slider.focus();
    await slider.press("Home");
    expect(await slider.getAttribute("aria-valuenow")).toBe("1");
    for (let press = 0; press < 15; press++) await slider.press("ArrowRight");
    const told = await slider.getAttribute("aria-valuetext");
    expect(told).toMatch(/^07:12:49, weight 10 %; stable 20251028\.1 [\d.]+ %; canary 20251028\.2 \d+(\.\d+)? %$/);
    expect(await page.locator("#plot-errors .moment").innerText()).toBe("at 07:12:49, weight 10 %");
    // The other plots go along.
    expect(await page.locator("#plot-latency .moment").innerText()).toBe("at 07:12:49, weight 10 %");
    await slider.press("Home");
    for (let press = 0; press < 9; press++) await slider.press("ArrowRight");
    expect(await slider.getAttribute("aria-valuetext")).toContain("stable 20251028.1 no data");
    await slider.press("End");
    expect(await slider.getAttribute("aria-valuenow")).toBe("30");
  });

  test("latency shows the percentile that has a limit first, and the others on demand", async () => {
    await using opened = await open(fixtures.abortedCanary());
    const { page } = opened;
    const pressed = page.locator('#plot-latency button[aria-pressed="true"]');
    expect(await pressed.innerText()).toBe("p95");
    await page.getByRole("button", { name: "p99" }).press("Enter");
    expect(await pressed.innerText()).toBe("p99");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("p99");
    expect(await coloursDrawn(page, "latency")).toBeGreaterThan(3);
  });

  test("everything that can be operated is reached by Tab, the skip link first", async () => {
    await using opened = await open(fixtures.abortedCanary());
    const { page } = opened;
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the report");
    const reached = new Set<string>();
    const next = () =>
      page.evaluate(() => document.activeElement?.getAttribute("role") ?? document.activeElement?.tagName ?? "");
    for (let at = await next(); at !== "BODY"; at = await next()) {
      reached.add(at);
      await page.keyboard.press("Tab");
    }
    expect(reached).toEqual(new Set(["A", "SUMMARY", "BUTTON", "slider"]));
  });

  test("are printed in light colours and as wide as the paper", async () => {
    await using opened = await open(fixtures.abortedCanary(), { colorScheme: "dark" });
    const { page } = opened;
    const dark = (await lineColumns(page, "errors", "new")).length;
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--surface"))).toMatch(
      /^#fff/,
    );
    expect((await lineColumns(page, "errors", "new")).length).toBeGreaterThan(dark / 3);
    const paper = 600;
    await page.setViewportSize({ width: paper, height: 900 });
    for (const canvas of await page.locator("canvas").all())
      expect((await canvas.boundingBox())?.width).toBeLessThanOrEqual(paper);
    expect(await overflow(page)).toBe(0);
    expect(await page.locator("summary:visible, nav:visible, button:visible").count()).toBe(0);
    await page.emulateMedia({ media: "screen", colorScheme: "dark" });
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    expect((await lineColumns(page, "errors", "new")).length).toBeGreaterThan(0);
    await page.pdf({ path: path.join(results, "abortedCanary.pdf"), format: "A4" });
    expect(opened.complaints).toEqual([]);
  });
});

describe("text of others", () => {
  test.each(widths)("stays text, at %i pixels", async (width) => {
    await using opened = await open(hostile(), { width });
    const { page, complaints, requests } = opened;
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    expect(await page.evaluate(() => "owned" in window)).toBe(false);
    expect(await page.locator("img, svg[onload], iframe, main script, main style, [onmouseover]").count()).toBe(0);
    expect(await page.locator("h1").count()).toBe(1);
    expect(await page.locator(".lines").first().textContent()).toContain(`<img src=x onerror="window.owned = 1">`);
    const text = (await page.locator("main").textContent()) ?? "";
    expect(invisible.filter((character) => text.includes(character))).toEqual([]);
    expect(await overflow(page)).toBe(0);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([]);
  });

  test("the page's policy refuses what would get in nonetheless", async () => {
    await using opened = await open(fixtures.plainDeploy());
    const { page, complaints } = opened;
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.owned = 1";
      const image = document.createElement("img");
      image.src = "http://127.0.0.1:9/x.png";
      image.setAttribute("onerror", "window.owned = 1");
      document.body.append(script, image);
    });
    const refused = await page.evaluate(() =>
      fetch("http://127.0.0.1:9/").then(
        () => false,
        () => true,
      ),
    );
    expect(refused).toBe(true);
    expect(await page.evaluate(() => "owned" in window)).toBe(false);
    expect(complaints.join("\n")).toMatch(/Content Security Policy/);
  });
});
