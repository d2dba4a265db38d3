import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { countByVersion } from "@safe-deploy/load";
import { type Event, resources, waitUntil } from "@safe-deploy/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { release } from "../src/app-release.ts";
import { must } from "../src/run.ts";
import { recordRow } from "../src/results.ts";
import { rolloutArguments, routing, values } from "../src/rollout-release.ts";
import { WeightRecord } from "../src/weight-record.ts";
import { chart, root, World } from "../src/world.ts";

const namespace = "e2e-agent";
const tag = "e2e";
const rate = 100;
let world: World;
let attempt = 0;

const deploy = (version: string, scenario: string) =>
  world.ctl(
    rolloutArguments(namespace, version, [
      ...["-f", path.join(chart, "presets/e.yaml"), ...values("agent"), "--set", `agent.image.tag=${tag}`],
      ...["--set", `ingress.hosts[0].host=${namespace}.local`],
      // A content of its own for each attempt: one that was judged bad before is another case.
      ...["--set-string", `config.ATTEMPT=${++attempt}`, "--set-string", `config.FAULT_SCENARIO=${scenario}`],
    ]),
  );

/** Until everything is promoted, or the Rollout is aborted. */
async function end(): Promise<"promoted" | "aborted"> {
  return await waitUntil(
    world.kube,
    { rollouts: { resource: resources.Rollout, namespace, fieldSelector: `metadata.name=${release}` } },
    { what: "the rollout to be promoted or aborted", timeoutMs: 900_000 },
    ({ rollouts: [rollout] }) => {
      const { abort, currentPodHash, stableRS, phase } = rollout?.status ?? {};
      if (abort === true && phase === "Degraded") return "aborted";
      return currentPodHash === stableRS && phase === "Healthy" ? "promoted" : undefined;
    },
  );
}

describe("an agent that steers a canary behind a real router", () => {
  beforeAll(async () => {
    world = await World.attach();
    await must(process.execPath, ["build.ts"], { cwd: `${root}/packages/agent` });
    await world.lab(["image", "build", "agent", "--tag", tag]);
    await world.namespace(namespace);
    const first = await deploy("v1", "healthy");
    expect(first.code, first.stderr).toBe(0);
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  test.each([
    { scenario: "buggy", ends: "aborted" },
    { scenario: "flaky", ends: "aborted" },
    { scenario: "degrading", ends: "aborted" },
    { scenario: "healthy", ends: "promoted" },
  ] as const)("a $scenario version is $ends, and the controller alone writes weights", async ({ scenario, ends }) => {
    const load = await world.routerLoad(`${namespace}.local`, {
      scenario: "failure",
      rate,
      duration: "20m",
      paths: ["/version"],
    });
    // Stable's counters have to move before the first look compares with them.
    await delay(5_000);
    const record = new WeightRecord(world, namespace);
    const started = Date.now();
    const ran = await deploy("v2", scenario);
    // Paused at the first weight, where ctl hands over to whoever promotes; or aborted before it looked.
    expect([5, 7], ran.stderr).toContain(ran.code);
    const outcome = ran.code === 5 ? "aborted" : await end();
    const seconds = Math.round((Date.now() - started) / 1000);
    const traffic = await load.stop();
    const changes = await record.stop();

    expect(outcome).toBe(ends);
    const weights = changes.map(({ weight }) => weight);
    expect(new Set(changes.flatMap(({ weight, writers }) => (weight === 0 ? [] : writers)))).toEqual(
      new Set(["rollouts-controller"]),
    );
    // Each move is one step of ten, up or down; only an abort and the promotion go to 0.
    for (const [index, weight] of weights.entries()) {
      const before = weights[index - 1] ?? 0;
      if (weight !== 0) expect(Math.abs(weight - before), weights.join(" ")).toBeLessThanOrEqual(10);
    }
    if (ends === "promoted") expect(weights).toContain(90);
    const events = await world.kube.list<Event>(resources.Event, { namespace });
    const own = events.items.filter(
      ({ source, lastTimestamp }) =>
        source?.component === "safe-deploy-agent" && Date.parse(lastTimestamp ?? "") >= started - 1000,
    );
    expect(own.length).toBeGreaterThan(0);
    if (ends === "aborted" && ran.code !== 5) {
      expect(own.map(({ reason }) => reason)).toContain("AgentABORT");
      const back = await world.ctl(["rollback", "-n", namespace]);
      expect(back.code, back.stderr).toBe(0);
    }
    expect((await routing(world, namespace)).isStable).toBe(true);
    const bad = countByVersion(traffic.series)["v2"]?.failed ?? 0;
    recordRow("An agent steers a canary, 100 requests/s, a decision every 6 s", {
      scenario,
      outcome,
      seconds,
      weights: weights.join(" "),
      "writers of weights": [...new Set(changes.flatMap(({ writers }) => writers))].join(", "),
      "bad requests": bad,
    });
  });
});
