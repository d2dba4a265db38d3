import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFull } from "../../src/full-run.ts";
import { deployArguments, release } from "../../src/app-release.ts";
import { recordRow } from "../../src/results.ts";
import { World } from "../../src/world.ts";

const namespace = "e2e-zero-downtime";
const repetitions = isFull ? 3 : 1;
let world: World;

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  const ran = await world.ctl(deployArguments(namespace, "v1"));
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

describe("under 50 requests/s", () => {
  test.each(Array.from({ length: repetitions }, (_, i) => i + 1))(
    "a good upgrade and a good rollback fail no request (%d)",
    async (repetition) => {
      for (const connections of ["new", "reuse"] as const) {
        const load = await world.load(namespace, release, {
          scenario: "baseline",
          rate: 50,
          duration: "5m",
          paths: ["/version", "/api/v1/version"],
          connections,
        });
        await delay(1_000);
        const upgrade = await world.ctl(
          deployArguments(namespace, "v2", ["--set-string", `config.ROUND=${repetition}-${connections}`]),
        );
        const back = await world.ctl(["rollback", "-n", namespace, "--release", release]);
        await delay(1_000);
        const traffic = await load.stop();
        expect(upgrade.code, upgrade.stdout + upgrade.stderr).toBe(0);
        expect(back.code, back.stdout + back.stderr).toBe(0);
        expect(Object.keys(traffic.totals.byVersion).sort()).toEqual(["v1", "v2"]);
        recordRow("A good upgrade and a good rollback under 50 requests/s", {
          round: repetition,
          connections: connections === "new" ? "a new one for each request" : "kept",
          requests: traffic.totals.requests,
          failed: traffic.totals.failed,
          dropped: traffic.totals.dropped,
        });
        expect(traffic.totals.failed, JSON.stringify(traffic.totals)).toBe(0);
        expect(traffic.totals.dropped, JSON.stringify(traffic.totals)).toBe(0);
      }
    },
  );
});
