import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type AnalysisRun, hashLabel, resources } from "@safe-deploy/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { image, release } from "../src/app-release.ts";
import { ctlTag } from "../src/images.ts";
import { canaryWeightOf, routing, traefikService } from "../src/rollout-release.ts";
import { type Ran, run, words } from "../src/run.ts";
import { valuesDuring } from "../src/values-during.ts";
import { root, World } from "../src/world.ts";

const namespace = "e2e-make-rollout";
const host = `${namespace}.local`;
let world: World;
let folder: string;

/** 10 % and 50 %, each with a gate on the share of 5xx, as somebody would write it for his own service. */
const values = `
mode: rollout
replicaCount: 2
resources: {requests: {cpu: 20m, memory: 48Mi}, limits: {cpu: 300m, memory: 192Mi}}
hooks: {image: {tag: ${ctlTag}, pullPolicy: Always}, resources: {requests: {cpu: 20m, memory: 64Mi}}}
preStop: {sleepSeconds: 2}
terminationGracePeriodSeconds: 15
config: {FEATURE_ERROR_RATIO: 0.5}
flags: {FEATURE_NEW: false}
checks: [{name: health, request: {path: /health}}]
ingress: {enabled: true, hosts: [{host: ${host}}]}
rollout:
  router: traefik
  canary:
    steps:
      - setWeight: 10
      - analysis: [errorRatio]
      - setWeight: 50
      - analysis: [errorRatio]
    background: []
    scaleDownDelaySeconds: 5
    abortScaleDownDelaySeconds: 5
analysis: {engine: thresholds}
`;

const valuesFile = () => path.join(folder, "values.yaml");
const make = async (...args: string[]): Promise<Ran> =>
  await run("make", [...args, `NS=${namespace}`, `VALUES=${valuesFile()}`], { cwd: root, env: world.env });

async function made(...args: string[]): Promise<Ran> {
  const ran = await make(...args);
  expect(ran.code, words(ran)).toBe(0);
  return ran;
}

const load = async () =>
  await world.routerLoad(host, {
    scenario: "failure",
    rate: 50,
    duration: "5m",
    paths: ["/version", "/feature/new"],
  });

/** The weights that the router had for the canary while something went on, each as often as it changed. */
async function canaryWeightsDuring(act: () => Promise<void>): Promise<number[]> {
  return await valuesDuring(world, { resource: traefikService, namespace, read: canaryWeightOf }, act);
}

/** The gates on the present template, oldest first. */
async function gates(): Promise<AnalysisRun[]> {
  const rollout = await world.kube.get(resources.Rollout, release, { namespace });
  const { items } = await world.kube.list<AnalysisRun>(resources.AnalysisRun, {
    namespace,
    labelSelector: `${hashLabel}=${rollout?.status?.currentPodHash ?? ""}`,
  });
  return items
    .filter(({ spec }) => spec.metrics.some(({ provider }) => provider.prometheus !== undefined))
    .toSorted((a, b) => Number(a.metadata.labels?.["step-index"]) - Number(b.metadata.labels?.["step-index"]));
}

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  folder = await mkdtemp(path.join(tmpdir(), "e2e-make-"));
  await writeFile(valuesFile(), values);
  await made("set-image", "TAG=v1");
  await made("deploy", "wait", "smoke");
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
  if (folder !== undefined) await rm(folder, { recursive: true });
});

describe("the make targets with mode: rollout in the values", () => {
  test("verdict: the service that judges canaries is built and runs where the chart looks for it", async () => {
    try {
      await made("verdict");
      await world.lab(["exec", "--", "curl", "-sSf", "-m", "5", "http://verdict.verdict.svc/ready"]);
    } finally {
      await world.helm(["uninstall", "verdict", "-n", "verdict", "--wait"]);
      await world.removeNamespace("verdict");
    }
  });

  test("deploy: the canary starts at 10 %, a good metric moves it to 50 and 100 %, and no request fails", async () => {
    await made("set-image", "TAG=v2");
    const traffic = await load();
    const weights = await canaryWeightsDuring(async () => {
      await made("deploy", "wait");
    });
    const { totals } = await traffic.stop();
    expect(weights).toEqual([0, 10, 50, 100, 0]);
    const judged = await gates();
    expect(judged.map(({ status }) => status?.phase)).toEqual(["Successful", "Successful"]);
    for (const { status } of judged)
      expect(status?.metricResults?.[0]?.measurements?.at(-1)?.value, JSON.stringify(status)).toMatch(/\d/);
    expect(await routing(world, namespace)).toMatchObject({ image: image("v2"), isStable: true, canaryWeight: 0 });
    expect(totals.failed, JSON.stringify(totals)).toBe(0);
    expect(Object.keys(totals.byVersion).toSorted()).toEqual(["v1", "v2"]);
    const smoke = await made("smoke");
    expect(smoke.stdout).toContain("Job Complete");
  });

  test("fail-on: the rollout aborts by itself, and all traffic is back at what served before", async () => {
    const before = await routing(world, namespace);
    const traffic = await load();
    await delay(1_000);
    let on: Ran | undefined;
    const weights = await canaryWeightsDuring(async () => {
      on = await make("fail-on");
    });
    await delay(3_000);
    const { totals } = await traffic.stop();
    expect(on?.stdout, on === undefined ? "" : words(on)).toMatch(/RolloutAborted/);
    expect(on?.stdout).toMatch(/error-ratio/);
    expect(on?.code).not.toBe(0);
    expect(totals.failed, JSON.stringify(totals)).toBeGreaterThan(0);
    expect(weights).toEqual([0, 10, 0]);
    const rollout = await world.kube.get(resources.Rollout, release, { namespace });
    expect(rollout?.status).toMatchObject({ abort: true, stableRS: before.stable });
    expect(await routing(world, namespace)).toMatchObject({
      stable: before.stable,
      serving: before.serving,
      canaryWeight: 0,
    });

    const after = await load();
    await delay(3_000);
    const healed = await after.stop();
    expect(healed.totals.failed, JSON.stringify(healed.totals)).toBe(0);
    expect(healed.totals.requests).toBeGreaterThan(0);
  });

  test("undo asks for the stable release again, and once more goes one release back", async () => {
    await made("undo", "wait");
    expect(await routing(world, namespace)).toMatchObject({ image: image("v2"), isStable: true, canaryWeight: 0 });
    expect((await made("fail-off")).stdout).toContain("already false");
    await made("undo", "wait");
    expect(await routing(world, namespace)).toMatchObject({
      ...{ image: image("v1"), isStable: true, canaryWeight: 0 },
      serving: [image("v1")],
    });
    expect((await made("history")).stdout).toMatch(/bad.*a person rolled it back/);
  });
});
