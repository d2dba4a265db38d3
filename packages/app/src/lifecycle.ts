/** Where the process is between start and exit, as /ready tells it. */
export class Lifecycle {
  readonly #bootDelayMs: number;
  readonly #started = performance.now();
  #draining = false;

  /** @param bootDelay seconds after construction during which the process is not ready */
  constructor(bootDelay: number) {
    this.#bootDelayMs = bootDelay * 1000;
  }

  get booted(): boolean {
    return performance.now() - this.#started >= this.#bootDelayMs;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** From here on /ready answers 503 and responses ask clients to close their connections. */
  drain(): void {
    this.#draining = true;
  }
}
