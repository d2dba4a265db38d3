import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import type * as Lock from "../../src/lock.ts";
import type * as Recipes from "../../src/toolchain/recipe.ts";
import type * as Tools from "../../src/toolchain/tools.ts";

vi.setConfig({ testTimeout: 60_000 });

let cache: string;
let tools: typeof Tools;
let lock: typeof Lock;
let recipes: typeof Recipes;

beforeAll(async () => {
  cache = mkdtempSync(path.join(tmpdir(), "tools-"));
  // Go's own cache stays the person's: what is tested is the lab's.
  const { stdout } = await promisify(execFile)("go", ["env", "GOCACHE"]);
  vi.stubEnv("GOCACHE", stdout.trim());
  vi.stubEnv("XDG_CACHE_HOME", cache);
  tools = await import("../../src/toolchain/tools.ts");
  lock = await import("../../src/lock.ts");
  recipes = await import("../../src/toolchain/recipe.ts");
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});
beforeEach(() => rmSync(path.join(cache, "safe-deploy"), { recursive: true, force: true }));

it("compiles a missing binary into the cache, finds it there the next time, and says both", async () => {
  const lines: string[] = [];
  const onProgress = (line: string) => lines.push(line);
  expect((await tools.missingTools(["pause"])).map((it) => it.name)).toEqual(["pause"]);
  const first = await tools.ensureTools(["pause"], { onProgress });
  expect(first.pause.startsWith(cache)).toBe(true);
  expect(statSync(first.pause).mode & 0o111).toBe(0o111);
  expect(lines).toEqual([
    expect.stringMatching(/^pause .*compiling, about/),
    expect.stringMatching(/^pause .*built in/),
  ]);
  lines.length = 0;
  expect(await tools.ensureTools(["pause"], { onProgress })).toEqual(first);
  expect(lines).toEqual([]);
  expect(await tools.missingTools(["pause"])).toEqual([]);
});

// Go compiles its own library for the other architecture the first time.
it("keeps the other architecture's binary apart", { timeout: 300_000 }, async () => {
  const [amd64, arm64] = await Promise.all([
    tools.ensureTools(["pause"], { arch: "amd64" }),
    tools.ensureTools(["pause"], { arch: "arm64" }),
  ]);
  const machine = async (file: string) =>
    (await promisify(execFile)("od", ["-An", "-tx2", "-j18", "-N2", file])).stdout.trim();
  // e_machine of the ELF header: 0x3e is x86-64, 0xb7 is AArch64.
  expect([await machine(amd64.pause), await machine(arm64.pause)]).toEqual(["003e", "00b7"]);
});

it("waits for another process that compiles the same, says so, and takes over when that one is gone", async () => {
  const { key, file } = await recipes.makeRecipe("pause", recipes.hostArchitecture());
  const other = await lock.takeLock(`tool-${key}`, { purpose: "compiling pause", deadlineSeconds: 1 });
  const waits = Promise.withResolvers<string>();
  const building = tools.ensureTools(["pause"], {
    onProgress: (line) => {
      if (line.includes("waiting")) waits.resolve(line);
    },
  });
  expect(await waits.promise).toContain(`compiling pause (process ${process.pid})`);
  expect(existsSync(file)).toBe(false);
  other[Symbol.dispose]();
  expect((await building).pause).toBe(file);
});

it("two at once give one binary", async () => {
  const both = await Promise.all([tools.ensureTools(["pause"]), tools.ensureTools(["pause"])]);
  expect(both[0]).toEqual(both[1]);
  expect(readdirSync(path.dirname(both[0].pause))).toEqual(["pause"]);
});

it("leaves no half binary when it is interrupted, and goes on from there the next time", async () => {
  const { file } = await recipes.makeRecipe("pause", recipes.hostArchitecture());
  const interrupt = new AbortController();
  const building = tools.ensureTools(["pause"], {
    signal: interrupt.signal,
    onProgress: () => setImmediate(() => interrupt.abort()),
  });
  await expect(building).rejects.toThrow(/interrupted|aborted/);
  expect(existsSync(file)).toBe(false);
  expect((await tools.ensureTools(["pause"])).pause).toBe(file);
  expect(readdirSync(path.dirname(file))).toEqual(["pause"]);
});

it("links tools and other programs into one directory for PATH", async () => {
  const directory = await tools.toolPath(["pause"], { node: process.execPath });
  expect(readdirSync(directory)).toEqual(["node", "pause"]);
  expect(readlinkSync(path.join(directory, "node"))).toBe(process.execPath);
  expect(await tools.toolPath(["pause"], { node: process.execPath })).toBe(directory);
});

it("without Go says what Go was needed for", async () => {
  const { PATH } = process.env;
  vi.stubEnv("PATH", "/nonexistent");
  try {
    await expect(tools.ensureTools(["pause"])).rejects.toThrow(/Go is needed to build pause/);
    expect((await tools.missingTools(["pause"])).map((it) => it.name)).toEqual(["pause"]);
  } finally {
    vi.stubEnv("PATH", PATH);
  }
});
