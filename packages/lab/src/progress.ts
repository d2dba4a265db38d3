import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Seconds from the start of a command at which each of its steps ended, in its last complete run. */
export type Durations = Record<string, number>;

/**
 * Prints one line per step to stderr: time since the start, the whole as the last run took it, what happened.
 * Durations are kept in `file` by the name of the command and belong to this machine.
 */
export class Progress {
  readonly #start = performance.now();
  readonly #file: string;
  readonly #earlier: Durations;
  readonly #ended: Durations = {};
  #extra = 0;
  readonly #write: (line: string) => void;

  constructor(file: string, defaults: Durations, write: (line: string) => void = (line) => process.stderr.write(line)) {
    this.#file = file;
    this.#earlier = readDurations(file) ?? defaults;
    this.#write = write;
  }

  /** Seconds since the command started. */
  elapsed(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** Work that the last run did not have, in seconds; it goes on beside the steps. */
  expect(seconds: number): void {
    this.#extra += seconds;
  }

  /** A line that is no step: what is waited for, what was found. */
  note(text: string): void {
    this.#write(`${this.#prefix()} ${text}\n`);
  }

  /** A line for a moment that has come; its time is remembered like a step's. */
  reached(name: string): void {
    this.#ended[name] = this.elapsed();
    this.note(name);
  }

  /** Runs a step and prints how long it took. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = this.elapsed();
    const result = await work();
    this.#ended[name] = this.elapsed();
    this.note(`${name} (${(this.elapsed() - start).toFixed(1)} s)`);
    return result;
  }

  /** Remembers how long this run's steps took, for the next run's estimate. */
  save(): void {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    writeFileSync(this.#file, JSON.stringify(this.#ended, undefined, 2));
  }

  #prefix(): string {
    const elapsed = this.elapsed();
    return `[${elapsed.toFixed(1).padStart(5)} s of about ${Math.ceil(estimateWhole(elapsed, this.#ended, this.#earlier, this.#extra))} s]`;
  }
}

/**
 * Estimate of the whole in seconds: the last run's total, moved by how much later (or earlier) than then
 * the latest known step ended or by the `extra` work of this run; never less than what has passed.
 */
export function estimateWhole(elapsed: number, ended: Durations, earlier: Durations, extra = 0): number {
  const total = Math.max(0, ...Object.values(earlier));
  const latest = Object.entries(ended)
    .filter(([name]) => name in earlier)
    .toSorted(([, a], [, b]) => b - a)[0];
  const delay = latest ? latest[1] - earlier[latest[0]]! : 0;
  return Math.max(elapsed, total + (extra > 0 ? Math.max(delay, extra) : delay));
}

function readDurations(file: string): Durations | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Durations;
  } catch {
    return undefined;
  }
}
