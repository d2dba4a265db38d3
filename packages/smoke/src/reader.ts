import { MAX_DURATION_MS, parseDuration } from "./duration.ts";
import type { SpecProblem } from "./spec.ts";

export type Fields = Record<string, unknown>;

/** Takes typed values out of an unchecked document and collects everything that is wrong with it. */
export class Reader {
  readonly problems: SpecProblem[] = [];

  problem(path: string, message: string): undefined {
    this.problems.push({ path, message });
    return undefined;
  }

  /** The fields of an object that has no other keys than `known`. */
  object(value: unknown, path: string, known: readonly string[]): Fields | undefined {
    const fields = this.map(value, path);
    if (fields === undefined) return undefined;
    for (const key of Object.keys(fields).filter((key) => !known.includes(key))) {
      this.problem(join(path, key), `unknown key; known here: ${known.join(", ")}`);
    }
    return fields;
  }

  /** An object with keys of the writer's choice. */
  map(value: unknown, path: string): Fields | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return this.problem(path, `must be an object, not ${kind(value)}`);
    }
    return value as Fields;
  }

  list(value: unknown, path: string): unknown[] | undefined {
    return Array.isArray(value) ? value : this.problem(path, `must be a list, not ${kind(value)}`);
  }

  text(value: unknown, path: string): string | undefined {
    if (typeof value !== "string") return this.problem(path, `must be text, not ${kind(value)}`);
    return value === "" ? this.problem(path, "must not be empty") : value;
  }

  boolean(value: unknown, path: string): boolean | undefined {
    return typeof value === "boolean" ? value : this.problem(path, `must be true or false, not ${kind(value)}`);
  }

  integer(value: unknown, path: string, min: number, max: number): number | undefined {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.problem(path, `must be a whole number from ${min} to ${max}, not ${kind(value)}`);
  }

  number(value: unknown, path: string, min: number, max: number): number | undefined {
    if (typeof value === "number" && value >= min && value <= max) return value;
    return this.problem(path, `must be a number from ${min} to ${max}, not ${kind(value)}`);
  }

  /** Milliseconds, more than 0. */
  duration(value: unknown, path: string): number | undefined {
    const ms = typeof value === "string" ? parseDuration(value) : undefined;
    if (ms === undefined || ms <= 0) {
      return this.problem(path, `must be a duration such as "500ms", "10s" or "2m", not ${kind(value)}`);
    }
    return ms > MAX_DURATION_MS ? this.problem(path, `must be shorter than 24 days, not ${kind(value)}`) : ms;
  }
}

/** What a wrong value is, short enough for an error message. */
export function kind(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  // JSON has no NaN and no infinity, YAML has.
  const shown = typeof value === "number" ? String(value) : JSON.stringify(value);
  return shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
}

/** The path of a key inside `path`, in the notation of JSON paths. */
export function join(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}
