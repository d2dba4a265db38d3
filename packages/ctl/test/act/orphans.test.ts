import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { endOrphans } from "../../src/act/orphans.ts";
import { processIdentity, stateOf } from "../../src/act/process-identity.ts";
import { operationVariable } from "../../src/domain/operation.ts";

/** A process that runs until it is ended; resolves once it runs its own program. */
async function child(
  environment: Record<string, string> = {},
  script = "setInterval(() => {}, 1e6)",
): Promise<ChildProcess> {
  const started = spawn(process.execPath, ["-e", `${script}; console.log("up")`], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void started.kill("SIGKILL"));
  await once(started.stdout as NodeJS.EventEmitter, "data");
  return started;
}

describe("children of a ctl that died", () => {
  test("are found by their operation and ended, even if they do not want to; others live on", async () => {
    const operation = randomUUID();
    const stubborn = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6)`;
    const orphans = [
      await child({ [operationVariable]: operation }),
      await child({ [operationVariable]: operation }, stubborn),
    ];
    const other = await child({ [operationVariable]: randomUUID() });
    const longer = await child({ [operationVariable]: `${operation}-2` });
    const ends = orphans.map((orphan) => once(orphan, "exit"));

    const ended = await endOrphans(operation);
    expect(new Set(ended)).toEqual(new Set(orphans.map(({ pid }) => pid)));
    for (const end of ends) expect(await end).toEqual([null, "SIGKILL"]);
    expect([other.exitCode, other.signalCode, longer.exitCode, longer.signalCode]).toEqual([null, null, null, null]);
  });

  test("are none when nothing was left", async () => {
    expect(await endOrphans(randomUUID())).toEqual([]);
  });
});

describe("the identity of a process", () => {
  test("says that it runs, and that it is gone once it has ended", async () => {
    const one = await child();
    const identity = processIdentity(one.pid);
    expect(stateOf(identity)).toBe("runs");
    one.kill("SIGKILL");
    await once(one, "exit");
    expect(stateOf(identity)).toBe("gone");
  });

  test("is this process's own without a number", () => {
    expect(stateOf(processIdentity())).toBe("runs");
  });

  test("is told from a later process with the same number, and from one before a reboot", () => {
    const [host, boot, pid, start] = processIdentity().split("/");
    expect(stateOf([host, boot, pid, Number(start) - 1].join("/"))).toBe("gone");
    expect(stateOf([host, "00000000", pid, start].join("/"))).toBe("gone");
  });

  test.each(["", "elsewhere/12345678/1/1", "no identity"])("of %j cannot be told here", (identity) => {
    expect(stateOf(identity)).toBe("elsewhere");
  });
});
