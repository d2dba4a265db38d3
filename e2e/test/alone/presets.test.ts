import { setTimeout as delay } from "node:timers/promises";
import { countByVersion, type LoadResult } from "@safe-deploy/load";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFull } from "../../src/full-run.ts";
import { deployArguments, image, release } from "../../src/app-release.ts";
import { parseReport } from "../../src/report.ts";
import { recordRow } from "../../src/results.ts";
import { routing, values } from "../../src/rollout-release.ts";
import { type Ran, words } from "../../src/run.ts";
import { chart, World } from "../../src/world.ts";

interface Preset {
  name: string;
  /** A person promotes. */
  manual?: boolean;
  /** Share of errors that its own limits take for bad. */
  bad: number;
}

const presets: Preset[] = [
  { name: "a", bad: 0.3 },
  { name: "b-canary", bad: 0.3 },
  { name: "b-blue-green", bad: 0.3 },
  { name: "c", bad: 0.3 },
  { name: "d-blue-green", manual: true, bad: 0.3 },
];
const chosen = isFull ? presets : presets.filter(({ name }) => name === "d-blue-green");
const rate = 60;

let world: World;

beforeAll(async () => {
  world = await World.attach();
});

describe.each(chosen)("preset $name, with its waits scaled down", ({ name, manual = false, bad }) => {
  const namespace = `e2e-preset-${name}`;
  const host = `${namespace}.local`;
  const router = ["--set", "rollout.router=traefik"];
  // With its limit of time ctl itself would wait for the person, who comes after it here.
  const person = manual ? ["--set", "rollout.blueGreen.autoPromotionSeconds=0"] : [];

  async function deploy(version: string, more: string[] = []): Promise<Ran> {
    const own = ["-f", `${chart}/presets/${name}.yaml`, ...values("preset"), ...router, ...person];
    const deployed = await world.ctl(
      deployArguments(namespace, version, [
        ...own,
        ...["--set", `ingress.hosts[0].host=${host}`, "--timeout", "280s"],
        ...more,
      ]),
    );
    if (!manual || deployed.code !== 7) return deployed;
    return await world.ctl(["promote", "-n", namespace, "--release", release, "-o", "json", "--timeout", "280s"]);
  }

  async function underTraffic(version: string, more: string[] = []): Promise<{ ran: Ran; traffic: LoadResult }> {
    const load = await world.routerLoad(host, { scenario: "failure", rate, duration: "6m", paths: ["/version"] });
    await delay(2_000);
    const ran = await deploy(version, more);
    await delay(1_000);
    return { ran, traffic: await load.stop() };
  }

  beforeAll(async () => {
    await world.namespace(namespace);
    const first = await deploy("v1");
    expect(first.code, words(first)).toBe(0);
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  test("promotes a good version without a failed request", async () => {
    const { ran, traffic } = await underTraffic("v2");
    expect(ran.code, words(ran)).toBe(0);
    expect(traffic.totals.failed, JSON.stringify(traffic.totals)).toBe(0);
    expect(await routing(world, namespace)).toMatchObject({ image: image("v2"), isStable: true, canaryWeight: 0 });
    recordRow("Every preset with its waits scaled down, a good version and a bad one", {
      preset: name,
      version: "good",
      "exit code": ran.code ?? "a signal",
      seconds: Math.round(ran.seconds),
      requests: traffic.totals.requests,
      failed: traffic.totals.failed,
    });
  });

  test("takes a bad version back, and only that version failed requests", async () => {
    const before = await routing(world, namespace);
    const { ran, traffic } = await underTraffic("v3", ["--set-string", `config.FAULT_ERRORS=GET /version=${bad}`]);
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).result).toBe("restored");
    expect(await routing(world, namespace)).toEqual(before);
    const failed = countByVersion(traffic.series)["v3"]?.failed ?? 0;
    expect(traffic.totals.failed, JSON.stringify(traffic.totals)).toBe(failed);
    recordRow("Every preset with its waits scaled down, a good version and a bad one", {
      preset: name,
      version: `${bad * 100} % errors`,
      "exit code": ran.code ?? "a signal",
      seconds: Math.round(ran.seconds),
      requests: traffic.totals.requests,
      failed,
    });
  });
});
