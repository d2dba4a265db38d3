import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resources } from "@safe-deploy/kube";
import { isFull } from "../src/full-run.ts";
import { faultValues, helmArguments, image, release } from "../src/app-release.ts";
import { stableState } from "../src/report.ts";
import { World } from "../src/world.ts";

let world: World;

beforeAll(async () => {
  world = await World.attach();
});

describe.each(isFull ? ([3, 4] as const) : ([4] as const))("the chart under Helm %d alone", (major) => {
  const namespace = `e2e-helm-${major}`;
  const helm = async (...args: string[]) => await world.helm(args, { major });
  const configMaps = async () => {
    const { items } = await world.kube.list(resources.ConfigMap, {
      namespace,
      labelSelector: "safe-deploy.dev/config",
    });
    return items.map(({ metadata }) => metadata.name).sort();
  };
  const secrets = async () => {
    const { items } = await world.kube.list(resources.Secret, { namespace, labelSelector: "safe-deploy.dev/config" });
    return items.map(({ metadata }) => metadata.name).sort();
  };

  beforeAll(async () => {
    await world.namespace(namespace);
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  test("install and upgrade end after the verification, with an entry in the ledger each", async () => {
    for (const version of ["v1", "v2"]) {
      const ran = await helm(...helmArguments(namespace, version));
      expect(ran.code, ran.stderr).toBe(0);
    }
    const state = await stableState(world, namespace);
    expect(state.image).toBe(image("v2"));
    expect(state.verdicts).toEqual(["pass", "pass"]);
  });

  test("helm test runs the declared checks", async () => {
    const ran = await helm("test", release, "-n", namespace);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const job = await world.kube.get(resources.Job, `${release}-smoke`, { namespace });
    expect(job?.status?.succeeded).toBe(1);
    const log = await world.kubectl(["logs", "-n", namespace, `job/${release}-smoke`]);
    expect(log.stdout).toMatch(/ok +health: 3 of 3/);
  });

  test("a failing check fails the upgrade and leaves the verdict; helm rollback brings code and config back", async () => {
    const before = await stableState(world, namespace);
    const bad = await helm(...helmArguments(namespace, "v3", ["--set-string", "flags.FEATURE_NEW=true"]));
    expect(bad.code).not.toBe(0);
    expect((await stableState(world, namespace)).verdicts).toEqual(["pass", "pass", "fail"]);
    const back = await helm("rollback", release, String(before.helmRevision), "-n", namespace, "--wait");
    expect(back.code, back.stderr).toBe(0);
    const after = await stableState(world, namespace);
    expect({ image: after.image, configMap: after.configMap }).toEqual({
      image: before.image,
      configMap: before.configMap,
    });
    expect(after.configData).toEqual(before.configData);
  });

  test("config versions stay while a ReplicaSet or a verified entry needs them, and go when none does", async () => {
    const few = ["--set", "revisionHistoryLimit=1", "--set", "ledger.keep=2"];
    for (const round of ["1", "2", "3", "4"]) {
      const ran = await helm(...helmArguments(namespace, "v2", [...few, "--set-string", `config.ROUND=${round}`]));
      expect(ran.code, ran.stderr).toBe(0);
    }
    const { items } = await world.kube.list(resources.ReplicaSet, { namespace });
    const needed = new Set(
      items
        .flatMap(({ spec }) => spec.template?.spec.containers ?? [])
        .flatMap(({ envFrom }) => envFrom ?? [])
        .flatMap((source) => source.configMapRef?.name ?? []),
    );
    const kept = await configMaps();
    for (const name of needed) expect(kept).toContain(name);
    expect(kept.length).toBeLessThanOrEqual(4);
    expect(await secrets()).toEqual(kept.map((name) => name.replace("-config-", "-secret-")));
  });

  test("an upgrade over a release that an impatient person broke goes through", async () => {
    const broken = await helm(...helmArguments(namespace, "v3", ["-f", faultValues("crash"), "--no-hooks"]));
    expect(broken.code, broken.stderr).toBe(0);
    const ran = await helm(...helmArguments(namespace, "v1"));
    expect(ran.code, ran.stderr).toBe(0);
    expect((await stableState(world, namespace)).image).toBe(image("v1"));
  });
});
