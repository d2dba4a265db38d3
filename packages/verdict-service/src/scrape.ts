import http from "node:http";

/** How long a pod may take to tell its counters, in milliseconds. One that takes longer answers nobody. */
const timeoutMs = 2_000;
/** More than this is not what a service exports of itself, in bytes. */
const largest = 8 * 2 ** 20;

/** A pod that did not tell its counters; the message says why, in a few words. */
export class ScrapeError extends Error {
  override readonly name = "ScrapeError";
}

/** Asks pods for their metrics over kept-alive connections, so many at a time. */
export class Scraper {
  readonly #agent = new http.Agent({ keepAlive: true, maxFreeSockets: 4_096 });
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce = 128) {
    this.#free = atOnce;
  }

  /** @throws ScrapeError */
  async text(host: string, port: number, path: string): Promise<string> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await this.#get({ host, port, path });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #get(to: { host: string; port: number; path: string }, isSecondTry = false): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const request = http.get({ ...to, agent: this.#agent, timeout: timeoutMs }, (response) => {
      const { statusCode = 0 } = response;
      if (statusCode !== 200) {
        response.resume();
        reject(new ScrapeError(`HTTP ${statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > largest) request.destroy(new ScrapeError(`more than ${largest} bytes`));
        else chunks.push(chunk);
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", (error) => reject(asScrapeError(error)));
    });
    // A server that is slow to answer, byte by byte, is as good as silent.
    const timer = setTimeout(() => request.destroy(new ScrapeError(`no answer in ${timeoutMs / 1000} s`)), timeoutMs);
    request.on("error", (error: NodeJS.ErrnoException) => {
      // The server may have closed a kept connection just as it was used again.
      if (request.reusedSocket && error.code === "ECONNRESET" && !isSecondTry) resolve(this.#get(to, true));
      else reject(asScrapeError(error));
    });
    return promise.finally(() => clearTimeout(timer));
  }
}

function asScrapeError(error: NodeJS.ErrnoException): ScrapeError {
  return error instanceof ScrapeError ? error : new ScrapeError(error.code ?? error.message, { cause: error });
}
