import { shortDigests } from "./short-digests.ts";

/** One pod as the live view shows it. */
export interface PodLine {
  name: string;
  isNew: boolean;
  state: string;
  ready: boolean;
  restarts: number;
}

/** Where a command says what it is doing; the result itself goes to stdout, by the command. */
export interface Progress {
  /** Something happened; stays on the screen. */
  note(seconds: number, what: string): void;
  /** What is awaited now; replaces what was awaited before. */
  waiting(what: string): void;
  pods(lines: PodLine[]): void;
  /** Takes the view off the screen; notes stay. */
  end(): void;
}

/** For a log: one line for each thing that happens, and for each change of what is awaited. */
export class PlainProgress implements Progress {
  readonly #write: (text: string) => void;
  readonly #startedAt = Date.now();
  #waiting = "";

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  note(seconds: number, what: string): void {
    this.#line(seconds, what);
  }

  waiting(what: string): void {
    if (what === this.#waiting) return;
    this.#waiting = what;
    this.#line((Date.now() - this.#startedAt) / 1000, `waiting for ${what}`);
  }

  pods(): void {}

  end(): void {}

  #line(seconds: number, what: string): void {
    this.#write(`${seconds.toFixed(1).padStart(6)} s  ${shortDigests(what)}\n`);
  }
}
