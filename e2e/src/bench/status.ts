import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { release } from "../app-release.ts";
import { startBrowser } from "../browser.ts";
import { buildImages } from "../images.ts";
import { rolloutArguments, values } from "../rollout-release.ts";
import { run } from "../run.ts";
import { root, World } from "../world.ts";
import { Canary, byPrometheus, failsTestedPath, randomPaths } from "./canary.ts";
import type { Bench, Figure, Row } from "./figure.ts";
import { inPairs, median, pairedRatio, timed } from "./measure.ts";

const pairs = 10;
const pageGoalBytes = 250 * 1024;
const ctl = path.join(root, "packages/ctl/dist/ctl.mjs");

/** What a person waits for who wants to know how a rollout is doing. */
export const status: Figure = {
  name: "status",
  seconds: 4 * 60,
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", "v2", "v3"]);
    return [...(await measureCommands(world, bench)), ...(await measurePage(world, bench))];
  },
};

/** On a canary with traffic that waits at its first weight, watched all the time. */
export async function measureCommands(world: World, { note }: Pick<Bench, "note">): Promise<Row[]> {
  const steps = [{ setWeight: 10 }, { pause: { seconds: 1800 } }];
  await using canary = await Canary.install(world, "bench-status", {
    ...byPrometheus,
    flags: [...byPrometheus.flags, "--set-json", `rollout.canary.steps=${JSON.stringify(steps)}`],
  });
  await canary.startTraffic(randomPaths(0, "status"), 1800);
  const stable = await canary.stableHash();
  await canary.upgrade("v2");
  await canary.untilTested(stable);
  note("status: the canary has its first weight");
  const where = ["-n", canary.namespace];
  const kubectl = () => timed("kubectl", ["get", "rollout", release, ...where], world.env, root);
  const asked = await inPairs(pairs, () => firstOutput(world, ["status", ...where]), kubectl);
  const watched = await inPairs(pairs, () => firstOutput(world, ["get", "--watch", ...where]), kubectl);
  return [
    against("the state of a live rollout", "ctl status", asked),
    against("the first line of a live rollout", "ctl get --watch", watched),
  ];
}

function against(what: string, command: string, { subject, baseline }: { subject: number[]; baseline: number[] }): Row {
  return {
    what,
    subject: { command, unit: "s", values: subject },
    baseline: { command: `kubectl get rollout ${release}`, unit: "s", values: baseline },
    ratio: pairedRatio(subject, baseline, "times the baseline"),
  };
}

/** Seconds until ctl has said something; what goes on then is interrupted. */
async function firstOutput(world: World, args: string[]): Promise<number> {
  const startedAt = performance.now();
  let first: number | undefined;
  let pid: number | undefined;
  const ran = await run(process.execPath, [ctl, ...args], {
    cwd: root,
    env: { ...world.env, CI: "1" },
    onStart: (started) => (pid = started),
    onStderr: () => {
      if (first !== undefined) return;
      first = (performance.now() - startedAt) / 1000;
      if (pid !== undefined) process.kill(pid, "SIGINT");
    },
  });
  // Done, going on, interrupted: anything else would be the time of an error.
  if (![0, 4, 130].includes(ran.code ?? -1) || (first === undefined && !ran.stdout.includes(release)))
    throw new Error(`ctl ${args.join(" ")} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
  return first ?? ran.seconds;
}

/** The page about a canary that was taken back under traffic. */
export async function measurePage(world: World, { note }: Pick<Bench, "note">): Promise<Row[]> {
  const namespace = "bench-page";
  const folder = await mkdtemp(path.join(tmpdir(), "safe-deploy-page-"));
  const browser = await startBrowser();
  try {
    const deploy = (version: string, more: string[]) =>
      world.ctl(rolloutArguments(namespace, version, [...values("rollout-analysed"), "--timeout", "280s", ...more]));
    await world.namespace(namespace);
    const first = await deploy("v1", ["--report", path.join(folder, "first")]);
    if (first.code !== 0) throw new Error(`v1 was not verified (exit code ${first.code}): ${first.stderr}`);
    const load = await world.routerLoad(`${namespace}.local`, {
      scenario: "failure",
      rate: 50,
      duration: "10m",
      paths: randomPaths(0.5, "page"),
    });
    await delay(15_000);
    const bad = await deploy("v3", [...failsTestedPath, "--report", path.join(folder, "bad")]);
    await load.stop();
    if (bad.code !== 5) throw new Error(`v3 was not taken back (exit code ${bad.code}): ${bad.stderr}`);
    note("status: the page is written");

    const page = path.join(folder, "bad/report.html");
    const empty = path.join(folder, "empty.html");
    await writeFile(empty, "<!doctype html><title>empty</title><p>empty");
    const { size } = await stat(page);
    const drawn = await inPairs(
      pairs,
      () => secondsToDraw(browser, page, 3),
      () => secondsToDraw(browser, empty, 0),
    );
    const bytes = { median: size / pageGoalBytes, min: size / pageGoalBytes, max: size / pageGoalBytes };
    return [
      {
        what: "size of the page about a canary that was taken back",
        subject: { command: "the page", unit: "bytes", values: [size] },
        baseline: { command: "the goal", unit: "bytes", values: [pageGoalBytes] },
        ratio: { ...bytes, reads: "of the goal" },
        goal: { text: `at most ${pageGoalBytes / 1024} KiB`, isMet: size <= pageGoalBytes },
        note: "with its script, its style and its data",
      },
      {
        what: "drawing that page, with its plots",
        subject: { command: "the page", unit: "s", values: drawn.subject },
        baseline: { command: "an empty page", unit: "s", values: drawn.baseline },
        ratio: pairedRatio(drawn.subject, drawn.baseline, "times the baseline"),
        note: `in headless Chromium; ${((median(drawn.subject) - median(drawn.baseline)) * 1000).toFixed(0)} ms more than an empty page`,
      },
    ];
  } finally {
    await browser.close();
    await world.removeNamespace(namespace);
    await world.namespaceGone(namespace);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Seconds from opening a file to the picture on the screen. */
async function secondsToDraw(browser: Browser, file: string, plots: number): Promise<number> {
  await using context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const startedAt = performance.now();
  await page.goto(pathToFileURL(file).href);
  // The second of two frames begins when the first has been drawn.
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  const seconds = (performance.now() - startedAt) / 1000;
  const found = await page.locator("canvas").count();
  if (found !== plots) throw new Error(`${file} has ${found} plots instead of ${plots}`);
  return seconds;
}
