import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resources } from "@safe-deploy/kube";
import { deployArguments, faultValues, release } from "../src/app-release.ts";
import { faultCases, prepareFaultNamespace } from "../src/fault-cases.ts";
import { parseReport, stableState } from "../src/report.ts";
import { World } from "../src/world.ts";

const namespace = "e2e-faults";

let world: World;

beforeAll(async () => {
  world = await World.attach();
  await prepareFaultNamespace(world, namespace);
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

describe("ctl deploy of a bad release", () => {
  test.each(faultCases)(
    "$name: found, taken back and explained",
    async ({ version = "v2", more, preflight, cause }) => {
      const before = await stableState(world, namespace);
      const load = await world.load(namespace, release, {
        scenario: "baseline",
        rate: 20,
        duration: "3m",
        paths: ["/health"],
      });

      if (preflight) {
        const refused = await world.ctl(deployArguments(namespace, version, more));
        expect(refused.code, refused.stdout + refused.stderr).toBe(3);
        expect(refused.stdout).toMatch(cause);
        expect(await stableState(world, namespace)).toEqual(before);
      }
      const ran = await world.ctl(deployArguments(namespace, version, [...more, "--skip-preflight"]));
      const traffic = await load.stop();

      expect(ran.code, ran.stdout + ran.stderr).toBe(5);
      const report = parseReport(ran);
      expect(report.result).toBe("restored");
      expect(JSON.stringify(report)).toMatch(cause);
      const after = await stableState(world, namespace);
      expect({ ...after, helmRevision: 0, verdicts: [] }).toEqual({ ...before, helmRevision: 0, verdicts: [] });
      expect(traffic.totals.requests).toBeGreaterThan(0);
      expect(traffic.totals.failed, JSON.stringify(traffic.totals)).toBe(0);
    },
  );

  test("--no-rollback leaves it and exits with 6", async () => {
    const ran = await world.ctl(deployArguments(namespace, "v2", ["-f", faultValues("crash"), "--no-rollback"]));
    expect(ran.code, ran.stdout + ran.stderr).toBe(6);
    const { items } = await world.kube.list(resources.Deployment, { namespace });
    expect(JSON.stringify(items[0]?.spec.template)).toContain("licence file");
    const status = await world.ctl(["status", "-n", namespace]);
    expect(status.code, status.stdout).toBe(6);
    const back = await world.ctl(["rollback", "-n", namespace]);
    expect(back.code, back.stdout + back.stderr).toBe(0);
  });

  test("the first release of all is removed without a trace of its objects", async () => {
    const first = "e2e-faults-first";
    await world.namespace(first);
    const ran = await world.ctl(deployArguments(first, "v1", ["-f", faultValues("crash")]));
    expect(ran.code, ran.stdout + ran.stderr).toBe(5);
    expect(parseReport(ran).result).toBe("removed");
    const left = await world.kubectl([
      "get",
      "deploy,svc,secret,cm,sa,role,rolebinding,job",
      "-n",
      first,
      "-o",
      "name",
    ]);
    const own = left.stdout.split("\n").filter((name) => name.includes(release) && !name.includes("-ledger-"));
    expect(own).toEqual([]);
    await world.removeNamespace(first);
  });
});
