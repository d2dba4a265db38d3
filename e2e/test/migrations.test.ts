import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resources } from "@safe-deploy/kube";
import { deployArguments, release } from "../src/app-release.ts";
import { dsn, sql, startPostgres } from "../src/postgres.ts";
import { World } from "../src/world.ts";

const namespace = "e2e-migrations";
let world: World;

const withDatabase = [
  "--set-string",
  `secrets.DB_DSN=${dsn}`,
  "--set",
  "migrations.enabled=true",
  "--set-string",
  "migrations.version=20251028",
];
const ctl = async (...args: string[]) => await world.ctl([...args, "-n", namespace, "--release", release]);

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  await startPostgres(world, namespace);
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

describe("migrations", () => {
  test("run as a Job before the new code: label, one try, the version asked for", async () => {
    const ran = await world.ctl(deployArguments(namespace, "v1", withDatabase));
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const { items } = await world.kube.list(resources.Job, { namespace, labelSelector: "job-type=migration" });
    expect(items).toHaveLength(1);
    expect(items[0]?.spec.backoffLimit).toBe(0);
    expect(items[0]?.spec.template.spec.containers[0]?.args).toEqual(["upgrade", "20251028"]);
    expect(await sql(world, namespace, "select to_regclass('notes') is not null")).toBe("t");
  });

  test("by hand: status, upgrade to the newest, one step down", async () => {
    const up = await ctl("migrate", "upgrade");
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const down = await ctl("migrate", "downgrade", "20251028");
    expect(down.code, down.stdout + down.stderr).toBe(0);
    const status = await ctl("migrate", "status");
    expect(status.code, status.stdout + status.stderr).toBe(0);
    expect(status.stdout).toContain("20251028");
  });

  test("a migration that fails ends the deploy before the new code runs, with the Job's own words", async () => {
    const before = await world.liveDigest(namespace, release);
    const ran = await world.ctl(
      deployArguments(namespace, "v2", [
        ...withDatabase,
        "--set-string",
        "migrations.version=19990101",
        "--skip-preflight",
      ]),
    );
    expect(ran.code, ran.stdout + ran.stderr).toBe(5);
    expect(ran.stdout).toMatch(/19990101/);
    expect(await world.liveDigest(namespace, release)).toBe(before);
  });
});
