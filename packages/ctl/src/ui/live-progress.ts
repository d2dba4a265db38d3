import { styleText } from "node:util";
import type { PodLine, Progress } from "./progress.ts";
import { shortDigests } from "./short-digests.ts";

const frameMs = 100;
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const shownPods = 8;

export interface LiveOptions {
  stream: NodeJS.WriteStream;
  title: string;
  /** Milliseconds since the epoch. */
  deadline: number;
}

/** For a terminal: what happened scrolls up; below it a block with the pods, what is awaited and the deadline is redrawn. */
export class LiveProgress implements Progress {
  readonly #o: LiveOptions;
  readonly #startedAt = Date.now();
  readonly #timer: NodeJS.Timeout;
  #waiting = "";
  #pods: PodLine[] = [];
  #drawn = 0;
  #frame = 0;

  constructor(o: LiveOptions) {
    this.#o = o;
    o.stream.write("\x1b[?25l");
    this.#timer = setInterval(() => this.#draw(), frameMs);
    this.#timer.unref();
  }

  note(seconds: number, what: string): void {
    this.#erase();
    const [first = "", ...rest] = shortDigests(what).split("\n");
    const time = styleText("dim", `${seconds.toFixed(1).padStart(6)} s`, { stream: this.#o.stream });
    this.#o.stream.write(`${time}  ${first}\n${rest.map((line) => `          ${line}\n`).join("")}`);
    this.#draw();
  }

  waiting(what: string): void {
    this.#waiting = what;
  }

  pods(lines: PodLine[]): void {
    this.#pods = lines;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#erase();
    this.#o.stream.write("\x1b[?25h");
  }

  #erase(): void {
    if (this.#drawn > 0) this.#o.stream.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const columns = Math.max(this.#o.stream.columns ?? 80, 20);
    const lines = liveLines(this.#pods, {
      title: this.#o.title,
      waiting: this.#waiting,
      elapsedSeconds: Math.floor((Date.now() - this.#startedAt) / 1000),
      leftSeconds: Math.max(0, Math.ceil((this.#o.deadline - Date.now()) / 1000)),
      spinner: spinner[this.#frame++ % spinner.length] ?? "",
    }).map((line) => clip(line, columns - 1));
    this.#erase();
    this.#o.stream.write(lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }
}

/** The block that is redrawn, line by line, before it is cut to the terminal's width. */
export function liveLines(
  pods: PodLine[],
  s: { title: string; waiting: string; elapsedSeconds: number; leftSeconds: number; spinner: string },
): string[] {
  const width = Math.max(0, ...pods.map((pod) => pod.name.length));
  const shown = pods.slice(0, shownPods).map((pod) => {
    const mark = pod.ready ? "●" : "○";
    const restarts = pod.restarts > 0 ? `  ${pod.restarts} restarts` : "";
    return `  ${mark} ${pod.isNew ? "new" : "old"}  ${pod.name.padEnd(width)}  ${pod.state}${restarts}`;
  });
  const more = pods.length > shownPods ? [`  … and ${pods.length - shownPods} more`] : [];
  const waiting = s.waiting === "" ? "working" : `waiting for ${s.waiting}`;
  // The clock first: what is cut off a narrow terminal is the end of the line.
  const clock = `${s.elapsedSeconds} s of ${s.elapsedSeconds + s.leftSeconds} s`;
  return [...shown, ...more, `${s.spinner} ${s.title}, ${clock}: ${shortDigests(waiting)}`];
}

/** Cuts by UTF-16 units: the block holds no wide and no combined characters. */
function clip(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}
