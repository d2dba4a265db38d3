import { STATUS_CODES } from "node:http";
import { randomBytes } from "node:crypto";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import type { Config } from "./config.ts";
import type { FaultDials } from "./faults.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Metrics } from "./metrics.ts";
import type { AnsweredRequest } from "./request-line.ts";
import { PROBE_ROUTES } from "./routes.ts";

/** Milliseconds. `keepAlive` is longer than the idle time of the usual load balancers (60 s), so that they close first. */
export const TIMEOUTS = { headers: 15_000, request: 30_000, connection: 120_000, keepAlive: 75_000 };

const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;
const DATABASE_CODES = /^(08|53|57)|^(ECONN|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EPIPE)/;
const SCHEMA_CODES = new Set(["42P01", "42703"]);

export type HttpParts = {
  config: Config;
  log: FastifyBaseLogger;
  logRequest: (request: AnsweredRequest) => void;
  metrics: Metrics;
  /** The dials that reach the requests of this server, if any do. */
  requestFaults: FaultDials | undefined;
  lifecycle: Lifecycle;
};

export type Http = ReturnType<typeof buildHttp>;

/** An HTTP server without routes: request metrics, request log, fault dials, errors as JSON. Not listening yet. */
export function buildHttp({ config, log, logRequest, metrics, requestFaults, lifecycle }: HttpParts) {
  const probes = new Set(PROBE_ROUTES);
  const nextId = requestIds();

  const app = fastify({
    // Not `loggerInstance`: with one, Fastify makes a child logger and two listeners for each request.
    childLoggerFactory: () => log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: nextId,
    connectionTimeout: TIMEOUTS.connection,
    requestTimeout: TIMEOUTS.request,
    keepAliveTimeout: TIMEOUTS.keepAlive,
    http: { headersTimeout: TIMEOUTS.headers },
    bodyLimit: 256 * 1024,
    // Unknown fields are refused, not dropped.
    ajv: { customOptions: { removeAdditional: false } },
    // A request that comes over an open connection while the server closes is answered, not refused.
    return503OnClosing: false,
    clientErrorHandler(error, socket) {
      log.debug({ err: error }, "unreadable request");
      if (!socket.writable) return void socket.destroy();
      const status = {
        HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
        ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
      }[error.code ?? ""];
      socket.end(
        `HTTP/1.1 ${status ?? "400 Bad Request"}\r\nx-app-version: ${config.version}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      );
    },
    frameworkErrors(error, _request, reply) {
      const status = error.statusCode ?? 400;
      const untyped: FastifyReply = reply as never;
      void untyped
        .code(status)
        .header("x-app-version", config.version)
        .send(failureBody(status, error.code, error.message));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  // One hook, for each costs every request.
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-app-version", config.version);
    reply.header("x-request-id", request.id);
    const { method } = request;
    const route = request.routeOptions.url;
    if (route !== undefined && probes.has(route)) return done();

    const arrived = performance.now();
    reply.raw.on("finish", () => {
      const milliseconds = performance.now() - arrived;
      const status = reply.statusCode;
      metrics.requests.record(method, route ?? "unmatched", status, milliseconds / 1000);
      logRequest({ id: request.id, method, url: request.url, status, milliseconds });
    });
    if (route === undefined || !requestFaults?.affectsRequests) return done();

    const { latencyMs, sick } = requestFaults.settings;
    const fails = requestFaults.failsNext(method, route);
    const proceed = () => {
      if (!fails) return done();
      const message = sick ? "the fault dial `sick` is on" : "a fault dial, `errors` or `scenario`, chose this request";
      void reply.code(500).send(failureBody(500, "FAULT_INJECTED", message));
    };
    if (latencyMs > 0) setTimeout(proceed, latencyMs);
    else proceed();
  });
  // When the response goes out, not when the request came: what was in flight at SIGTERM closes its connection too.
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (lifecycle.draining) reply.header("connection", "close");
    done(null, payload);
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { status, message } = describeFailure(error);
    if (status >= 500) log.error({ reqId: request.id, err: error }, "request failed");
    return reply.code(status).send(failureBody(status, error.code, message));
  });

  return app;
}

/** The body of every answer that is an error. */
export function failureBody(statusCode: number, code: string, message: string) {
  return { statusCode, error: STATUS_CODES[statusCode] ?? "Error", code, message };
}

// What a client is told: a database that is away or behind is a 503, any other 5xx keeps its cause to the log.
function describeFailure(error: FastifyError): { status: number; message: string } {
  if (DATABASE_CODES.test(error.code ?? "") || error.message === "timeout exceeded when trying to connect")
    return { status: 503, message: "the database is not available" };
  if (SCHEMA_CODES.has(error.code ?? ""))
    return { status: 503, message: "the database schema is older than this version needs" };
  const status = error.statusCode ?? 500;
  return { status, message: status >= 500 ? "internal error" : error.message };
}

/** The message of an error; of the first cause where a connection was tried at several addresses and the error itself has none. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

// The caller's x-request-id where it is a sane one, else a number that is unique over restarts.
function requestIds(): (request: FastifyRequest["raw"]) => string {
  const process = randomBytes(5).toString("base64url");
  let count = 0;
  return (request) => {
    const given = request.headers["x-request-id"];
    if (typeof given === "string" && REQUEST_ID.test(given)) return given;
    count += 1;
    return `${process}-${count.toString(36)}`;
  };
}
