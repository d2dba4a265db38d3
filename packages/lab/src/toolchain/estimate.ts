import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ToolName } from "./catalog.ts";

/** Seconds that each binary took to compile on this machine. */
export type CompileSeconds = Partial<Record<ToolName, number>>;

export function readCompileSeconds(directory: string): CompileSeconds {
  try {
    return JSON.parse(readFileSync(path.join(directory, "compile-seconds.json"), "utf8")) as CompileSeconds;
  } catch {
    // None yet.
    return {};
  }
}

/** A compile that found everything in Go's own cache says nothing about the next version's: it is not remembered. */
export function rememberCompileSeconds(directory: string, name: ToolName, seconds: number, expected: number): void {
  if (seconds < expected / 4) return;
  const file = path.join(directory, "compile-seconds.json");
  mkdirSync(directory, { recursive: true });
  const all = { ...readCompileSeconds(directory), [name]: Math.round(seconds) };
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(all, undefined, 2));
  renameSync(`${file}.${process.pid}`, file);
}

/** "45 s", "6 min", "1 min 30 s": never more precise than an estimate can be. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round((seconds % 60) / 10) * 10;
  if (rest === 60) return `${minutes + 1} min`;
  return rest === 0 || minutes >= 5 ? `${minutes} min` : `${minutes} min ${rest} s`;
}
