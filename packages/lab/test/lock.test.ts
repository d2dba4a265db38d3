import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { LabError } from "../src/errors.ts";
import { lockFile, takeLock } from "../src/lock.ts";

const name = `test-${process.pid}`;

afterEach(() => rmSync(lockFile(name), { force: true }));

test("a lock that is held is not given to a second one, who is told by whom it is held", async () => {
  using _held = await takeLock(name, { purpose: "lab up", deadlineSeconds: 0 });
  const waits: string[] = [];
  const second = takeLock(name, { purpose: "lab down", deadlineSeconds: 0, onWait: (holder) => waits.push(holder) });
  await expect(second).rejects.toThrow(LabError);
  expect(waits).toEqual([`lab up (process ${process.pid})`]);
});

test("who waits gets the lock when it is given up", async () => {
  const held = await takeLock(name, { purpose: "lab up", deadlineSeconds: 0 });
  const second = takeLock(name, {
    purpose: "lab down",
    deadlineSeconds: 60,
    onWait: () => held[Symbol.dispose](),
  });
  (await second)[Symbol.dispose]();
});

test("a holder that is killed leaves no lock behind", async () => {
  const module = path.resolve(import.meta.dirname, "../src/lock.ts");
  const script = `
    const { takeLock } = await import(${JSON.stringify(module)});
    const held = await takeLock(${JSON.stringify(name)}, { purpose: "killed", deadlineSeconds: 0 });
    console.log("held"); setInterval(() => held, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  await expect(takeLock(name, { purpose: "second", deadlineSeconds: 0 })).rejects.toThrow("killed");
  holder.kill("SIGKILL");
  (await takeLock(name, { purpose: "second", deadlineSeconds: 60 }))[Symbol.dispose]();
});
