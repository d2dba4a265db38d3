import { setTimeout as delay } from "node:timers/promises";
import { countByVersion, failuresOf, type LoadResult } from "@safe-deploy/load";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { image } from "../../src/app-release.ts";
import { parseReport } from "../../src/report.ts";
import { recordRow } from "../../src/results.ts";
import { rolloutArguments, type Routing, routing, values } from "../../src/rollout-release.ts";
import type { Ran } from "../../src/run.ts";
import { World } from "../../src/world.ts";

const namespace = "e2e-analysis";
const rate = 50;
let world: World;
let before: Routing;
let attempt = 0;

const words = (ran: Ran) => `${ran.stdout}\n${ran.stderr}`;
const isFull = process.env["E2E_FULL"] === "1";

/** A content of its own for each attempt: one that was judged bad before is another case. */
async function deploy(version: string, more: string[] = []): Promise<Ran> {
  const own = ["--set-string", `config.ATTEMPT=${++attempt}`, "--timeout", "240s"];
  return await world.ctl(rolloutArguments(namespace, version, [...values("rollout-analysed"), ...own, ...more]));
}

/** Deploys while k6 sends requests to the router. */
async function underTraffic(version: string, more: string[] = []): Promise<{ ran: Ran; traffic: LoadResult }> {
  const load = await world.routerLoad(`${namespace}.local`, {
    scenario: "failure",
    rate,
    duration: "5m",
    paths: ["/version", "/api/v1/version"],
  });
  await delay(2_000);
  const ran = await deploy(version, more);
  await delay(1_000);
  return { ran, traffic: await load.stop() };
}

const faulty = (ratio: number) => [
  "--set-string",
  `config.FAULT_ERRORS=GET /version=${ratio}\\,GET /api/v1/version=${ratio}`,
];

async function expectUntouched(): Promise<void> {
  expect(await routing(world, namespace)).toEqual(before);
}

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  const first = await deploy("v1");
  expect(first.code, words(first)).toBe(0);
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

beforeEach(async () => {
  before = await routing(world, namespace);
});

describe("a canary that Prometheus judges, under traffic at the router", () => {
  test("that is good is promoted, and no request fails", async () => {
    const { ran, traffic } = await underTraffic("v2");
    expect(ran.code, words(ran)).toBe(0);
    expect(await routing(world, namespace)).toMatchObject({ image: image("v2"), isStable: true, canaryWeight: 0 });
    expect(traffic.totals.failed, JSON.stringify(traffic.totals)).toBe(0);
    expect(Object.keys(traffic.totals.byVersion).toSorted()).toEqual(["v1", "v2"]);
  });

  test.each(isFull ? [{ ratio: 1 }, { ratio: 0.2 }, { ratio: 0.1 }] : [{ ratio: 0.2 }])(
    "that answers $ratio of its requests with errors is taken back at weight 10, and only it fails requests",
    async ({ ratio }) => {
      const { ran, traffic } = await underTraffic("v3", faulty(ratio));
      expect(ran.code, words(ran)).toBe(5);
      const report = parseReport(ran);
      expect(report.result).toBe("restored");
      expect(report.fault?.message).toContain("error-ratio");
      await expectUntouched();

      const byVersion = countByVersion(traffic.series);
      expect(byVersion["v3"]?.failed).toBeGreaterThan(0);
      expect(traffic.totals.failedByVersion, JSON.stringify(traffic.totals)).toEqual({ v3: byVersion["v3"]?.failed });
      const bad = failuresOf(traffic.series, "v3");
      recordRow("A canary that fails a share of its requests, at weight 10 and 50 requests/s", {
        "share of errors": ratio,
        "requests that failed": byVersion["v3"]?.failed ?? 0,
        "from the first to the last of them (s)": bad === undefined ? "" : bad.last - bad.first,
        "exit code": ran.code ?? "a signal",
      });
    },
  );

  test("that is slow and makes no error is taken back by its latency alone", async () => {
    const { ran } = await underTraffic("v3", [
      ...["--set-string", "config.FAULT_LATENCY_MS=900", "--set", "rollout.canary.background={latencyP95}"],
      ...["--set", "analysis.metrics.latencyP95.minRequests=20"],
    ]);
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).fault?.message).toContain("latency");
    await expectUntouched();
  });

  test("that is neither good nor bad waits at its weight for a person", async () => {
    const { ran } = await underTraffic("v3", [...faulty(0.1), ...values("rollout-undecided")]);
    expect(ran.code, words(ran)).toBe(8);
    expect(parseReport(ran).code).toBe("CTL_E_INCONCLUSIVE");
    expect(await routing(world, namespace)).toMatchObject({ canaryWeight: 10, stable: before.stable });
    const aborted = await world.ctl(["rollback", "-n", namespace, "-o", "json"]);
    expect(aborted.code, words(aborted)).toBe(0);
    await expectUntouched();
  });
});

describe("a canary that cannot be judged is never promoted", () => {
  afterEach(async () => {
    await world.setPrometheusReplicas(1);
  });

  test("without traffic it is taken back after its time", async () => {
    const ran = await deploy("v3");
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).fault?.message).toMatch(/no data|no requests|too few/i);
    await expectUntouched();
  });

  test("without traffic it waits for a person where the values say so", async () => {
    const ran = await deploy("v3", ["--set", "analysis.onNoData=pause"]);
    expect(ran.code, words(ran)).toBe(8);
    expect(await routing(world, namespace)).toMatchObject({ canaryWeight: 10, stable: before.stable });
    const back = await world.ctl(["rollback", "-n", namespace, "-o", "json"]);
    expect(back.code, words(back)).toBe(0);
    await expectUntouched();
  });

  test("with Prometheus gone it is taken back", async () => {
    await world.setPrometheusReplicas(0);
    const { ran } = await underTraffic("v3");
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).fault?.message).toMatch(/prometheus|connection refused|no such host|i\/o timeout/i);
    await expectUntouched();
  });

  test("with a metric that nobody exports it is taken back", async () => {
    const { ran } = await underTraffic("v3", ["--set", "analysis.names.requests=requests_of_nobody_total"]);
    expect(ran.code, words(ran)).toBe(5);
    await expectUntouched();
  });
});
