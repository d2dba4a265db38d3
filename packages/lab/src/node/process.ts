import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { once } from "node:events";

/**
 * Which process exactly: a pid alone may belong to a stranger by now, a pid together with its start time
 * (clock ticks since boot, field 22 of /proc/PID/stat) and the boot it counts from may not.
 */
export type ProcessId = { pid: number; startTime: number; bootId: string };

export type ProcessRecord = ProcessId & {
  /** Hash of the command line and of the files it reads: another one means the process must be replaced. */
  fingerprint: string;
  startedAt: string;
};

/** Start time of a process from the text of its /proc/PID/stat. The name in it may hold spaces and brackets. */
export function parseStartTime(stat: string): number {
  const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // The field after the name is number 3, the state.
  const startTime = Number(afterName[22 - 3]);
  if (!Number.isInteger(startTime)) throw new Error(`not the text of a /proc/PID/stat: ${stat}`);
  return startTime;
}

export function isZombie(stat: string): boolean {
  return stat.charAt(stat.lastIndexOf(")") + 2) === "Z";
}

export function identify(pid: number): ProcessId | undefined {
  const stat = readStat(pid);
  return stat === undefined || (isZombie(stat) && !hasOtherThreads(pid))
    ? undefined
    : { pid, startTime: parseStartTime(stat), bootId: bootId() };
}

export function isAlive(id: ProcessId): boolean {
  const now = identify(id.pid);
  return now !== undefined && now.startTime === id.startTime && now.bootId === id.bootId;
}

/** Sends the signal only if the pid is still the process that was recorded. */
export function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Where the record of a process is kept. */
export function processFile(lab: { state: string }, name: string): string {
  return path.join(lab.state, "processes", `${name}.json`);
}

/** The records of the lab's processes, one JSON file each. */
export class ProcessTable {
  readonly #lab: { state: string };

  constructor(lab: { state: string }) {
    this.#lab = lab;
  }

  read(name: string): ProcessRecord | undefined {
    try {
      return JSON.parse(readFileSync(processFile(this.#lab, name), "utf8")) as ProcessRecord;
    } catch {
      // Missing, or cut off by a crash while it was written: the process, if any, is found by its cgroup.
      return undefined;
    }
  }

  list(): Map<string, ProcessRecord> {
    const records = new Map<string, ProcessRecord>();
    try {
      for (const file of readdirSync(path.dirname(processFile(this.#lab, "")))) {
        const name = path.basename(file, ".json");
        const record = this.read(name);
        if (record) records.set(name, record);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    return records;
  }

  write(name: string, record: ProcessRecord): void {
    mkdirSync(path.dirname(processFile(this.#lab, name)), { recursive: true });
    writeFileSync(processFile(this.#lab, name), JSON.stringify(record));
  }

  remove(name: string): void {
    rmSync(processFile(this.#lab, name), { force: true });
  }
}

export type Started = { id: ProcessId; exited: Promise<string> };

/**
 * Starts a program in its own session, so that it outlives this command, writing to `log`.
 * `cgroup` is a cgroup.procs file it enters first. `exited` resolves with how it ended, should it end early.
 */
export async function startDetached(options: {
  command: readonly string[];
  cgroup: string;
  log: string;
  cwd: string;
}): Promise<Started> {
  mkdirSync(path.dirname(options.log), { recursive: true });
  const log = openSync(options.log, "a");
  try {
    const child = spawn("/bin/sh", ["-c", 'echo $$ > "$0" && exec "$@"', options.cgroup, ...options.command], {
      cwd: options.cwd,
      detached: true,
      stdio: ["ignore", log, log],
      env: environment(),
    });
    const exited = once(child, "exit").then(([code, name]) => `exit code ${code ?? name}`);
    await once(child, "spawn");
    child.unref();
    const id = identify(child.pid!);
    if (!id) throw new Error(`${options.command[0]} ended at once (${await exited}); see ${options.log}`);
    return { id, exited };
  } finally {
    closeSync(log);
  }
}

/** Waits until none of the processes is left, or the deadline passes; returns those that are left. */
export async function waitForEnd(ids: ProcessId[], deadlineMs: number): Promise<ProcessId[]> {
  const deadline = Date.now() + deadlineMs;
  let left = ids.filter(isAlive);
  while (left.length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    left = left.filter(isAlive);
  }
  return left;
}

/** A proxy or a kubeconfig of the person's own shell must not reach the cluster's components. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LANG: "C.UTF-8" };
}

/** A process whose first thread has ended keeps its files and ports until the last one has. */
function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return boot;
}
