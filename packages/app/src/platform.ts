import swagger from "@fastify/swagger";
import { Type } from "typebox";
import type { Config } from "./config.ts";
import type { Database } from "./database.ts";
import { scenarioOf, type FaultDials } from "./faults.ts";
import { buildHttp, reasonOf, type Http, type HttpParts } from "./http.ts";

const Version = Type.Object({ version: Type.String(), commit: Type.String() });

export type PlatformParts = HttpParts & {
  config: Config;
  faults: FaultDials;
  database: Database | undefined;
  /** Why the program on top of this cannot work, if it cannot. */
  unreadyReason?: () => string | undefined;
  /** What `/api/v1/status` says beside what every program says. */
  status?: () => object;
};

/** What every program of this image answers: probes, versions, metrics, its own documentation. */
export async function buildPlatform(parts: PlatformParts): Promise<Http> {
  const { config, metrics, faults, lifecycle, database } = parts;
  const app = buildHttp(parts);

  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "myapp", version: config.version, description: "Sample service with fault dials." },
    },
  });

  app.get("/live", { schema: { tags: ["probes"] } }, () => ({ status: "alive" }));
  app.get("/ready", { schema: { tags: ["probes"] } }, (_request, reply) => {
    const reason = unreadyReason();
    if (reason === undefined) return { status: "ready" };
    reply.code(503);
    return { status: "unready", reason };
  });
  app.get("/healthz", { schema: { tags: ["probes"] } }, async (_request, reply) => {
    const reason = await databaseProblem();
    if (reason === undefined) return { status: "ok", database: "ok", schemaVersion: database?.schemaVersion ?? null };
    reply.code(503);
    return { status: "unhealthy", reason };
  });
  for (const path of ["/health", "/api/v1/health"])
    app.get(path, { schema: { tags: ["probes"] } }, () => ({ status: "ok", version: config.version }));

  for (const path of ["/version", "/api/v1/version"])
    app.get(path, { schema: { tags: ["service"], response: { 200: Version } } }, () => ({
      version: config.version,
      commit: config.commit,
    }));
  app.get("/api/v1/status", { schema: { tags: ["service"] } }, () => ({
    status: unreadyReason() === undefined ? "ok" : "unready",
    version: config.version,
    commit: config.commit,
    uptimeSeconds: Math.floor(process.uptime()),
    database: database === undefined ? "not configured" : (database.schemaVersion ?? "unreachable"),
    ...parts.status?.(),
  }));

  app.get("/metrics", { schema: { tags: ["probes"] } }, async (_request, reply) => {
    const text = await metrics.registry.metrics();
    return reply.type(metrics.registry.contentType).send(text);
  });
  app.get("/metrics.json", { schema: { tags: ["probes"] } }, () => {
    const { requests, errors, meanLatencyMs } = metrics.requests.totals();
    return {
      version: config.version,
      scenario: scenarioOf(faults.settings),
      total_requests: requests,
      error_count: errors,
      error_rate: requests === 0 ? 0 : errors / requests,
      avg_latency_ms: meanLatencyMs,
    };
  });

  app.get("/openapi.json", { schema: { tags: ["service"] } }, () => app.swagger());

  function unreadyReason(): string | undefined {
    if (lifecycle.draining) return "shutting down";
    if (!lifecycle.booted) return "starting (BOOT_DELAY has not passed)";
    if (faults.settings.unready) return "the fault dial `unready` is on";
    return database?.unreadyReason ?? parts.unreadyReason?.();
  }

  async function databaseProblem(): Promise<string | undefined> {
    if (database === undefined) return "DB_DSN is not set";
    return database.ping().then(
      () => undefined,
      (error: unknown) => `the database does not answer: ${reasonOf(error)}`,
    );
  }

  return app;
}
