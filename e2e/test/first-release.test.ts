import { resources } from "@safe-deploy/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inFullRun, isFull } from "../src/full-run.ts";
import { helmArguments, image, release } from "../src/app-release.ts";
import { killedAfter } from "../src/killed-after.ts";
import { parseReport } from "../src/report.ts";
import { rolloutArguments, routerUrl, routing, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { seededNumbers } from "../src/seed.ts";
import { chart, World } from "../src/world.ts";

// Nothing is there to be compared with, so no weight and no analysis protects anybody from a first release.

const namespace = "e2e-first";
let world: World;

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

async function ctl(...args: string[]): Promise<Ran> {
  return await world.ctl([...args, "-n", namespace, "--release", release, "-o", "json"]);
}

async function deploy(version: string, more: string[] = []): Promise<Ran> {
  return await world.ctl(rolloutArguments(namespace, version, more));
}

/** The status that the router answers with; 404 where no route leads to the release. */
async function routed(): Promise<number> {
  const host = `Host: ${namespace}.local`;
  const { stdout } = await world.lab([
    ...["exec", "--", "curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", "-H", host],
    `${await routerUrl(world)}/version`,
  ]);
  return Number(stdout);
}

/** What is left of the release but its verdicts, as kind/name. */
async function leftovers(): Promise<string[]> {
  const kinds = [
    ...["deployments", "rollouts.argoproj.io", "replicasets", "services", "configmaps", "secrets", "jobs"],
    ...["serviceaccounts", "roles", "rolebindings", "ingressroutes.traefik.io", "traefikservices.traefik.io"],
  ];
  const selector = `app.kubernetes.io/instance=${release}`;
  const { stdout } = await world.kubectl(["get", kinds.join(","), "-n", namespace, "-l", selector, "-o", "name"]);
  return stdout.split("\n").filter((line) => line !== "");
}

const paused = (more: string[] = []) => deploy("v1", ["--pause-first", ...more]);
const promote = ["promote", "--chart", chart];

describe("a first release that is to wait", () => {
  const cases: [string, string[]][] = [
    ["a canary", []],
    ...(isFull
      ? ([
          ["a blue-green", values("blue-green")],
          ["a Deployment", ["--set", "mode=deployment"]],
        ] satisfies [string, string[]][])
      : []),
  ];

  test.each(cases)("%s is verified without its routes, and has them when a person has promoted it", async (_, more) => {
    await world.namespace(namespace);
    const first = await paused(more);
    expect(first.code, words(first)).toBe(7);
    const report = parseReport(first);
    expect(report).toMatchObject({ result: "paused", code: "CTL_E_PAUSED" });
    expect(first.stdout).toMatch(/"next": ".*ctl promote .*ctl abort/);
    expect(await routed()).toBe(404);
    for (const command of ["status", "wait"]) expect((await ctl(command)).code, command).toBe(7);
    const again = await paused(more);
    expect(again.code, words(again)).toBe(3);

    const promoted = await ctl(...promote);
    expect(promoted.code, words(promoted)).toBe(0);
    expect(parseReport(promoted).result).toBe("verified");
    await expect.poll(routed, { timeout: 30_000 }).toBe(200);
    const status = await ctl("status");
    expect(status.code, words(status)).toBe(0);

    // Later releases are let in by their own gates, and the way back leads to the release with its routes.
    const second = await deploy("v2", [...more, "--pause-first"]);
    expect(second.code, words(second)).toBe(0);
    const back = await ctl("rollback");
    expect(back.code, words(back)).toBe(0);
    expect(parseReport(back).live?.image).toContain(image("v1"));
    expect(await routed()).toBe(200);
  });

  test.each(isFull ? ["abort", "rollback"] : ["abort"])(
    "is removed by ctl %s, with all that belongs to it",
    async (command) => {
      await world.namespace(namespace);
      const first = await paused();
      expect(first.code, words(first)).toBe(7);
      const removed = await ctl(command);
      expect(removed.code, words(removed)).toBe(0);
      expect(parseReport(removed).result).toBe("removed");
      await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
      expect((await ctl("status")).code).toBe(3);
    },
  );

  test.each(inFullRun)("is removed when the verification at its promotion fails", async () => {
    await world.namespace(namespace);
    const checks = ["--set", "checks[0].name=ready,checks[0].request.path=/ready"];
    const first = await paused(checks);
    expect(first.code, words(first)).toBe(7);
    // Its pods are well as far as their probe tells; what the check asks for is gone.
    await world.kubectl([
      ...["patch", "service", release, "-n", namespace, "--type=json"],
      ...["-p", '[{"op":"replace","path":"/spec/ports/0/targetPort","value":9}]'],
    ]);
    const failed = await ctl(...promote);
    expect(failed.code, words(failed)).toBe(5);
    expect(parseReport(failed)).toMatchObject({ result: "removed", fault: { kind: "VerificationFailed" } });
    await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
  });

  test.each(inFullRun)(
    "is promoted, and removed, by the same command again when it was killed in the middle",
    async () => {
      const [promoteAt = 0, abortAt = 0] = seededNumbers("first release", 2);
      await world.namespace(namespace);
      const first = await paused();
      expect(first.code, words(first)).toBe(7);
      const args = [...promote, "-n", namespace, "--release", release, "-o", "json"];
      await killedAfter(world, promoteAt * 12_000, args);
      const promoted = await world.ctl(args);
      expect(promoted.code, words(promoted)).toBe(0);
      expect(await routing(world, namespace)).toMatchObject({ isStable: true, serving: [image("v1")] });

      await world.namespace(namespace);
      const second = await paused();
      expect(second.code, words(second)).toBe(7);
      const abort = ["abort", "-n", namespace, "--release", release, "-o", "json"];
      const killed = await killedAfter(world, abortAt * 3_000, abort);
      // One that had ended already leaves nothing to abort.
      const removed = killed.code === 0 ? killed : await world.ctl(abort);
      expect(removed.code, words(removed)).toBe(0);
      await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
    },
  );
});

describe("a first release whose declared check fails", () => {
  const failing = ["--set-string", "flags.FEATURE_NEW=true"];

  test("is removed by ctl deploy", async () => {
    await world.namespace(namespace);
    const failed = await deploy("v1", failing);
    expect(failed.code, words(failed)).toBe(5);
    expect(parseReport(failed)).toMatchObject({ result: "removed", code: "CTL_E_FAILED_REMOVED" });
    await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
    expect(await routed()).toBe(404);
  });

  const plain: [string, 3 | 4, string][] = [
    ["Helm 4 with --rollback-on-failure", 4, "--rollback-on-failure"],
    ...(isFull ? ([["Helm 3 with --atomic", 3, "--atomic"]] satisfies [string, 3 | 4, string][]) : []),
  ];
  test.each(plain)("is uninstalled by %s", async (_, major, flag) => {
    await world.namespace(namespace);
    const ran = await world.helm(
      helmArguments(namespace, "v1", [...values("rollout"), ...failing, flag, "--timeout", "90s"]),
      { major },
    );
    expect(ran.code, words(ran)).not.toBe(0);
    const { items } = await world.kube.list(resources.Secret, { namespace, labelSelector: "owner=helm" });
    expect(items.map(({ metadata }) => metadata.name)).toEqual([]);
    expect(await world.kube.get(resources.Rollout, release, { namespace })).toBeUndefined();
  });
});
