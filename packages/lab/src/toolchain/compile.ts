import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { LabError, exitCodes } from "../errors.ts";
import { takeLock } from "../lock.ts";
import { goEnvironment, type Recipe } from "./recipe.ts";

/** Seconds that one process waits for another that compiles the same binary. */
const longestCompile = 3600;

/**
 * What makes a compile shorter and leaves the binary's behaviour, so no part of the cache's key: debugging
 * information that the linker strips again takes a tenth of it.
 */
const withoutDebugInfo = ["-gcflags=all=-dwarf=false"];

/** Fetches the modules that the binary needs into Go's module cache. */
export async function download(recipe: Recipe, signal: AbortSignal | undefined): Promise<void> {
  const args = ["list", "-deps", ...recipe.flags.filter((flag) => /^-(mod|tags)=/.test(flag)), recipe.tool.package];
  await go(args, recipe, signal);
}

/**
 * Compiles into the cache; the file appears there whole or not at all.
 * Of several processes that want the same binary one compiles and the others wait; when it dies, another takes over.
 */
export async function compile(
  recipe: Recipe,
  o: { signal: AbortSignal | undefined; onWait: (holder: string) => void },
): Promise<void> {
  const directory = path.dirname(recipe.file);
  mkdirSync(directory, { recursive: true });
  using _lock = await takeLock(`tool-${recipe.key}`, {
    purpose: `compiling ${recipe.name}`,
    deadlineSeconds: longestCompile,
    onWait: o.onWait,
  });
  if (existsSync(recipe.file)) return;
  // Whoever left these is dead, for the lock is ours; the go it started may live on, and has a name of its own.
  for (const name of readdirSync(directory).filter((name) => name.startsWith("."))) rmSync(path.join(directory, name));
  const unfinished = path.join(directory, `.${recipe.name}.${process.pid}`);
  try {
    await go(["build", ...withoutDebugInfo, ...recipe.flags, "-o", unfinished, recipe.tool.package], recipe, o.signal);
    renameSync(unfinished, recipe.file);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Runs go in a process group of its own, and ends the whole group (compilers and linker too) with this process. */
async function go(args: string[], recipe: Recipe, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn("go", args, {
    cwd: recipe.directory,
    env: goEnvironment(recipe.arch),
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const end = () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, "SIGINT");
  };
  const stderr: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  process.once("exit", end);
  signal?.addEventListener("abort", end);
  try {
    const code = await new Promise<number | string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exit, killedBy) => resolve(exit ?? killedBy ?? "unknown"));
    });
    if (signal?.aborted)
      throw new LabError(`building ${recipe.name} was interrupted`, { exitCode: exitCodes.interrupted });
    if (code !== 0) throw failure(recipe, args[0] === "list" ? "fetching the modules of" : "compiling", stderr, code);
  } finally {
    process.off("exit", end);
    signal?.removeEventListener("abort", end);
  }
}

function failure(recipe: Recipe, what: string, stderr: Buffer[], code: number | string): LabError {
  const words = Buffer.concat(stderr)
    .toString()
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("go: downloading"));
  return new LabError(`${what} ${recipe.name} ${recipe.version} ended with ${code}:\n${words.slice(-15).join("\n")}`, {
    hint:
      what === "compiling"
        ? `Run the same by hand: cd ${recipe.directory} && CGO_ENABLED=0 go build ${recipe.flags.map((flag) => JSON.stringify(flag)).join(" ")} ${recipe.tool.package}`
        : "Check that the Go module proxy can be reached (go env GOPROXY).",
  });
}
