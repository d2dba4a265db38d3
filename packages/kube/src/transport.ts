import http from "node:http";
import https from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { describe, errorCode, errorFromNetwork, errorFromResponse, KubeError, type RequestTarget } from "./errors.ts";
import type { Credentials, Login } from "./kubeconfig.ts";

export interface ApiRequest {
  method: string;
  /** Path and query, as in `/api/v1/namespaces/shop/pods?limit=1`. */
  path: string;
  target: RequestTarget;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
}

/** Time for a whole answer; for a stream, until its headers. A server's own limit for a request is 60 s. */
const answerTimeoutMs = 30_000;
/** How long requests that were not sent, and reads, are tried again once the server has been reached. */
const retryForMs = 15_000;
/** How long after a lost connection a refusal may come from a server that has not read its roles or definitions yet. */
const startingMs = 10_000;

/**
 * HTTP to one API server with one login. Reads share kept-alive connections. Every write gets a connection of its own:
 * one that is kept alive may just have been closed by the server, and then nobody knows whether the write arrived.
 *
 * What is tried again: a read whose connection broke, or that got 429 or 503; any request whose connection was refused,
 * because it was never sent; and any that is refused for want of a right just after a connection was lost, because
 * a server that starts has not read the roles yet. A write that may have been done is never sent again. Before the server
 * has answered once, a refused connection fails at once: the address is probably wrong.
 */
export class Transport {
  readonly server: string;
  readonly #login: Login;
  readonly #onRequest: ((request: RequestTarget) => void) | undefined;
  #agents: { key: string; reads: http.Agent; writes: http.Agent } | undefined;
  #reached = false;
  #lostAt = -Infinity;
  #clockOffsetMs = 0;

  constructor(login: Login, onRequest?: (request: RequestTarget) => void) {
    this.server = login.server;
    this.#login = login;
    this.#onRequest = onRequest;
  }

  /** Whether the server has answered anything yet. */
  get reached(): boolean {
    return this.#reached;
  }

  /**
   * Whether this error may only mean that the server is starting: until it has read the roles it refuses everybody,
   * and custom resources are not served at once.
   */
  mayBeStarting(error: KubeError): boolean {
    const denied = error.status === 401 || (error.status === 403 && / cannot \S+ resource /.test(error.message));
    return (denied || error.reason === "NotServed") && performance.now() - this.#lostAt < startingMs;
  }

  /** The server's clock, in ms since the epoch, as its last answer told; good to about a second. */
  serverNow(): number {
    return Date.now() + this.#clockOffsetMs;
  }

  refusedHint(): string {
    return this.#login.refusedHint();
  }

