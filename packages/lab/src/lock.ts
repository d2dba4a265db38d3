import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { LabError, exitCodes } from "./errors.ts";
import { cacheDirectory } from "./identity.ts";

/** Machine-wide for root, who alone runs labs; others only build binaries into a cache of their own. */
const directory = process.getuid?.() === 0 ? "/run/lock" : path.join(cacheDirectory, "locks");
const busy = 75;

/**
 * Takes the lock of that name, waiting for its holder up to `deadlineSeconds`.
 *
 * The kernel's flock is held by a small child that lives as long as this process keeps its stdin open,
 * so a killed holder never leaves a stale lock. The file names the holder, for the message to who waits.
 */
export async function takeLock(
  name: string,
  options: { purpose: string; deadlineSeconds: number; onWait?: (holder: string) => void },
): Promise<Disposable> {
  mkdirSync(directory, { recursive: true });
  const file = lockFile(name);
  const held = (await hold(file, 0)) ?? (await waitFor(file, options));
  writeFileSync(file, `${options.purpose} (process ${process.pid})`);
  return held;
}

export function lockFile(name: string): string {
  return path.join(directory, `safe-deploy-${name}.lock`);
}

async function waitFor(
  file: string,
  options: { deadlineSeconds: number; onWait?: (holder: string) => void },
): Promise<Disposable> {
  options.onWait?.(holder(file));
  const held = await hold(file, options.deadlineSeconds);
  if (held) return held;
  throw new LabError(
    `waited ${options.deadlineSeconds} s for another lab command to end: ${holder(file)} holds ${file}`,
    { hint: "Let it finish or end that process, then run this command again.", exitCode: exitCodes.deadline },
  );
}

function holder(file: string): string {
  return readFileSync(file, "utf8").trim() || "a process that is just starting";
}

async function hold(file: string, waitSeconds: number): Promise<Disposable | undefined> {
  const child = spawn(
    "flock",
    ["--conflict-exit-code", String(busy), "--wait", String(waitSeconds), file, "sh", "-c", "echo held; exec cat >&2"],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  return await new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new LabError(`flock could not be started: ${cause.message}`, { cause })));
    child.once("exit", (code) => {
      if (code === busy) resolve(undefined);
      else reject(new LabError(`flock ${file} ended with ${code}`));
    });
    child.stdout.once("data", () => {
      // Neither the child nor its pipes may keep a finished command alive.
      child.unref();
      for (const stream of [child.stdin, child.stdout]) (stream as unknown as { unref?: () => void }).unref?.();
      resolve({ [Symbol.dispose]: () => void child.stdin.end() });
    });
  });
}
