import { afterAll, beforeAll, expect, test } from "vitest";
import { image, release } from "../src/app-release.ts";
import { parseReport } from "../src/report.ts";
import { rolloutArguments, routing, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { VerdictService } from "../src/verdict-service.ts";
import { World } from "../src/world.ts";

// The sequential engine where nothing steers the requests: a weight is a share of the pods, and at 100 none is stable.

const namespace = "e2e-by-pods";
let world: World;
let service: VerdictService;

async function underTraffic(version: string, more: string[] = []): Promise<Ran> {
  const load = await world.load(namespace, release, {
    scenario: "failure",
    rate: 100,
    duration: "5m",
    paths: ["/version"],
  });
  const ran = await deploy(version, more);
  await load.stop();
  return ran;
}

async function deploy(version: string, more: string[] = []): Promise<Ran> {
  const byPods = ["--set", "rollout.router=none,ingress.enabled=false,rollout.canary.headerRoute=null"];
  const third = ["--set", "rollout.canary.steps[0].setWeight=33", "--timeout", "240s"];
  return await world.ctl(
    rolloutArguments(namespace, version, [...values("sequential"), ...service.values, ...byPods, ...third, ...more]),
  );
}

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  service = await VerdictService.install(world, "e2e-by-pods-verdict", namespace);
  const first = await deploy("v1");
  expect(first.code, words(first)).toBe(0);
});

afterAll(async () => {
  await service?.remove();
  await world?.removeNamespace(namespace);
});

test("a good version passes with a third of the pods, and with all of them", async () => {
  const ran = await underTraffic("v2");
  expect(ran.code, words(ran)).toBe(0);
  expect(await routing(world, namespace)).toMatchObject({ isStable: true, serving: [image("v2")] });
});

test("a bad one is taken back while it has a third of them", async () => {
  const ran = await underTraffic("v3", ["--set-string", "config.FAULT_ERRORS=GET /version=0.2"]);
  expect(ran.code, words(ran)).toBe(5);
  expect(parseReport(ran).fault?.message).toContain("sequential says fail");
  expect((await service.attempt()).answer).toMatchObject({ verdict: "fail", weight: 33 });
  expect(await routing(world, namespace)).toMatchObject({ serving: [image("v2")] });
});