  /** The text of an answer. Throws KubeError for every status >= 400. */
  async text(request: ApiRequest): Promise<string> {
    const deadline = performance.now() + retryForMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#once(request);
      } catch (error) {
        const waitMs = error instanceof KubeError ? this.#retryAfterMs(error, request, attempt) : undefined;
        if (waitMs === undefined || performance.now() + waitMs > deadline) throw error;
        await delay(waitMs, undefined, request.signal ? { signal: request.signal } : {}).catch(() => {
          throw error;
        });
      }
    }
  }

  /** The body of an answer as it comes. Not tried again: who streams knows where to go on. */
  async stream(request: ApiRequest & { signal: AbortSignal }): Promise<http.IncomingMessage> {
    const limit = timeLimit(request.signal);
    try {
      const response = await this.#send(request, limit.signal);
      if ((response.statusCode ?? 0) < 400) return response;
      throw await this.#refusal(response, request, limit.signal);
    } finally {
      limit.clear();
    }
  }

  async #once(request: ApiRequest): Promise<string> {
    const limit = timeLimit(request.signal);
    try {
      const response = await this.#send(request, limit.signal);
      if ((response.statusCode ?? 0) >= 400) throw await this.#refusal(response, request, limit.signal);
      return await this.#read(response, request, limit.signal);
    } finally {
      limit.clear();
    }
  }

  async #refusal(response: http.IncomingMessage, request: ApiRequest, signal: AbortSignal): Promise<KubeError> {
    const body = await this.#read(response, request, signal);
    const retryAfter = response.headers["retry-after"];
    return errorFromResponse({ status: response.statusCode ?? 0, body, retryAfter }, request.target, () =>
      this.refusedHint(),
    );
  }

  async #read(response: http.IncomingMessage, request: ApiRequest, signal: AbortSignal): Promise<string> {
    response.setEncoding("utf8");
    let text = "";
    try {
      for await (const chunk of response) text += chunk as string;
    } catch (error) {
      throw this.#failure(error, request, signal);
    }
    return text;
  }

  #retryAfterMs(error: KubeError, request: ApiRequest, attempt: number): number | undefined {
    if (!this.#reached || request.signal?.aborted) return undefined;
    const read = request.method === "GET";
    const notSent = errorCode(error.cause) === "ECONNREFUSED";
    const busy = error.status === 429 || error.status === 503;
    const starting = this.mayBeStarting(error);
    if (!(notSent || starting || (read && (busy || error.reason === "ConnectionLost")))) return undefined;
    if (error.retryAfterSeconds !== undefined) return error.retryAfterSeconds * 1000 + Math.random() * 100;
    return backoffMs(attempt);
  }

  async #send(request: ApiRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    signal.throwIfAborted();
    this.#onRequest?.(request.target);
    const credentials = await this.#login.credentials();
    const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = {
      ...credentials.headers,
      Accept: "application/json",
      "User-Agent": "safe-deploy",
      ...(payload === undefined
        ? {}
        : { "Content-Type": request.contentType ?? "application/json", "Content-Length": Buffer.byteLength(payload) }),
    };
    const url = new URL(this.server + request.path);
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const outgoing = (url.protocol === "http:" ? http : https).request(url, {
      method: request.method,
      headers,
      agent: this.#agentFor(request.method, url, credentials),
      signal,
    });
    // Keep-alive probes find a peer that is gone without a word; a watch may be silent for minutes.
    outgoing.on("socket", (socket) => socket.setKeepAlive(true, 15_000));
    outgoing.on("response", resolve);
    outgoing.on("error", reject);
    outgoing.end(payload);
    try {
      const response = await promise;
      this.#reached = true;
      this.#readClock(response.headers.date);
      return response;
    } catch (error) {
      throw this.#failure(error, request, signal);
    }
  }

  #failure(error: unknown, request: ApiRequest, signal: AbortSignal): unknown {
    if (!signal.aborted) {
      this.#lostAt = performance.now();
      return errorFromNetwork(error, this.server);
    }
    if (signal.reason !== tooLate) return signal.reason;
    const seconds = answerTimeoutMs / 1000;
    return new KubeError(`cannot ${describe(request.target)}: no answer from ${this.server} in ${seconds} s`, {
      reason: "Timeout",
      hint: "Check the network, the VPN and firewalls between here and the API server.",
    });
  }

  #readClock(date: string | undefined): void {
    const told = Date.parse(date ?? "");
    // The header has whole seconds: on average it is half a second behind.
    if (!Number.isNaN(told)) this.#clockOffsetMs = told + 500 - Date.now();
  }

  #agentFor(method: string, url: URL, { tls, proxyAgent }: Credentials): http.Agent {
    if (proxyAgent !== undefined) return proxyAgent;
    const key = JSON.stringify([tls.ca, tls.cert, tls.key, tls.rejectUnauthorized, tls.servername].map(String));
    if (this.#agents?.key !== key) {
      const make = (keepAlive: boolean) =>
        url.protocol === "http:" ? new http.Agent({ keepAlive }) : new https.Agent({ keepAlive, ...tls });
      this.#agents = { key, reads: make(true), writes: make(false) };
    }
    return method === "GET" ? this.#agents.reads : this.#agents.writes;
  }
}

const tooLate = Symbol("too late");

function timeLimit(signal: AbortSignal | undefined): { signal: AbortSignal; clear(): void } {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(tooLate), answerTimeoutMs);
  return {
    signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
    clear: () => clearTimeout(timer),
  };
}

/** Doubling from 100 ms to 3 s, each time a random part of it, so that many clients do not come back at once. */
export function backoffMs(attempt: number): number {
  return Math.min(3000, 100 * 2 ** attempt) * (0.5 + Math.random() / 2);
}
