import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { countByVersion, type Load, type LoadResult } from "@safe-deploy/load";
import type { Report as Page } from "@safe-deploy/report";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inFullRun } from "../src/full-run.ts";
import { image } from "../src/app-release.ts";
import { verdictTag } from "../src/images.ts";
import { parseReport } from "../src/report.ts";
import { recordRow } from "../src/results.ts";
import { rolloutArguments, type Routing, routing, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { startServer } from "../src/small-server.ts";
import { type SeenAttempt, VerdictService } from "../src/verdict-service.ts";
import { World } from "../src/world.ts";

// The sequential engine: the verdict service reads the pods of both versions each second, and Argo Rollouts asks it.

const namespace = "e2e-sequential";
const host = `${namespace}.local`;
const rate = 100;
let world: World;
let service: VerdictService;
let before: Routing;
let folder: string;
let content = 0;

/** A content of its own for each deploy: one that was judged bad before is another case. */
async function deploy(version: string, more: string[] = []): Promise<Ran> {
  const own = ["--set-string", `config.CONTENT=${++content}`, "--timeout", "240s"];
  return await world.ctl(
    rolloutArguments(namespace, version, [...values("sequential"), ...service.values, ...own, ...more]),
  );
}

async function startTraffic(paths: string[] = ["/version"]): Promise<Load> {
  const load = await world.routerLoad(host, { scenario: "failure", rate, duration: "5m", paths });
  await delay(2_000);
  return load;
}

async function underTraffic(version: string, more: string[] = []): Promise<{ ran: Ran; traffic: LoadResult }> {
  const load = await startTraffic();
  const ran = await deploy(version, more);
  // The router takes up to two seconds to follow.
  await delay(2_000);
  return { ran, traffic: await load.stop() };
}

const failing = (share: number) => ["--set-string", `config.FAULT_ERRORS=GET /version=${share}`];

/** Metrics at a port at which nobody listens. */
const unreadable = ["--set", "ports.nothing=9999,metrics.port=nothing"];

/** Prometheus is told the right one. */
const readableForPrometheus = [
  ...["--set", "metrics.annotations=false"],
  ...Object.entries({ scrape: "true", port: "8080", path: "/metrics" }).flatMap(([key, value]) => [
    "--set-string",
    `podAnnotations.prometheus\\.io/${key}=${value}`,
  ]),
];

async function attemptThat(holds: (attempt: SeenAttempt) => boolean): Promise<SeenAttempt> {
  let seen: SeenAttempt | undefined;
  await expect
    .poll(
      async () => {
        seen = await service.attempt().catch(() => undefined);
        return seen !== undefined && holds(seen);
      },
      { timeout: 120_000, interval: 500 },
    )
    .toBe(true);
  return seen!;
}

async function expectUntouched(): Promise<void> {
  expect(await routing(world, namespace)).toEqual(before);
}

function record(what: string, ran: Ran, traffic?: LoadResult): void {
  const { fault, summary } = parseReport(ran);
  recordRow("A canary that the sequential engine judges, at weight 10 and 100 requests/s", {
    version: what,
    "exit code": ran.code ?? "a signal",
    "requests that failed": traffic === undefined ? "" : (countByVersion(traffic.series)["v3"]?.failed ?? 0),
    seconds: Math.round(ran.seconds),
    message: ((fault?.message ?? summary).split("\n")[0] ?? "").replaceAll("|", "/"),
  });
}

beforeAll(async () => {
  world = await World.attach();
  folder = await mkdtemp(path.join(tmpdir(), "reports-"));
  await world.namespace(namespace);
  service = await VerdictService.install(world, "e2e-verdict", namespace);
  const first = await deploy("v1");
  expect(first.code, words(first)).toBe(0);
});

afterAll(async () => {
  await service?.remove();
  await world?.removeNamespace(namespace);
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  before = await routing(world, namespace);
});

test("a good version passes every gate, although the service is killed in the middle", async () => {
  const load = await startTraffic();
  const deploying = deploy("v2");
  const seen = await attemptThat(({ ended, totals }) => ended === null && totals.canary.requests > 50);
  await service.kill();
  const again = await attemptThat(({ totals }) => totals.canary.requests > seen.totals.canary.requests);
  expect(again).toMatchObject({ attempt: seen.attempt, startedAt: seen.startedAt });
  const ran = await deploying;
  const { totals } = await load.stop();
  expect(ran.code, words(ran)).toBe(0);
  expect(await routing(world, namespace)).toMatchObject({ image: image("v2"), isStable: true, canaryWeight: 0 });
  expect(totals.failed, JSON.stringify(totals)).toBe(0);
  expect(await attemptThat(({ ended }) => ended !== null)).toMatchObject({
    attempt: seen.attempt,
    ended: { how: "promoted" },
  });
  // What its traffic and its looks were tells the next deploy what a budget allows.
  const [, ...next] = rolloutArguments(namespace, "v3", [...values("sequential"), ...service.values]);
  const told = await world.ctl(["preflight", ...next, "--set", "analysis.sequential.policy.budget=100"]);
  expect(told.code, words(told)).toBe(0);
  expect(told.stdout).toMatch(/at most 100 bad requests with 99 % for faults of 2 % or more, while the weight is/);
  const refused = await world.ctl(["preflight", ...next, "--set", "analysis.sequential.policy.budget=5"]);
  expect(refused.code, words(refused)).toBe(3);
  expect(refused.stdout).toMatch(/5 bad requests cannot be kept .* Feasible: /);
});

test("a version that fails every request is taken back at its first weight, after few of them", async () => {
  const report = path.join(folder, "taken-back");
  const { ran, traffic } = await underTraffic("v3", [...failing(1), "--report", report]);
  expect(ran.code, words(ran)).toBe(5);
  const { result, fault } = parseReport(ran);
  expect(result).toBe("restored");
  expect(fault?.message).toMatch(/sequential says fail: the new version is bad: \d+ of \d+ \(100 %\) requests failed/);
  await expectUntouched();
  const bad = countByVersion(traffic.series)["v3"]?.failed ?? 0;
  expect(bad).toBeGreaterThan(0);
  expect(traffic.totals.failedByVersion, JSON.stringify(traffic.totals)).toEqual({ v3: bad });
  // At weight 10 it gets ten a second: thirty seconds of them would be no quick end.
  expect(bad).toBeLessThan(300);
  const { canary, ended, answer, path: looks } = await service.attempt();
  expect(ended).toMatchObject({ how: "aborted" });
  expect(answer).toMatchObject({ verdict: "fail", weight: 10, source: "pods" });
  expect(looks.length).toBeGreaterThan(1);
  expect(canary).not.toBe(before.stable);
  // The page draws the evidence as it grew, up to the boundary that decided.
  const page = JSON.parse(readFileSync(path.join(report, "report.json"), "utf8")) as Page;
  const curve = page.analysis?.find(({ name }) => name === "evidence, errors: bad from the start");
  expect(curve).toMatchObject({ phase: "Failed", threshold: { max: expect.any(Number) } });
  expect(curve?.measurements?.at(-1)?.value).toBeGreaterThanOrEqual(curve?.threshold?.max ?? Infinity);
  record("100 % errors", ran, traffic);
});

test("with both engines it only says that it would fail, and finds that again when it is killed", async () => {
  const load = await startTraffic();
  const ran = await deploy("v3", [...values("sequential-watched"), ...failing(1)]);
  expect(ran.code, words(ran)).toBe(7);
  const failed = await attemptThat(({ answer }) => answer?.verdict === "fail");
  await load.stop();
  // Argo Rollouts asked, was told, and did nothing.
  await expect
    .poll(
      async () => {
        const runs = await world.kubectl(["get", "analysisruns", "-n", namespace, "-o", "json"]);
        return runs.stdout.includes('"dryRun": true') && runs.stdout.includes('\\"verdict\\":\\"fail\\"');
      },
      { timeout: 60_000 },
    )
    .toBe(true);
  expect(await routing(world, namespace)).toMatchObject({ canaryWeight: 10, stable: before.stable });
  await service.kill();
  const again = await service.verdict(failed.canary);
  expect(again).toMatchObject({ verdict: "fail", attempt: failed.attempt, reason: failed.answer?.reason });
  const back = await world.ctl(["rollback", "-n", namespace, "-o", "json"]);
  expect(back.code, words(back)).toBe(0);
  await expectUntouched();
});

test("empty answers of whatever stands in the service's place never promote", async () => {
  const program = "require('node:http').createServer((request, response) => response.end()).listen(8080);";
  const url = await startServer(world, namespace, { name: "empty-answers", port: 8080, program });
  const ran = await deploy("v3", ["--set", `analysis.sequential.service.url=${url}`]);
  expect(ran.code, words(ran)).toBe(5);
  expect(parseReport(ran).fault?.message).toContain('passed without a verdict: it was told ""');
  await expectUntouched();
  record("empty answers, a good version", ran);
});

describe.each(inFullRun)("and all the rest (%s):", () => {
  test.each([0.2, 0.05])("a version that fails %d of its requests is taken back at its first weight", async (share) => {
    const { ran, traffic } = await underTraffic("v3", failing(share));
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).fault?.message).toContain("sequential says fail");
    await expectUntouched();
    record(`${share * 100} % errors`, ran, traffic);
  });

  test("an outage of both versions takes none back, and the good one passes when it is over", async () => {
    const load = await startTraffic();
    const deploying = deploy("v3");
    await attemptThat(({ ended, totals }) => ended === null && totals.canary.requests > 50);
    const bad = await world.routerLoad(host, {
      scenario: "failure",
      rate: 60,
      duration: "20s",
      paths: ["/api/v1/version"],
    });
    await delay(15_000);
    const failed = (await bad.stop()).totals.failed;
    const ran = await deploying;
    await load.stop();
    expect(failed).toBeGreaterThan(300);
    expect(ran.code, words(ran)).toBe(0);
    expect(await routing(world, namespace)).toMatchObject({ image: image("v3"), isStable: true });
    record(`an outage of both versions, ${failed} requests`, ran);
  });

  test("a gate with too few requests waits and says how many are missing; k6 sends them, and counts the same", async () => {
    const trickle = await world.routerLoad(host, { scenario: "baseline", rate: 2, duration: "5m" });
    const deploying = deploy("v3");
    const waiting = await attemptThat(({ ended, answer }) => ended === null && (answer?.n ?? 0) > 0);
    expect(waiting.answer).toMatchObject({ verdict: "continue", weight: 10 });
    expect(waiting.answer?.reason).toMatch(/at least \d+ more requests are needed to rule out 2 %/);
    const headers = { "x-canary": "true" };
    const witness = await world.routerLoad(host, { scenario: "baseline", rate: 20, duration: "5m", headers });
    const ran = await deploying;
    expect(ran.code, words(ran)).toBe(0);
    const { totals } = await attemptThat(({ ended }) => ended !== null);
    const seen = [await trickle.stop(), await witness.stop()].map(({ series }) => countByVersion(series)["v3"]);
    expect(seen.map((own) => own?.failed)).toEqual([0, 0]);
    // k6 goes on for a moment after the last look of the service, which asks for 198 at each of the two weights.
    const sent = seen.reduce((sum, own) => sum + (own?.requests ?? 0), 0);
    expect(totals.canary.requests).toBeGreaterThanOrEqual(2 * 198);
    expect(totals.canary.requests).toBeLessThanOrEqual(sent);
    record(`a good one at 2 requests/s, and ${sent} requests of k6 in all`, ran);
  });

  test("what cannot be read from the pods is read from Prometheus, and it says so", async () => {
    const load = await startTraffic();
    const deploying = deploy("v3", [...unreadable, ...readableForPrometheus]);
    const seen = await attemptThat(({ answer }) => answer?.verdict === "pass" && answer.source === "prometheus");
    expect(seen.answer?.n).toBeGreaterThanOrEqual(197);
    const ran = await deploying;
    await load.stop();
    expect(ran.code, words(ran)).toBe(0);
    record("a good one, read from Prometheus", ran);
  });

  test("a service that does not run is said before the deploy, and takes the version back when nobody looked", async () => {
    await service.scale(0);
    try {
      const refused = await deploy("v3");
      expect(refused.code, words(refused)).toBe(3);
      expect(words(refused)).toContain("nobody answers at http://verdict.e2e-verdict.svc");
      await expectUntouched();
      const unseen = ["--skip-preflight", "--set", "analysis.noDataSeconds=20"];
      const { ran, traffic } = await underTraffic("v3", unseen);
      expect(ran.code, words(ran)).toBe(5);
      expect(parseReport(ran).fault?.message).toMatch(/consecutiveErrors|connection refused|no such host/);
      await expectUntouched();
      record("a good one, the service does not run", ran, traffic);
    } finally {
      await service.scale(1);
    }
  });

  test.each([
    {
      blind: "its pods cannot be read, and Prometheus is not asked",
      how: [...unreadable, "--set", "analysis.sequential.fallback.prometheus=false"],
      says: /no pod of the \w+ version tells its counters/,
    },
    {
      blind: "its pods cannot be read, and Prometheus is away",
      how: [...unreadable, "--set", "analysis.prometheus.address=http://prometheus.monitoring.svc:9999"],
      says: /no pod of the \w+ version tells its counters .*; Prometheus at prometheus\.monitoring\.svc:9999: /,
    },
    {
      blind: "nobody exports its counter",
      how: ["--set", "analysis.names.requests=requests_of_nobody"],
      says: /has no requests_of_nobody of the \w+ version/,
    },
    {
      blind: "its pods cannot be read, and Prometheus does not tell the versions apart",
      how: [...unreadable, ...readableForPrometheus, "--set", "analysis.names.hashLabel=of_nothing"],
      says: /has no \w+ of the \w+ version \(of_nothing=/,
    },
  ])(
    "where $blind, the weight stays until the policy's time is over and goes back then",
    async ({ blind, how, says }) => {
      const { ran, traffic } = await underTraffic("v3", [
        ...how,
        ...["--set", "analysis.sequential.policy.blind.seconds=15"],
      ]);
      expect(ran.code, words(ran)).toBe(5);
      const message = parseReport(ran).fault?.message ?? "";
      expect(message).toContain("sequential says fail: cannot see: ");
      expect(message).toMatch(says);
      const { path: told } = await attemptThat(({ ended }) => ended?.how === "aborted");
      expect(told.map(({ verdict }) => verdict)).toEqual(expect.arrayContaining(["blind", "fail"]));
      expect(told.map(({ verdict }) => verdict)).not.toContain("pass");
      await expectUntouched();
      record(`a good one: ${blind}`, ran, traffic);
    },
  );

  test("where its clock goes back, the weight stays until the policy's time is over and goes back then", async () => {
    await service.clock("movable");
    try {
      const load = await startTraffic();
      const deploying = deploy("v3", ["--set", "analysis.sequential.policy.blind.seconds=15"]);
      await attemptThat(({ ended, totals }) => ended === null && totals.canary.requests > 50);
      await service.putClockBack();
      const ran = await deploying;
      await delay(2_000);
      const traffic = await load.stop();
      expect(ran.code, words(ran)).toBe(5);
      expect(parseReport(ran).fault?.message).toContain("sequential says fail: cannot see: the clock went back; ");
      const { path: told } = await attemptThat(({ ended }) => ended?.how === "aborted");
      expect(told.map(({ verdict }) => verdict)).toEqual(expect.arrayContaining(["blind", "fail"]));
      await expectUntouched();
      record("a good one: the clock of the service went back by an hour", ran, traffic);
    } finally {
      await service.clock("real");
    }
  });

  test("a retry is another attempt", async () => {
    const { ran } = await underTraffic("v3", [...failing(1), "--no-rollback"]);
    expect(ran.code, words(ran)).toBe(6);
    const first = await attemptThat(({ ended }) => ended?.how === "aborted");
    await world.kubectl([
      ...["patch", "rollout", "myapp", "-n", namespace, "--subresource=status", "--type=merge"],
      ...["-p", JSON.stringify({ status: { abort: false } })],
    ]);
    const second = await attemptThat(({ number }) => number > first.number);
    expect(second).toMatchObject({ canary: first.canary, ended: null });
    expect(second.answer?.verdict).not.toBe("fail");
    const back = await world.ctl(["rollback", "-n", namespace, "-o", "json"]);
    expect(back.code, words(back)).toBe(0);
  });

  test("a Job at each gate judges without the service", async () => {
    await service.scale(0);
    try {
      const form = ["--set", `analysis.sequential.form=job,analysis.sequential.job.image.tag=${verdictTag}`];
      const good = await underTraffic("v2", form);
      expect(good.ran.code, words(good.ran)).toBe(0);
      before = await routing(world, namespace);
      const bad = await underTraffic("v3", [...form, ...failing(1)]);
      expect(bad.ran.code, words(bad.ran)).toBe(5);
      await expectUntouched();
      record("100 % errors, a Job judges", bad.ran, bad.traffic);
    } finally {
      await service.scale(1);
    }
  });
});
