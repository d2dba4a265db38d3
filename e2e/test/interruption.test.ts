import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isFull } from "../src/full-run.ts";
import { deployArguments, image, release } from "../src/app-release.ts";
import { parseReport, stableState } from "../src/report.ts";
import { recordRow } from "../src/results.ts";
import { killedAfter } from "../src/killed-after.ts";
import { seededNumbers } from "../src/seed.ts";
import { World } from "../src/world.ts";

const namespace = "e2e-interruption";
const moments = isFull ? 10 : 1;
/** A deploy or rollback on the lab takes about this long, in milliseconds. */
const spanMs = 9_000;
let world: World;

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

function record(what: string, at: number, codes: { first: number | null; again: number | null }): void {
  recordRow("ctl killed in the middle of its work, and the same command again", {
    "killed in": what,
    "after (s)": ((at * spanMs) / 1000).toFixed(1),
    "first run": codes.first === null ? "killed" : `had ended with ${codes.first}`,
    "exit code of the second": codes.again ?? "a signal",
  });
}

describe("ctl killed in the middle", () => {
  beforeEach(async () => {
    await world.namespace(namespace);
    const ran = await world.ctl(deployArguments(namespace, "v1"));
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  });

  test.each(seededNumbers("deploy", moments))(
    "of a good deploy, at %d of its way: the same command finishes it",
    async (at) => {
      const killed = await killedAfter(world, at * spanMs, deployArguments(namespace, "v2"));
      const again = await world.ctl(deployArguments(namespace, "v2"));
      record("a good deploy", at, { first: killed.code, again: again.code });
      expect(again.code, again.stdout + again.stderr).toBe(0);
      expect((await stableState(world, namespace)).image).toContain(image("v2"));
    },
  );

  test.each(seededNumbers("bad deploy", moments))(
    "of a bad deploy, at %d of its way: the same command restores",
    async (at) => {
      const bad = deployArguments(namespace, "v2", ["--set-string", "config.BOOT_DELAY=soon", "--skip-preflight"]);
      const before = await stableState(world, namespace);
      const killed = await killedAfter(world, at * spanMs, bad);
      const again = await world.ctl(bad);
      record("a bad deploy", at, { first: killed.code, again: again.code });
      expect(again.code, again.stdout + again.stderr).toBe(5);
      expect(parseReport(again).result).toBe("restored");
      const after = await stableState(world, namespace);
      expect({ ...after, helmRevision: 0, verdicts: [] }, `first run ended with ${killed.code}`).toEqual({
        ...before,
        helmRevision: 0,
        verdicts: [],
      });
    },
  );

  test.each(seededNumbers("rollback", moments))(
    "of a rollback, at %d of its way: the same command finishes it",
    async (at) => {
      for (const version of ["v2", "v3"]) {
        const ran = await world.ctl(deployArguments(namespace, version));
        expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      }
      const args = ["rollback", "-n", namespace, "--release", release, "-o", "json"];
      const killed = await killedAfter(world, at * spanMs, args);
      // A rollback that had ended already is a whole one, and a second would go one further back.
      if (killed.code !== 0) {
        const again = await world.ctl(args);
        record("a rollback", at, { first: killed.code, again: again.code });
        expect(again.code, again.stdout + again.stderr).toBe(0);
      }
      expect((await stableState(world, namespace)).image).toContain(image("v2"));
    },
  );
});

describe("two ctl at once", () => {
  test("one refuses, the other finishes", async () => {
    await world.namespace(namespace);
    const [one, two] = await Promise.all([
      world.ctl(deployArguments(namespace, "v1")),
      world.ctl(deployArguments(namespace, "v1")),
    ]);
    const codes = [one.code, two.code].toSorted((a, b) => Number(a) - Number(b));
    expect(codes, one.stdout + two.stdout + one.stderr + two.stderr).toEqual([0, 3]);
    expect([one, two].find(({ code }) => code === 3)?.stdout).toContain("CTL_E_LOCKED");
  });
});
