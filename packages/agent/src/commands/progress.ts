/** One line on stderr: rewritten on a terminal, else written now and then. */
export class Progress {
  readonly #started = performance.now();
  readonly #live = process.stderr.isTTY && process.env["CI"] === undefined;
  #lastAt = -Infinity;

  show(done: number, of: number, what: string): void {
    const now = performance.now();
    if (done < of && now - this.#lastAt < (this.#live ? 200 : 10_000)) return;
    this.#lastAt = now;
    const seconds = (now - this.#started) / 1000;
    const left = done === 0 ? "" : `, ${clock((seconds / done) * (of - done))} left`;
    const line = `${Math.floor((100 * done) / of)} % ${what}${done < of ? left : `, took ${clock(seconds)}`}`;
    process.stderr.write(this.#live ? `\r\x1b[K${line}${done < of ? "" : "\n"}` : `${line}\n`);
  }
}

const clock = (seconds: number) => `${Math.floor(seconds / 60)}m${String(Math.round(seconds) % 60).padStart(2, "0")}s`;
