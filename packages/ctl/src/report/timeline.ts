import type { Happening } from "../domain/happening.ts";

/** One thing that happened, in the order it happened. */
export interface TimelineEntry extends Happening {
  /** RFC 3339. */
  at: string;
  /** Seconds since the operation started. */
  seconds: number;
}

/** Collects what happened during one operation. */
export class Timeline {
  readonly entries: TimelineEntry[] = [];
  readonly startedAt = Date.now();
  readonly #onEntry: (entry: TimelineEntry) => void;

  constructor(onEntry: (entry: TimelineEntry) => void) {
    this.#onEntry = onEntry;
  }

  /** @returns the moment, in milliseconds since the epoch. */
  add(happening: Happening): number {
    const now = Date.now();
    const entry = { at: new Date(now).toISOString(), seconds: secondsBetween(this.startedAt, now), ...happening };
    this.entries.push(entry);
    this.#onEntry(entry);
    return now;
  }
}

/** Rounded to hundredths. */
export function secondsBetween(from: number, to: number): number {
  return Math.round((to - from) / 10) / 100;
}
