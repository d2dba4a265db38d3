import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { refusal } from "../errors.ts";
import { cacheDirectory } from "../identity.ts";
import { toolOf, type Tool, type ToolName } from "./catalog.ts";

export type Architecture = "amd64" | "arm64";

/** Everything that decides what a compile gives, and where the result is kept. */
export type Recipe = {
  name: ToolName;
  tool: Tool;
  arch: Architecture;
  version: string;
  /** Absolute path of the module's folder. */
  directory: string;
  /** Arguments of `go build` but for -o and the package. */
  flags: string[];
  /** 16 hexadecimal digits over all of the above, the module's files and the compiler's version. */
  key: string;
  /** Absolute path of the binary in the cache. */
  file: string;
};

const modules = path.resolve(import.meta.dirname, "../../toolchain");

export const toolCache = path.join(cacheDirectory, "tools");

export function hostArchitecture(): Architecture {
  if (process.arch === "x64") return "amd64";
  if (process.arch === "arm64") return "arm64";
  throw refusal(
    `the lab's binaries are not built for ${process.arch}`,
    "Use a machine with an amd64 or arm64 processor.",
  );
}

export function moduleDirectory(module: string): string {
  return path.join(modules, module);
}

export async function makeRecipe(name: ToolName, arch: Architecture): Promise<Recipe> {
  const tool = toolOf(name);
  const directory = moduleDirectory(tool.module);
  const files = moduleFiles(directory);
  const version = versionIn(files["go.mod"] ?? "", tool.versionOf);
  const flags = buildFlags(tool, version);
  const key = cacheKey({ files, package: tool.package, flags, go: await goVersion(directory, name), arch });
  return { name, tool, arch, version, directory, flags, key, file: path.join(toolCache, arch, key, name) };
}

export function buildFlags(tool: Tool, version: string): string[] {
  const stamps = Object.entries(tool.stamps?.(version) ?? {}).map(([variable, value]) => `-X ${variable}=${value}`);
  return [
    "-mod=readonly",
    "-buildvcs=false",
    "-trimpath",
    ...(tool.tags ? [`-tags=${tool.tags.join(",")}`] : []),
    `-ldflags=${["-s -w", ...stamps].join(" ")}`,
  ];
}

export function cacheKey(o: {
  files: Record<string, string>;
  package: string;
  flags: readonly string[];
  go: string;
  arch: Architecture;
}): string {
  const files = Object.entries(o.files).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([files, o.package, o.flags, o.go, o.arch]))
    .digest("hex")
    .slice(0, 16);
}

/** The version that a go.mod requires of a module; a module of the lab's own, which nothing requires, is v1.0.0. */
export function versionIn(goMod: string, module: string): string {
  if (goMod.startsWith(`module ${module}\n`)) return "v1.0.0";
  const words = goMod.split("\n").map((line) =>
    line
      .trim()
      .replace(/^require /, "")
      .split(/\s+/),
  );
  const version = words.find(([path, version]) => path === module && version?.startsWith("v"))?.[1];
  if (version === undefined) throw new Error(`go.mod requires no ${module}`);
  return version;
}

function moduleFiles(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => /^go\.(mod|sum)$|\.go$/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(directory, name), "utf8")]));
}

/** The environment of every go command: nothing of the person's own settings may change what is built. */
export function goEnvironment(arch?: Architecture): NodeJS.ProcessEnv {
  const { GOAMD64: _, GOARM64: __, GOEXPERIMENT: ___, ...rest } = process.env;
  return { ...rest, GOFLAGS: "", GOWORK: "off", CGO_ENABLED: "0", GOOS: "linux", ...(arch ? { GOARCH: arch } : {}) };
}

/** The version of the compiler that the module is built with. Throws a refusal when there is none that can. */
async function goVersion(directory: string, neededFor: ToolName): Promise<string> {
  const wanted = /^go (\S+)$/m.exec(readFileSync(path.join(directory, "go.mod"), "utf8"))?.[1] ?? "1.26";
  const hint = `Install Go ${wanted} or later from https://go.dev/dl/ and put its bin directory on PATH.`;
  try {
    const { stdout } = await promisify(execFile)("go", ["version"], { cwd: directory, env: goEnvironment() });
    return stdout.split(" ")[2] ?? stdout.trim();
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT") throw refusal(`Go is needed to build ${neededFor}, and no go is on PATH`, hint);
    throw refusal(`Go cannot build ${neededFor}: ${stderr?.trim() || String(error)}`, hint);
  }
}
