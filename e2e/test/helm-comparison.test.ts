import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isFull } from "../src/full-run.ts";
import { deployArguments } from "../src/app-release.ts";
import { deployGood, faultCases, prepareFaultNamespace } from "../src/fault-cases.ts";
import { describeEndState, endState, helmDeploy, helmFlags } from "../src/helm-comparison.ts";
import { stableState } from "../src/report.ts";
import { recordRow } from "../src/results.ts";
import { World } from "../src/world.ts";

const namespace = "e2e-helm-comparison";
const table = "A bad release: ctl beside Helm alone";
/** All faults with the timeout that the benchmarks use; or one fault, quickly. */
const timeoutSeconds = isFull ? 60 : 15;
const cases = isFull ? faultCases : faultCases.filter(({ name }) => name === "a command that exits with 1");
let world: World;

beforeAll(async () => {
  world = await World.attach();
  await prepareFaultNamespace(world, namespace);
});

afterAll(async () => {
  await world?.removeNamespace(namespace);
});

describe.each(cases)("$name", (fault) => {
  beforeEach(async () => {
    await deployGood(world, namespace);
  });

  test("ctl deploy takes it back", async () => {
    const before = await stableState(world, namespace);
    const ran = await world.ctl(deployArguments(namespace, fault.version ?? "v2", [...fault.more, "--skip-preflight"]));
    const end = await endState(world, namespace, before);
    recordRow(table, {
      fault: fault.name,
      command: "ctl deploy --skip-preflight",
      seconds: ran.seconds.toFixed(1),
      "end state": `${describeEndState(end)}; verified again`,
    });
    expect(ran.code, ran.stdout + ran.stderr).toBe(5);
    expect(end).toMatchObject({ isImageBack: true, isConfigBack: true, podsReady: end.podsWanted });
  });

  test.each(isFull ? ([4, 3] as const) : ([4] as const))(
    "Helm %d told to roll back fails, and ctl puts in order what it leaves",
    async (major) => {
      const ran = await helmDeploy(world, namespace, fault, { major, timeoutSeconds });
      recordRow(table, {
        fault: fault.name,
        command: `Helm ${major}: helm upgrade ${helmFlags[major].join(" ")} --timeout ${timeoutSeconds}s`,
        seconds: ran.seconds.toFixed(1),
        "end state": describeEndState(ran.end),
      });
      expect(ran.code, ran.stderr).not.toBe(0);
      expect(ran.end.releaseStatus).toMatch(/^(deployed|failed|pending-upgrade|pending-rollback)$/);
      await deployGood(world, namespace);
      expect((await stableState(world, namespace)).image).toContain(":v1");
    },
  );
});
