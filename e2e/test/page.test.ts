import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { resources, waitUntil } from "@safe-deploy/kube";
import type { LoadResult } from "@safe-deploy/load";
import type { Report as Page } from "@safe-deploy/report";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPage, overflowOf, startBrowser } from "../src/browser.ts";
import { rolloutArguments, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { root, World } from "../src/world.ts";

const namespace = "page-e2e";
const artifacts = path.join(root, "artifacts");
let world: World;
let browser: Browser;
let folder: string;
let attempt = 0;

/** A content of its own for each attempt: one that was judged bad before is another case. */
function deploy(version: string, report: string, more: string[] = []): Promise<Ran> {
  const own = ["--set-string", `config.ATTEMPT=${++attempt}`, "--timeout", "240s", "--report", report];
  return world.ctl(rolloutArguments(namespace, version, [...values("rollout-analysed"), ...own, ...more]));
}

function readReport(report: string): Page {
  return JSON.parse(readFileSync(path.join(report, "report.json"), "utf8")) as Page;
}

beforeAll(async () => {
  mkdirSync(artifacts, { recursive: true });
  folder = await mkdtemp(path.join(tmpdir(), "reports-"));
  browser = await startBrowser();
  world = await World.attach();
  await world.namespace(namespace);
  const first = await deploy("v1", path.join(folder, "first"));
  expect(first.code, words(first)).toBe(0);
});

afterAll(async () => {
  await browser?.close();
  await world?.removeNamespace(namespace);
  await rm(folder, { recursive: true, force: true });
});

/** Until the router sends requests to the canary. */
async function untilCanary(): Promise<void> {
  await waitUntil(
    world.kube,
    { rollouts: { resource: resources.Rollout, namespace } },
    { what: "a canary with weight 10", timeoutMs: 120_000 },
    ({ rollouts }) => (rollouts[0]?.status?.canary?.weights?.canary.weight === 10 ? true : undefined),
  );
}

/** The first line of `ctl watch --web`, and its exit code. */
function watchWeb(): { url: Promise<string>; interrupt: () => void; exit: Promise<number | null> } {
  const child = spawn(
    process.execPath,
    [path.join(root, "packages/ctl/dist/ctl.mjs"), "watch", "--web", "-n", namespace, "--timeout", "240s"],
    { env: { ...world.env, CI: "1" }, stdio: ["ignore", "ignore", "pipe"] },
  );
  const lines = createInterface({ input: child.stderr });
  return {
    url: new Promise((resolve, reject) => {
      lines.once("line", resolve);
      child.once("close", () => reject(new Error("ctl watch ended before it served anything")));
    }),
    interrupt: () => child.kill("SIGINT"),
    exit: new Promise((resolve) => child.once("close", resolve)),
  };
}

describe("the page about a canary that is taken back under traffic", () => {
  const report = () => path.join(folder, "taken-back");
  let liveResults: string[];
  let seenFromOutside: LoadResult["totals"];

  beforeAll(async () => {
    const load = await world.routerLoad(`${namespace}.local`, {
      scenario: "failure",
      rate: 50,
      duration: "5m",
      paths: ["/version", "/api/v1/version"],
    });
    // The plots show what was normal before.
    await delay(15_000);
    const running = deploy("v3", report(), [
      "--set-string",
      "config.FAULT_ERRORS=GET /version=0.5\\,GET /api/v1/version=0.5",
    ]);
    liveResults = await followLivePage();
    const ran = await running;
    ({ totals: seenFromOutside } = await load.stop());
    expect(ran.code, words(ran)).toBe(5);
    expect(JSON.parse(ran.stdout)).toMatchObject({ report: path.join(report(), "report.html") });
  });

  /** The words that the live page's heading had, until the rollout ended. */
  async function followLivePage(): Promise<string[]> {
    await untilCanary();
    const watching = watchWeb();
    const interrupted = watchWeb();
    await using opened = await openPage(browser, await watching.url, { width: 1280 });
    const seen = [await opened.page.title()];
    await opened.page.exposeFunction("noteTitle", (title: string) => seen.push(title));
    await opened.page.evaluate(
      `new MutationObserver(() => noteTitle(document.title)).observe(document.querySelector("title"), { childList: true })`,
    );
    await interrupted.url;
    interrupted.interrupt();
    expect(await interrupted.exit).toBe(130);
    expect(await watching.exit).toBe(6);
    await opened.page.screenshot({ path: path.join(artifacts, "page-live.png"), fullPage: true });
    seen.push(await opened.page.title());
    expect(opened.complaints.filter((text) => !text.includes("ERR_CONNECTION_REFUSED"))).toEqual([]);
    return seen;
  }

  test("names the metric that decided, with its numbers and its query", () => {
    const { verdict, analysis = [] } = readReport(report());
    expect(verdict).toMatchObject({ result: "restored", exit: 5, code: "CTL_E_FAILED_RESTORED" });
    expect(verdict.because).toContain("error-ratio");
    const deciding = analysis.filter((metric) => metric.deciding);
    expect(deciding).toHaveLength(1);
    expect(deciding[0]).toMatchObject({ name: expect.stringContaining("error-ratio") as string, phase: "Failed" });
    expect(deciding[0]?.query).toContain("http_requests_total");
    expect(deciding[0]?.threshold?.max).toBeGreaterThan(0);
    expect(deciding[0]?.measurements?.at(-1)?.value).toBeGreaterThan(deciding[0]?.threshold?.max ?? Infinity);
  });

  test("has series of both versions, and the canary's alone has errors", () => {
    const { traffic } = readReport(report());
    const values = (role: string, metric: string) =>
      traffic?.series
        .filter((one) => one.role === role && one.metric === metric)
        .flatMap((one) => one.values.filter((value) => value !== null)) ?? [];
    for (const metric of ["requestRate", "errorRatio", "latencyP95"]) {
      expect(values("stable", metric).length, `stable ${metric}`).toBeGreaterThan(10);
      expect(values("new", metric).length, `new ${metric}`).toBeGreaterThan(2);
    }
    expect(Math.max(...values("stable", "errorRatio"))).toBe(0);
    expect(Math.max(...values("new", "errorRatio"))).toBeGreaterThan(0.2);
  });

  test("counts the requests that each version answered: the canary's alone failed", () => {
    const { figures } = readReport(report());
    const [stable, canary] = figures?.requestsByVersion ?? [];
    expect(stable).toMatchObject({ version: "v1", role: "stable", failedRequests: 0 });
    expect(canary).toMatchObject({ version: "v3", role: "new" });
    expect(canary?.failedRequests).toBeGreaterThan(0);
    expect(canary?.failedRequests).toBeLessThan(canary?.requests ?? 0);
    expect(stable?.requests).toBeGreaterThan(canary?.requests ?? Infinity);
    expect(figures?.failedRequests).toBe(canary?.failedRequests);
    // Nobody else asks the canary for these, and what is counted is never more than what was answered.
    expect(canary?.failedRequests).toBeLessThanOrEqual(seenFromOutside.failedByVersion["v3"] ?? 0);
    expect(canary?.requests).toBeLessThanOrEqual(seenFromOutside.byVersion["v3"] ?? 0);
  });

  test("says where the weight went, what was restored and how it was verified", () => {
    const { weights = [], restored, verification, timeline, versions } = readReport(report());
    expect(weights.map(({ weight }) => weight)).toEqual([0, 10, 0]);
    expect(versions?.map(({ version, role }) => [version, role])).toEqual([
      ["v1", "stable"],
      ["v3", "new"],
    ]);
    expect(restored?.version).toBe("v1");
    expect(verification?.checks.map(({ name, outcome }) => [name, outcome])).toEqual([
      ["health", "passed"],
      ["new feature", "passed"],
    ]);
    expect(timeline.map(({ mark }) => mark).filter((mark) => mark !== undefined)).toEqual(
      expect.arrayContaining(["deploy", "10 %", "aborted", "restored"]),
    );
  });

  test.each([
    { width: 390, colorScheme: "light" },
    { width: 390, colorScheme: "dark" },
    { width: 1280, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
  ] as const)("fits $width pixels in $colorScheme colours, without a complaint", async (o) => {
    await using opened = await openPage(browser, path.join(report(), "report.html"), o);
    const { page, complaints } = opened;
    await page.screenshot({ path: path.join(artifacts, `page-${o.width}-${o.colorScheme}.png`), fullPage: true });
    expect(complaints).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
    expect(await page.locator("canvas").count()).toBe(3);
    expect(await page.locator("main").innerText()).toContain("error-ratio");
  });

  test("was live while the canary ran, and ended with it", () => {
    expect(liveResults[0]).toBe(`Running: myapp in ${namespace}`);
    expect(liveResults.at(-1)).toBe(`Failed: myapp in ${namespace}`);
  });
});
