import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deployArguments, release } from "../src/app-release.ts";
import { parseReport, stableState } from "../src/report.ts";
import { words } from "../src/run.ts";
import { World } from "../src/world.ts";

const namespace = "e2e-bake";
let world: World;

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

describe("a Deployment that is watched after its verification", () => {
  test("is left alone when its time has passed", async () => {
    const ran = await world.ctl(deployArguments(namespace, "v1", ["--bake", "3s"]));
    expect(ran.code, words(ran)).toBe(0);
    const { result, timeline } = parseReport(ran);
    expect(result).toBe("verified");
    expect(timeline.map(({ what }) => what)).toContain("watching it for 3 s more");
  });

  test("is taken back when one of its pods ends, although it was verified", async () => {
    const before = await stableState(world, namespace);
    // Long enough for the verification, however busy the machine is: a pod that ends before is another case.
    const later = ["--set-string", "config.FAULT_CRASH_AFTER_S=45", "--bake", "120s"];
    const ran = await world.ctl(deployArguments(namespace, "v2", later));
    expect(ran.code, words(ran)).toBe(5);
    const report = parseReport(ran);
    const what = report.timeline.map((entry) => entry.what);
    expect(what.findIndex((line) => line.startsWith("verified:"))).toBeGreaterThan(-1);
    expect(what).toContain("watching it for 120 s more");
    expect(report).toMatchObject({ result: "restored", fault: { kind: "CrashLoop" } });
    const after = await stableState(world, namespace);
    expect(after).toMatchObject({ image: before.image, digest: before.digest, configMap: before.configMap });

    const history = await world.ctl(["history", "-n", namespace, "--release", release]);
    expect(history.stdout).toMatch(/fail.*CrashLoop/);
  });
});
