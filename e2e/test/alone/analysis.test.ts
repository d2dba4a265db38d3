import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { countByVersion, failuresOf, type LoadResult } from "@safe-deploy/load";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inFullRun, isFull } from "../../src/full-run.ts";
import { deployArguments, image } from "../../src/app-release.ts";
import { parseReport } from "../../src/report.ts";
import { recordRow } from "../../src/results.ts";
import { rolloutArguments, type Routing, routing, values } from "../../src/rollout-release.ts";
import { type Ran, words } from "../../src/run.ts";
import { startSlowPrometheus } from "../../src/slow-prometheus.ts";
import { chart, World } from "../../src/world.ts";

const namespace = "e2e-analysis";
const rate = 50;
let world: World;
let before: Routing;
let attempt = 0;

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

/** Where the weight of the router ends, and what ctl says of it. */
async function record(what: string, ran: Ran): Promise<void> {
  const report = parseReport(ran);
  recordRow("A canary that analysis does not pass, at weight 10", {
    "what happens": what,
    "weight afterwards": (await routing(world, namespace)).canaryWeight,
    "exit code": ran.code ?? "a signal",
    seconds: Math.round(ran.seconds),
    message: cell(report.fault?.message ?? report.summary),
  });
}

/** The first line, as a cell of a table takes it. */
const cell = (text: string) => (text.split("\n")[0] ?? "").replaceAll("|", "/");

async function expectWaitsAt10(): Promise<void> {
  expect(await routing(world, namespace)).toMatchObject({ canaryWeight: 10, stable: before.stable, isStable: false });
}

async function goBack(): Promise<void> {
  const back = await world.ctl(["rollback", "-n", namespace, "-o", "json"]);
  expect(back.code, words(back)).toBe(0);
  await expectUntouched();
}

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
      await record(`${ratio * 100} % errors`, ran);
      const bad = failuresOf(traffic.series, "v3");
      recordRow("A canary that fails a share of its requests, at weight 10 and 50 requests/s", {
        "share of errors": ratio,
        "requests that failed": byVersion["v3"]?.failed ?? 0,
        "from the first to the last of them (s)": bad === undefined ? "" : bad.last - bad.first,
        "exit code": ran.code ?? "a signal",
      });
    },
  );

  test.each(
    isFull
      ? [
          {
            what: "a value between pass and fail",
            ratio: 0.1,
            own: values("rollout-undecided"),
            says: /success-ratio/,
          },
          { what: "NaN", ratio: 0.024, own: values("rollout-in-doubt"), says: /error-ratio/ },
        ]
      : [{ what: "NaN", ratio: 0.024, own: values("rollout-in-doubt"), says: /error-ratio/ }],
  )("that is neither good nor bad ($what) waits at its weight for a person", async ({ what, ratio, own, says }) => {
    const { ran } = await underTraffic("v3", ["--set-string", `config.FAULT_ERRORS=*=${ratio}`, ...own]);
    expect(ran.code, words(ran)).toBe(8);
    const report = parseReport(ran);
    expect(report.code).toBe("CTL_E_INCONCLUSIVE");
    expect(report.summary).toMatch(says);
    await expectWaitsAt10();
    await record(what, ran);
    await goBack();
  });

  test.each(inFullRun)("whose gate needs more time than ctl was given goes on at its weight", async () => {
    const long = ["--set", "analysis.metrics.errorRatio.count=100", "--timeout", "30s"];
    const { ran } = await underTraffic("v3", long);
    expect(ran.code, words(ran)).toBe(4);
    expect(parseReport(ran)).toMatchObject({ result: "goingOn", code: "CTL_E_DEADLINE" });
    await expectWaitsAt10();
    await record("the count is not reached in time", ran);
    await goBack();
  });
});

describe("the starting point", () => {
  test("takes back what is broken for everybody at its first weight, by the declared checks, without any traffic", async () => {
    const own = ["-f", path.join(chart, "values-rollout.yaml"), "--set", "analysis.engine=thresholds"];
    const ran = await deploy("v3", [...own, "--set-string", "config.FAULT_SICK=true"]);
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).fault?.message).toContain("declared check failed: new feature");
    await expectUntouched();
    await record("broken for everybody, no traffic, the checks at the first weight", ran);
  });
});

