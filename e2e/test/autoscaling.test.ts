import { setTimeout as delay } from "node:timers/promises";
import { type Deployment, type Resource, resources, type Rollout } from "@safe-deploy/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFull } from "../src/full-run.ts";
import { image, release } from "../src/app-release.ts";
import { rolloutArguments } from "../src/rollout-release.ts";
import { words } from "../src/run.ts";
import { valuesDuring } from "../src/values-during.ts";
import { World } from "../src/world.ts";

const namespace = "e2e-autoscaling";
let world: World;

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

type Kind = "Deployment" | "Rollout";

function workloads(kind: Kind): Resource<Deployment | Rollout> {
  return kind === "Rollout" ? resources.Rollout : resources.Deployment;
}

/** Every number of pods that was asked for while something went on. */
async function countsDuring(kind: Kind, act: () => Promise<void>): Promise<number[]> {
  // 1 is the API server's and the controller's default.
  const read = ({ spec }: Deployment | Rollout) => spec.replicas ?? 1;
  return await valuesDuring(world, { resource: workloads(kind), namespace, read }, act);
}

const all: [Kind, string][] = [
  ["Deployment", "helm"],
  ["Rollout", "helm"],
  ["Deployment", "helm3"],
  ["Rollout", "helm3"],
];

describe.each(isFull ? all : all.slice(0, 1))("an autoscaler of a %s, under %s", (kind, helm) => {
  const mode = ["--set", `mode=${kind.toLowerCase()}`];
  /** What it measures must not decide how many pods there are. */
  const on = (pods: number) => [
    ...["--set", `autoscaling.enabled=true,autoscaling.minReplicas=${pods},autoscaling.maxReplicas=${pods}`],
  ];

  async function deploy(version: string, more: string[] = []): Promise<void> {
    const ran = await world.ctl(rolloutArguments(namespace, version, [...mode, ...more]), { env: { CTL_HELM: helm } });
    expect(ran.code, words(ran)).toBe(0);
  }
  const count = async () => (await world.kube.get(workloads(kind), release, { namespace }))?.spec.replicas;

  test("is switched on and off with no pod and no request lost, and counts in between", async () => {
    await world.namespace(namespace);
    await deploy("v1");
    const traffic = await world.load(namespace, release, {
      scenario: "baseline",
      rate: 50,
      duration: "5m",
      paths: ["/version"],
    });
    await delay(1_000);
    const counts = await countsDuring(kind, async () => {
      await deploy("v1", on(3));
      // Nothing but the chart has set the number until now; another release must not take it away either.
      await deploy("v2", on(3));
      expect(await count()).toBe(3);
      await deploy("v2", on(4));
      await expect.poll(count, { timeout: 90_000 }).toBe(4);
      await deploy("v2");
    });
    expect(counts).toEqual([3, 4, 3]);
    const { totals } = await traffic.stop();
    expect(totals.failed, JSON.stringify(totals)).toBe(0);
    expect(Object.keys(totals.byVersion).toSorted()).toEqual(["v1", "v2"]);

    // The number is the chart's again, and no one else's.
    await deploy("v2", ["--set", "replicaCount=2"]);
    expect(await count()).toBe(2);
    const workload = await world.kube.get(workloads(kind), release, { namespace });
    expect(workload?.spec.template.spec.containers[0]?.image).toContain(image("v2"));
  });
});
