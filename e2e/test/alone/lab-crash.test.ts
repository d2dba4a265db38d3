import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareMachineStates, readMachineState } from "../../src/machine-state.ts";
import { run } from "../../src/run.ts";
import { seededNumbers } from "../../src/seed.ts";
import { World, root } from "../../src/world.ts";

const name = "e2e-crash";
const env = { ...process.env, LAB_NAME: name };
const lab = async (...args: string[]) =>
  await run(process.execPath, ["packages/lab/src/main.ts", ...args], { cwd: root, env });

let world: World;

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  await lab("down");
});

describe("a second lab beside the first", () => {
  test("runs at the same time; after SIGKILL of half of its processes `down` leaves the machine as it was", async () => {
    // The first lab's own coming and going, and what the shell around the test does, is not the second's doing.
    const others = new RegExp(`safe-deploy[-/](?!${name})|${world.env["LAB_NAME"] ?? "lab-"}|vitest|node `);
    const before = readMachineState();
    const up = await lab("up", "--install", "--addons", "core");
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const second = await lab("exec", "--", "kubectl", "get", "nodes", "-o", "name");
    expect(second.stdout).toContain(`node/${name}`);
    expect((await world.kubectl(["get", "--raw", "/readyz"])).stdout).toBe("ok");

    const status = JSON.parse((await lab("status", "-o", "json")).stdout) as {
      node: { components: { pid?: number }[] };
    };
    const pids = status.node.components.flatMap(({ pid }) => pid ?? []);
    expect(pids.length).toBeGreaterThanOrEqual(6);
    const order = seededNumbers("half", pids.length);
    const half = pids
      .map((pid, index) => ({ pid, at: order[index] ?? 0 }))
      .toSorted((a, b) => a.at - b.at)
      .slice(0, Math.ceil(pids.length / 2));
    for (const { pid } of half) process.kill(pid, "SIGKILL");

    const down = await lab("down");
    expect(down.code, down.stdout + down.stderr).toBe(0);
    expect(compareMachineStates(before, readMachineState(), others)).toEqual([]);
    expect((await world.kubectl(["get", "--raw", "/readyz"])).stdout).toBe("ok");
  });
});
