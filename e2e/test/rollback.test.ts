import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inFullRun } from "../src/full-run.ts";
import { deployArguments, faultValues, image, release, valuesFiles } from "../src/app-release.ts";
import { ctlTag } from "../src/images.ts";
import { stableState } from "../src/report.ts";
import { World, chart } from "../src/world.ts";

const namespace = "e2e-rollback";
let world: World;

const ctl = async (...args: string[]) => await world.ctl([...args, "-n", namespace, "--release", release]);
const version = async () => (await stableState(world, namespace)).image.replace(/@.*$/, "");

async function twoGoodOnesThenABadOne(): Promise<void> {
  await world.namespace(namespace);
  for (const good of ["v1", "v2"]) {
    const ran = await world.ctl(deployArguments(namespace, good));
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  }
  const bad = await world.ctl(deployArguments(namespace, "v3", ["-f", faultValues("crash"), "--no-rollback"]));
  expect(bad.code, bad.stdout + bad.stderr).toBe(6);
}

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

describe("rollback", () => {
  test("goes back to the newest verified release, then to the one before; never to the bad one, never to itself", async () => {
    await twoGoodOnesThenABadOne();
    const first = await ctl("rollback");
    expect(first.code, first.stdout + first.stderr).toBe(0);
    expect(await version()).toBe(image("v2"));
    const second = await ctl("rollback");
    expect(second.code, second.stdout + second.stderr).toBe(0);
    expect(await version()).toBe(image("v1"));
    const third = await ctl("rollback");
    expect(third.code, third.stdout + third.stderr).toBe(3);
    expect(third.stderr).toContain("CTL_E_NO_TARGET");
    expect(await version()).toBe(image("v1"));
  });

  test("refuses a revision that was judged bad, one that is live and one that does not exist", async () => {
    const history = JSON.parse((await ctl("history", "-o", "json")).stdout) as {
      revisions: { revision: number; verdict: string; mark: string }[];
    };
    const bad = history.revisions.find(({ verdict }) => verdict === "fail");
    const live = history.revisions.find(({ mark }) => mark === "live");
    expect(bad).toBeDefined();
    for (const revision of [bad?.revision, live?.revision, 99]) {
      const ran = await ctl("rollback", "--to", String(revision));
      expect(ran.code, ran.stderr).toBe(3);
      expect(ran.stderr).toContain("CTL_E_BAD_TARGET");
    }
    expect(await version()).toBe(image("v1"));
  });

  test.each(inFullRun)("finds its way with a ledger that keeps two entries", async () => {
    await world.namespace(namespace);
    for (const good of ["v1", "v2"]) {
      const ran = await world.ctl(deployArguments(namespace, good, ["--set", "ledger.keep=2"]));
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    }
    for (let i = 0; i < 3; i++) {
      const bad = await world.ctl(
        deployArguments(namespace, "v3", [
          "-f",
          faultValues("crash"),
          "--set",
          "ledger.keep=2",
          "--set-string",
          `config.TRY=${i}`,
        ]),
      );
      expect(bad.code, bad.stdout + bad.stderr).toBe(5);
      expect(await version()).toBe(image("v2"));
    }
    const back = await ctl("rollback");
    expect(back.code, back.stdout + back.stderr).toBe(0);
    expect(await version()).toBe(image("v1"));
  });

  test("refuses to go back by a tag that names another image now, and changes nothing", async () => {
    await world.namespace(namespace);
    await world.lab(["image", "build", "app", "--tag", "moving", "--build-arg", "VERSION=one"]);
    const byTag = (tag: string) =>
      world.helm([
        ...["upgrade", "--install", release, chart, "-n", namespace, ...valuesFiles.flatMap((file) => ["-f", file])],
        ...["--set", `hooks.image.tag=${ctlTag}`, "--set", `image.tag=${tag}`],
      ]);
    expect((await byTag("moving")).code).toBe(0);
    expect((await byTag("v2")).code).toBe(0);
    await world.lab(["image", "build", "app", "--tag", "moving", "--build-arg", "VERSION=another"]);

    const before = await stableState(world, namespace);
    const refused = await ctl("rollback");
    expect(refused.code, refused.stdout + refused.stderr).toBe(3);
    expect(refused.stderr).toContain("CTL_E_TAG_MOVED");
    expect(refused.stderr).toMatch(/@sha256:[0-9a-f]{64}/);
    expect(await stableState(world, namespace)).toEqual(before);

    // The tag is put back: the same command goes through.
    await world.lab(["image", "build", "app", "--tag", "moving", "--build-arg", "VERSION=one"]);
    const back = await ctl("rollback");
    expect(back.code, back.stdout + back.stderr).toBe(0);
    expect(await version()).toBe(image("moving"));
  });
});
