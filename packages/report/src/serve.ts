import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { contentSecurityPolicy, frameOf, renderPage } from "./html/page.ts";
import type { Report } from "./report.ts";

export interface ServeOptions {
  /** The report as it grows: each is whole, and the last one is how it ended. */
  source: AsyncIterable<Report>;
  /** Ends the server. */
  signal: AbortSignal;
  /** Default: one that is free. */
  port?: number;
}

export interface ReportServer {
  /** "http://127.0.0.1:40123/" */
  url: string;
  /** Settles when the source has ended and every page that is open has been told; rejects with the source's error. */
  ended: Promise<void>;
  /** Settles when the signal has ended the server. */
  closed: Promise<void>;
}

const address = "127.0.0.1";

/**
 * Serves the page on this machine alone and keeps it up to date: `/` the page, `/events` what changes, `/report.json`.
 * After the source's end it goes on serving the last report until the signal.
 *
 * Throws when the port cannot be had, and when the source gives no report.
 */
export async function serveReport({ source, signal, port = 0 }: ServeOptions): Promise<ReportServer> {
  signal.throwIfAborted();
  const reports = source[Symbol.asyncIterator]();
  const first = await reports.next();
  if (first.done === true) throw new Error("there is nothing to serve: the source ended without a report");

  let report = first.value;
  /** Why nothing will follow: all was told, or the source failed. */
  let over: Last | undefined;
  const followers = new Set<Follower>();
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo;
    answer(request, response, port);
  });

  function answer(request: IncomingMessage, response: ServerResponse, port: number): void {
    // A name of somewhere else that resolves to this machine would let its page read this one.
    if (![`${address}:${port}`, `localhost:${port}`].includes(request.headers.host ?? ""))
      return reply(response, 421, "text/plain", `This page is at http://${address}:${port}/ only.\n`);
    if (request.method !== "GET") return reply(response, 405, "text/plain", "Only GET.\n", { allow: "GET" });
    switch (request.url) {
      case "/":
        return reply(response, 200, "text/html", renderPage(report, { live: true }), {
          "content-security-policy": `${contentSecurityPolicy({ live: true })}; frame-ancestors 'none'`,
        });
      case "/report.json":
        return reply(response, 200, "application/json", `${JSON.stringify(report, null, 2)}\n`);
      case "/events":
        return follow(response);
      default:
        return reply(response, 404, "text/plain", "Not found. The page is at /, the report at /report.json.\n");
    }
  }

  function follow(response: ServerResponse): void {
    response.writeHead(200, { ...headers, "content-type": "text/event-stream" });
    const follower = new Follower(response);
    followers.add(follower);
    response.on("close", () => followers.delete(follower));
    follower.send(report);
    if (over !== undefined) void follower.end(over);
  }

  async function relay(): Promise<void> {
    try {
      let next = await untilAborted(reports.next(), signal);
      while (next !== undefined && next.done !== true) {
        report = next.value;
        for (const follower of followers) follower.send(report);
        next = await untilAborted(reports.next(), signal);
      }
      over = "end";
    } catch (error) {
      over = "broken";
      throw error;
    } finally {
      await Promise.all([...followers].map((follower) => follower.end(over ?? "broken")));
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  const closed = new Promise<void>((resolve) => {
    server.on("close", resolve);
  });
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return { url: `http://${address}:${(server.address() as AddressInfo).port}/`, ended: relay(), closed };
}

type Last = "end" | "broken";

/** A page that is open. One that reads slowly gets the newest report when it has read what it was sent, not each. */
class Follower {
  readonly #response: ServerResponse;
  #waiting: Report | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("drain", () => this.#flush());
  }

  send(report: Report): void {
    this.#waiting = report;
    if (!this.#response.writableNeedDrain) this.#flush();
  }

  /** Settles when the page has what is the last, or has gone. */
  async end(why: Last): Promise<void> {
    this.#flush();
    await new Promise<void>((resolve) => {
      this.#response.on("close", resolve);
      this.#response.end(`event: ${why}\ndata:\n\n`);
      if (this.#response.destroyed) resolve();
    });
  }

  #flush(): void {
    if (this.#waiting === undefined || this.#response.destroyed) return;
    const frame = JSON.stringify(frameOf(this.#waiting));
    this.#waiting = undefined;
    this.#response.write(`event: frame\ndata: ${frame}\n\n`);
  }
}

const headers = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

function reply(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  more: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, ...more, "content-type": `${type}; charset=utf-8` });
  response.end(body);
}

/** undefined when the signal comes first. */
function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
