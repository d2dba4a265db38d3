import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { LabError } from "../errors.ts";
import { toolNames, toolOf, type ToolName } from "./catalog.ts";
import { compile, download } from "./compile.ts";
import { duration, readCompileSeconds, rememberCompileSeconds } from "./estimate.ts";
import { findOnPath } from "./on-path.ts";
import { hostArchitecture, makeRecipe, toolCache, type Architecture, type Recipe } from "./recipe.ts";

export type ToolOptions = {
  /** One line per thing that happens: what is built, how long it takes, what is waited for. */
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
  /** Default: this machine's. Programs on PATH count only there. */
  arch?: Architecture;
};

/** Seconds between two lines about a compile that goes on. */
const reportEvery = 30;

/**
 * Finds each tool on PATH or in the cache and builds the rest: one compile at a time, in the catalog's order, beside
 * the next one's download. Each promise settles when its own binary (absolute path) is there, so that the
 * cluster can start while the others still compile. After a failure nothing more is built.
 */
export function startTools<Name extends ToolName>(
  names: readonly Name[],
  o: ToolOptions = {},
): Record<Name, Promise<string>> {
  const results = new Map(names.map((name) => [name, Promise.withResolvers<string>()]));
  // Whoever asks for a tool gets the error; a tool nobody asks for must not end the process.
  for (const { promise } of results.values()) promise.catch(() => {});
  provide(names, o, (name, file) => results.get(name)!.resolve(file)).catch((error: unknown) => {
    for (const { reject } of results.values()) reject(error);
  });
  return Object.fromEntries([...results].map(([name, { promise }]) => [name, promise])) as Record<
    Name,
    Promise<string>
  >;
}

/** The absolute path of each tool, built if it must be. */
export async function ensureTools<Name extends ToolName>(
  names: readonly Name[],
  o: ToolOptions = {},
): Promise<Record<Name, string>> {
  const started = startTools(names, o);
  const files = {} as Record<Name, string>;
  for (const name of names) files[name] = await started[name];
  return files;
}

/** The tools that would have to be compiled, with the seconds that takes about. Says so without Go too. */
export async function missingTools(names: readonly ToolName[]): Promise<{ name: ToolName; seconds: number }[]> {
  const known = readCompileSeconds(toolCache);
  const missing = await Promise.all(
    names.map(async (name) => {
      try {
        return typeof (await locate(name, hostArchitecture())) !== "string";
      } catch (error) {
        if (error instanceof LabError) return true;
        throw error;
      }
    }),
  );
  return names
    .filter((_, index) => missing[index])
    .map((name) => ({ name, seconds: known[name] ?? toolOf(name).seconds }));
}

/** A directory for PATH with a link for each tool (built if it must be) and for whatever else is given by path. */
export async function toolPath(
  names: readonly ToolName[],
  others: Record<string, string> = {},
  o: ToolOptions = {},
): Promise<string> {
  return linkTools({ ...(await ensureTools(names, o)), ...others });
}

function linkTools(targets: Record<string, string>): string {
  const sorted = Object.entries(targets).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const key = createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 16);
  const directory = path.join(toolCache, "path", key);
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  for (const [name, target] of sorted) symlinkSync(target, path.join(unfinished, name));
  try {
    renameSync(unfinished, directory);
  } catch (error) {
    // Another process made the same directory in between.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
}

/** The program to use, or the recipe of the one to build. */
async function locate(name: ToolName, arch: Architecture): Promise<string | Recipe> {
  const found = arch === hostArchitecture() ? await findOnPath(toolOf(name), process.env, toolCache) : undefined;
  if (found !== undefined) return found;
  const recipe = await makeRecipe(name, arch);
  return existsSync(recipe.file) ? recipe.file : recipe;
}

async function provide<Name extends ToolName>(
  names: readonly Name[],
  o: ToolOptions,
  found: (name: Name, file: string) => void,
): Promise<void> {
  const arch = o.arch ?? hostArchitecture();
  const wanted = toolNames.filter((name): name is Name => (names as readonly ToolName[]).includes(name));
  const located = await Promise.all(wanted.map(async (name) => ({ name, at: await locate(name, arch) })));
  const missing: { name: Name; recipe: Recipe }[] = [];
  for (const { name, at } of located) {
    if (typeof at === "string") found(name, at);
    else missing.push({ name, recipe: at });
  }
  await buildInOrder(missing, o, found);
}

async function buildInOrder<Name extends ToolName>(
  missing: { name: Name; recipe: Recipe }[],
  o: ToolOptions,
  found: (name: Name, file: string) => void,
): Promise<void> {
  const known = readCompileSeconds(toolCache);
  const estimates = missing.map(({ recipe }) => known[recipe.name] ?? recipe.tool.seconds);
  const fetching = (index: number): Promise<void> => {
    const next = missing[index];
    const fetched = next === undefined ? Promise.resolve() : download(next.recipe, o.signal);
    // Awaited only after the compile that it runs beside.
    fetched.catch(() => {});
    return fetched;
  };
  let fetched = fetching(0);
  for (const [index, { name, recipe }] of missing.entries()) {
    const place = missing.length === 1 ? "" : ` (${index + 1} of ${missing.length})`;
    const later = estimates.slice(index + 1).reduce((sum, seconds) => sum + seconds, 0);
    const cross = recipe.arch === hostArchitecture() ? "" : ` for ${recipe.arch}`;
    const label = `${recipe.name} ${recipe.version}${cross}${place}`;
    const report = (line: string) => o.onProgress?.(`${label}: ${line}`);
    const downloading = reportRegularly((elapsed) => report(`downloading, ${duration(elapsed)}`));
    await fetched.finally(() => downloading[Symbol.dispose]());
    fetched = fetching(index + 1);
    report(`compiling, about ${duration(estimates[index]!)}`);
    const start = performance.now();
    const seconds = () => (performance.now() - start) / 1000;
    using _ticking = reportRegularly((elapsed) => {
      const left = Math.max(0, estimates[index]! - elapsed) + later;
      report(
        `compiling, ${duration(elapsed)} of about ${duration(estimates[index]!)}; ${duration(left)} until all are built`,
      );
    });
    let waited = false;
    await compile(recipe, {
      signal: o.signal,
      onWait: (holder) => {
        waited = true;
        report(`waiting for another process: ${holder}`);
      },
    });
    // Another architecture's compile also makes Go's own library for it: no measure of this one's.
    const typical = !waited && recipe.arch === hostArchitecture();
    if (typical) rememberCompileSeconds(toolCache, recipe.name, seconds(), estimates[index]!);
    report(`built in ${duration(seconds())}${later > 0 ? `, about ${duration(later)} until all are built` : ""}`);
    found(name, recipe.file);
  }
}

function reportRegularly(report: (elapsedSeconds: number) => void): Disposable {
  const start = performance.now();
  const timer = setInterval(() => report((performance.now() - start) / 1000), reportEvery * 1000).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
