import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  ProcessTable,
  identify,
  isAlive,
  isZombie,
  parseStartTime,
  signal,
  startDetached,
  waitForEnd,
} from "../src/node/process.ts";

let directory: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "lab-process-"));
});

afterEach(() => {
  child?.kill("SIGKILL");
  child = undefined;
  rmSync(directory, { recursive: true });
});

function startSleep() {
  child = spawn("sleep", ["60"], { stdio: "ignore" });
  return identify(child.pid!)!;
}

describe("the identity of a process", () => {
  const stat = "42 (a (odd) name) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2000";

  test("is read from a line whose name holds spaces and brackets", () => {
    expect(parseStartTime(stat)).toBe(98765);
  });

  test("cannot be read from something else", () => {
    expect(() => parseStartTime("hello")).toThrow("not the text of a /proc/PID/stat");
  });

  test("tells a process from a zombie", () => {
    expect(isZombie(stat)).toBe(false);
    expect(isZombie(stat.replace(") S", ") Z"))).toBe(true);
  });

  test("is lost when the process ends", async () => {
    const id = startSleep();
    expect(isAlive(id)).toBe(true);
    signal(id, "SIGKILL");
    expect(await waitForEnd([id], 10_000)).toEqual([]);
    expect(isAlive(id)).toBe(false);
  });

  test("does not fit another process that got the same pid", () => {
    const id = startSleep();
    expect(isAlive({ ...id, startTime: id.startTime - 1 })).toBe(false);
    expect(isAlive({ ...id, bootId: "another boot" })).toBe(false);
  });

  test("keeps a signal from a stranger with the same pid", () => {
    const id = startSleep();
    signal({ ...id, startTime: id.startTime - 1 }, "SIGKILL");
    expect(isAlive(id)).toBe(true);
  });
});

describe("a detached process", () => {
  test("has a session of its own, enters its cgroup first and writes to its log", async () => {
    const cgroup = path.join(directory, "cgroup.procs");
    const log = path.join(directory, "logs", "out.log");
    const command = ["sh", "-c", "echo words; echo more >&2; cut -d' ' -f6 /proc/self/stat"];
    const started = await startDetached({ command, cgroup, log, cwd: directory });
    expect(await started.exited).toBe("exit code 0");
    expect(readFileSync(cgroup, "utf8").trim()).toBe(String(started.id.pid));
    expect(readFileSync(log, "utf8")).toBe(`words\nmore\n${started.id.pid}\n`);
  });

  test("tells how it ended early", async () => {
    const o = { cgroup: path.join(directory, "procs"), log: path.join(directory, "log"), cwd: directory };
    expect(await (await startDetached({ ...o, command: ["sh", "-c", "exit 7"] })).exited).toBe("exit code 7");
  });
});

describe("the table of processes", () => {
  test("gives back what was written and nothing for a file cut off by a crash", () => {
    const table = new ProcessTable({ state: directory });
    expect(table.list().size).toBe(0);
    const record = { ...identify(process.pid)!, fingerprint: "f", startedAt: "2026-01-01T00:00:00Z" };
    table.write("etcd", record);
    expect(table.read("etcd")).toEqual(record);
    writeFileSync(path.join(directory, "processes", "kubelet.json"), '{"pid": 1');
    expect([...table.list().keys()]).toEqual(["etcd"]);
    table.remove("etcd");
    expect(table.read("etcd")).toBeUndefined();
  });
});
