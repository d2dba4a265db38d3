import { execFile } from "node:child_process";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import semver from "semver";
import type { Tool } from "./catalog.ts";

/**
 * Whether what a program says of its version lies in the range.
 * A vendor's suffix ("v1.35.2-gke.100") says nothing about what the program can do and is left out.
 */
export function isInRange(versionOutput: string, range: string): boolean {
  const version = semver.coerce(/v?\d+\.\d+\.\d+/.exec(versionOutput)?.[0]);
  return version !== null && semver.satisfies(version, range);
}

/** The program on PATH in the tool's supported range, or undefined. What lies below `except` does not count. */
export async function findOnPath(
  tool: Tool,
  environment: NodeJS.ProcessEnv,
  except: string,
): Promise<string | undefined> {
  if (!tool.onPath) return undefined;
  const file = which(tool.onPath.program, environment);
  // Links to binaries of the cache are on PATH after `eval "$(lab env)"`; another checkout may have made them.
  if (file === undefined || realpathSync(file).startsWith(`${except}${path.sep}`)) return undefined;
  try {
    const { stdout } = await promisify(execFile)(file, tool.onPath.versionArgs, { env: environment, timeout: 10_000 });
    return isInRange(stdout, tool.onPath.range) ? file : undefined;
  } catch {
    // A program that cannot tell its version is none to rely on.
    return undefined;
  }
}

function which(program: string, environment: NodeJS.ProcessEnv): string | undefined {
  const candidates = (environment["PATH"] ?? "").split(path.delimiter).filter(Boolean);
  return candidates.map((directory) => path.join(directory, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
