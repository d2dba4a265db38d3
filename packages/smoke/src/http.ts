import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { explainConnectionError } from "./connection-error.ts";
import { formatDuration } from "./duration.ts";
import type { CheckRequest } from "./spec.ts";

/** Bytes of a body that are read; more is never needed to judge a smoke check. */
export const MAX_BODY_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 10;

export interface Answer {
  url: string;
  status: number;
  /** By lower-case name; repeated ones joined by ", ". */
  headers: Record<string, string>;
  body: string;
  /** More than MAX_BODY_BYTES came; `body` holds the beginning. */
  bodyTruncated: boolean;
  /** From the start of connecting to the last byte of the body. */
  latencyMs: number;
}

/** No complete answer came. The message says why in plain words. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The URL of a path below the base URL, whose own path is kept as a prefix. */
export function targetUrl(baseUrl: URL, path: string): URL {
  const url = new URL(baseUrl);
  const [pathname, query] = splitOnce(path, "?");
  url.pathname = baseUrl.pathname.replace(/\/$/, "") + pathname;
  url.search = query;
  return url;
}

/**
 * Sends a request and reads the answer.
 * @throws {NoAnswerError} when the connection fails, the time is up or the answer is no HTTP.
 * @throws the signal's reason when `signal` is aborted.
 */
export async function send(request: CheckRequest, url: URL, signal: AbortSignal): Promise<Answer> {
  const timeout = AbortSignal.timeout(request.timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  const started = performance.now();
  const progress = { connected: false };
  let current = { url, method: request.method, headers: request.headers, body: request.body };
  try {
    for (let redirects = 0; ; redirects++) {
      const answer = await exchange(current, either, progress);
      const location = request.followRedirects ? redirectTarget(answer, current.url) : undefined;
      if (location === undefined) return { ...answer, latencyMs: performance.now() - started };
      if (redirects === MAX_REDIRECTS) {
        throw new NoAnswerError(
          "TOO_MANY_REDIRECTS",
          `gave up after ${MAX_REDIRECTS} redirects, the last one to ${location.href}`,
        );
      }
      current = redirected(current, answer.status, location);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NoAnswerError) throw error;
    if (timeout.aborted) {
      const { host } = current.url;
      const what = progress.connected
        ? `connected to ${host}, but got no complete answer`
        : `could not connect to ${host}`;
      throw new NoAnswerError("TIMEOUT", `${what} within ${formatDuration(request.timeoutMs)}`);
    }
    const { code, message } = explainConnectionError(error, current.url);
    throw new NoAnswerError(code, message, { cause: error });
  }
}

interface Exchange {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | undefined;
}

type Received = Omit<Answer, "latencyMs">;

async function exchange(
  { url, method, headers, body }: Exchange,
  signal: AbortSignal,
  progress: { connected: boolean },
): Promise<Received> {
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  signal.throwIfAborted();
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  // A connection of its own for each request: a Service balances connections, so a kept one would ask the same pod each time.
  const options: RequestOptions = {
    method,
    headers: { "user-agent": "safe-deploy-smoke", ...headers, ...length },
    agent: false,
    signal,
  };
  progress.connected = false;
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request(url, options);
    outgoing.on("socket", (socket) => {
      socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => (progress.connected = true));
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      readBody(response).then(
        ({ text, truncated }) =>
          resolve({
            url: withoutCredentials(url),
            status: response.statusCode!,
            headers: joinedHeaders(response),
            body: text,
            bodyTruncated: truncated,
          }),
        reject,
      );
    });
    outgoing.end(body);
  });
}

async function readBody(response: IncomingMessage): Promise<{ text: string; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop destroys the response and with it the connection.
    if (bytes > MAX_BODY_BYTES) break;
  }
  const body = Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES);
  return { text: body.toString("utf8"), truncated: bytes > MAX_BODY_BYTES };
}

function joinedHeaders(response: IncomingMessage): Record<string, string> {
  const joined = Object.entries(response.headersDistinct).map(([name, values]) => [name, (values ?? []).join(", ")]);
  return Object.fromEntries(joined) as Record<string, string>;
}

function redirectTarget({ status, headers }: Received, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || headers.location === undefined) return undefined;
  const target = URL.parse(headers.location, from.href);
  if (target === null || !["http:", "https:"].includes(target.protocol)) {
    throw new NoAnswerError(
      "BAD_REDIRECT",
      `redirected to ${JSON.stringify(headers.location)}, which is no http or https address`,
    );
  }
  return target;
}

/** RFC 9110 section 15.4: 303, and by custom 301 and 302 after POST, go on as GET; the others repeat the request. */
function redirected({ url, method, headers, body }: Exchange, status: number, location: URL): Exchange {
  const becomesGet = (status === 303 && method !== "HEAD") || (status < 303 && method === "POST");
  const dropped = [
    ...(becomesGet ? ["content-type", "content-encoding", "content-language"] : []),
    // What was meant for one server is not shown to another.
    ...(location.origin === url.origin ? [] : ["authorization", "cookie", "host"]),
  ];
  const kept = Object.entries(headers).filter(([name]) => !dropped.includes(name.toLowerCase()));
  return {
    url: location,
    method: becomesGet ? "GET" : method,
    headers: Object.fromEntries(kept),
    body: becomesGet ? undefined : body,
  };
}

export function withoutCredentials(url: URL): string {
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  return shown.href;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
