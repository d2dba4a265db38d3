/**
 * The main job on a real cluster, in one command: a good release under traffic at the router, a second one that takes
 * over step by step, then a bad one that is found and taken back; at the end the timeline, with the figures counted from
 * outside by k6. STRATEGY is `canary` (the default), which the verdict service judges, or `blueGreen`, by Prometheus.
 */
import { setTimeout as delay } from "node:timers/promises";
import { mkdir, writeFile } from "node:fs/promises";
import { drawTraffic } from "./picture.ts";
import { buildImages, buildVerdictImage, ctlTag, registry } from "./images.ts";
import { VerdictService } from "./verdict-service.ts";
import { World, chart, root } from "./world.ts";

const namespace = process.env["NS"] ?? "test-rollback";
const judge = `${namespace}-verdict`;
const release = process.env["RELEASE"] ?? "myapp";
const host = "demo.local";
const rate = 100;

const strategies = { canary: "canary.yaml", blueGreen: "blue-green.yaml" };
const strategy = process.env["STRATEGY"] ?? "canary";
if (!(strategy in strategies)) {
  process.stderr.write(
    `demo: there is no strategy "${strategy}"; set STRATEGY to ${Object.keys(strategies).join(" or ")}, or leave it out\n`,
  );
  process.exit(2);
}
const strategyValues = strategies[strategy as keyof typeof strategies];
const isCanary = strategy === "canary";

interface Report {
  result: string;
  summary: string;
  detectionSeconds?: number;
  restoreSeconds?: number;
  live?: { image: string; helmRevision: number };
  /** The page that says why. */
  report?: string;
  timeline: { at: string; seconds: number; what: string }[];
}

const startedAt = Date.now();
const steps = ["cluster", "images", "release v1", "release v2", "bad release v3"];
const happened: { at: number; what: string }[] = [];

function step(index: number, what: string): void {
  const elapsed = Math.round((Date.now() - startedAt) / 1000);
  process.stderr.write(`\n== ${index}/${steps.length} ${what} (${elapsed} s so far)\n`);
}

function mark(what: string): void {
  happened.push({ at: Date.now(), what });
}

step(1, "cluster: start it, or take the one that is there");
const world = await World.open({ addons: "rollout" });

step(2, `images: the app in three versions, the hooks'${isCanary ? ", and the verdict service's" : ""}`);
await buildImages(world, ["v1", "v2", "v3"], { show: true });
if (isCanary) await buildVerdictImage(world, { show: true });

const common = [
  ...["-n", namespace, "--release", release, "--chart", chart],
  ...["-f", `${chart}/ci/lab-values.yaml`, "-f", "e2e/values/demo/release.yaml"],
  ...["-f", `e2e/values/demo/${strategyValues}`, "--set", `hooks.image.tag=${ctlTag}`],
  ...VerdictService.valuesFor(judge),
];
const deploy = async (image: string, more: string[] = []) =>
  await world.ctl(["deploy", ...common, "--image", `${registry}/myapp:${image}`, "-o", "json", ...more], {
    show: true,
  });
const reportOf = (ran: { stdout: string }): Report => JSON.parse(ran.stdout) as Report;

step(3, "release v1: the first one, verified by its declared checks");
await world.namespace(namespace);
if (isCanary) await VerdictService.install(world, judge, namespace);
const first = await deploy("v1");
if (first.code !== 0) throw new Error(`v1 was not verified (exit code ${first.code}): ${first.stdout}`);

const load = await world.routerLoad(host, {
  scenario: "failure",
  rate,
  duration: "5m",
  paths: ["/version", "/feature/new"],
});
mark(`k6 sends ${rate} requests/s to the router, for /version and /feature/new`);

step(4, `release v2: a good one (${strategy}), under ${rate} requests/s`);
mark("v2 is deployed");
const second = await deploy("v2");
if (second.code !== 0) throw new Error(`v2 was not verified (exit code ${second.code}): ${second.stdout}`);
mark("v2 is verified");
await delay(2_000);

step(5, "bad release v3: the new feature is switched on, and answers some requests with 500");
const badAt = Date.now();
mark("v3 is deployed: FEATURE_NEW=true");
const bad = await deploy("v3", ["--set-string", "flags.FEATURE_NEW=true"]);
const report = reportOf(bad);
for (const { at, what } of report.timeline)
  happened.push({ at: Date.parse(at), what: `  ctl: ${what.split("\n")[0]}` });
mark(bad.code === 5 ? "v2 serves again, verified" : `exit code ${bad.code}`);
await delay(2_000);
const traffic = await load.stop();

const failedOfBad = traffic.series
  .filter((point) => point.version === "v3" && point.status >= 400)
  .reduce((sum, point) => sum + point.count, 0);

const picture = `${root}/artifacts/demo.svg`;
await mkdir(`${root}/artifacts`, { recursive: true });
const shown = happened.filter(({ what }) => !what.startsWith("  ") && !what.startsWith("k6"));
await writeFile(picture, drawTraffic(traffic, shown, "Requests per second by the version that answered"));

const zero = happened[0]?.at ?? startedAt;
const lines = happened
  .sort((a, b) => a.at - b.at)
  .map(({ at, what }) => `  ${((at - zero) / 1000).toFixed(1).padStart(6)} s  ${what}`);
process.stdout.write(`
Timeline
${lines.join("\n")}

  ${report.summary.split("\n")[0]}

  bad release found after    ${(report.detectionSeconds ?? NaN).toFixed(1)} s
  restored and verified in   ${(report.restoreSeconds ?? NaN).toFixed(1)} s more
  whole, by the clock        ${((Date.now() - badAt) / 1000).toFixed(1)} s
  requests                   ${traffic.totals.requests}
  failed requests            ${traffic.totals.failed} (${failedOfBad} of them answered by v3)
  dropped by k6              ${traffic.totals.dropped}
  picture                    artifacts/demo.svg
  page that says why         ${report.report ?? "none was written"}

Look around: eval "$(make env)"; pnpm ctl status -n ${namespace}; pnpm ctl history -n ${namespace}
Remove all of it: make down
`);
if (bad.code !== 5) {
  process.stderr.write(`demo: the bad release ended with exit code ${bad.code} instead of 5\n`);
  process.exitCode = 1;
}