interface Blind {
  what: string;
  /** What is changed before, and the values that the deploy takes. */
  prepare: () => Promise<string[]>;
  traffic: boolean;
  /** ctl's exit code: taken back, or left for a person. */
  code: 5 | 8;
  says: RegExp;
  fullOnly?: true;
}

const noData = /no data|no requests|too few/i;
const blind: Blind[] = [
  { what: "no traffic", prepare: async () => [], traffic: false, code: 5, says: noData },
  {
    what: "no traffic, with onNoData: pause",
    prepare: async () => ["--set", "analysis.onNoData=pause"],
    traffic: false,
    code: 8,
    says: /error-ratio/,
    fullOnly: true,
  },
  {
    what: "a metric that nobody exports",
    prepare: async () => ["--set", "analysis.names.requests=requests_of_nobody_total"],
    traffic: true,
    code: 5,
    says: noData,
    fullOnly: true,
  },
  {
    what: "Prometheus answers later than the timeout",
    prepare: async () => {
      const address = await startSlowPrometheus(world, namespace, 4);
      return ["--set", `analysis.prometheus.address=${address}`, "--set", "analysis.prometheus.timeoutSeconds=2"];
    },
    traffic: true,
    code: 5,
    says: /timeout|deadline exceeded|slow/i,
  },
  {
    what: "Prometheus is gone",
    prepare: async () => {
      await world.setPrometheusReplicas(0);
      return [];
    },
    traffic: true,
    code: 5,
    says: /prometheus|connection refused|no such host|i\/o timeout/i,
  },
];

describe("a canary that cannot be judged is never promoted:", () => {
  afterEach(async () => {
    await world.setPrometheusReplicas(1);
  });

  test.each(blind.filter(({ fullOnly }) => isFull || fullOnly === undefined))(
    "$what",
    async ({ what, prepare, traffic, code, says }) => {
      const own = await prepare();
      const ran = traffic ? (await underTraffic("v3", own)).ran : await deploy("v3", own);
      expect(ran.code, words(ran)).toBe(code);
      const report = parseReport(ran);
      expect(report.fault?.message ?? report.summary).toMatch(says);
      if (code === 5) await expectUntouched();
      else await expectWaitsAt10();
      await record(what, ran);
      if (code === 8) await goBack();
    },
  );
});

describe("each condition of the preset d-blue-green takes a version back alone:", () => {
  const other = "e2e-conditions";
  const host = `${other}.local`;

  async function promote(version: string, more: string[] = []): Promise<Ran> {
    const preset = ["-f", path.join(chart, "presets/d-blue-green.yaml"), ...values("preset"), ...values("conditions")];
    return await world.ctl(
      deployArguments(other, version, [
        ...[...preset, "--set", "rollout.router=traefik", "--set", `ingress.hosts[0].host=${host}`],
        ...["--timeout", "180s", ...more],
      ]),
    );
  }

  beforeAll(async () => {
    await world.namespace(other);
    const first = await promote("v1");
    expect(first.code, words(first)).toBe(0);
  });

  afterAll(async () => {
    await world?.removeNamespace(other);
  });

  test.each([
    { what: "5 % errors", fault: "FAULT_ERRORS=GET /version=0.05", failed: "error-ratio", errors: true },
    { what: "900 ms latency", fault: "FAULT_LATENCY_MS=900", failed: "latency-p95", errors: false },
  ])("$what", async ({ what, fault, failed, errors }) => {
    const stable = await routing(world, other);
    const load = await world.routerLoad(host, { scenario: "failure", rate, duration: "5m", paths: ["/version"] });
    await delay(2_000);
    const ran = await promote("v3", ["--set-string", `config.${fault}`]);
    const { totals } = await load.stop();
    expect(ran.code, words(ran)).toBe(5);
    expect(await routing(world, other)).toEqual(stable);
    expect(totals.failed > 0, JSON.stringify(totals)).toBe(errors);
    // The message names the one that decided, and not the other.
    const named = parseReport(ran).fault?.message.match(/error-ratio|latency-p95/g);
    expect([...new Set(named)]).toEqual([failed]);
    recordRow("Each condition of the preset d-blue-green, alone", {
      version: what,
      "exit code": ran.code ?? "a signal",
      message: cell(parseReport(ran).fault?.message ?? ""),
      requests: totals.requests,
      failed: totals.failed,
    });
  });
});
