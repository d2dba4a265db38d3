import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import fastify, { LogController, type FastifyBaseLogger } from "fastify";
import { Type } from "typebox";
import { TIMEOUTS } from "./http.ts";
import { errorRatioProblem, NO_FAULTS, type FaultDials } from "./faults.ts";
import { SCENARIOS } from "./scenario.ts";

const Settings = Type.Object(
  {
    errors: Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 1 }), { default: {} }),
    jobCrashes: Type.Number({ minimum: 0, maximum: 1, default: NO_FAULTS.jobCrashes }),
    latencyMs: Type.Number({ minimum: 0, maximum: 600_000, default: NO_FAULTS.latencyMs }),
    leakMbPerSecond: Type.Number({ minimum: 0, maximum: 10_000, default: NO_FAULTS.leakMbPerSecond }),
    crashAfterSeconds: Type.Union([Type.Number({ minimum: 0, maximum: 86_400 }), Type.Null()], {
      default: NO_FAULTS.crashAfterSeconds,
    }),
    unready: Type.Boolean({ default: NO_FAULTS.unready }),
    sick: Type.Boolean({ default: NO_FAULTS.sick }),
    scenario: Type.Union([...SCENARIOS.map((name) => Type.Literal(name)), Type.Null()], {
      default: NO_FAULTS.scenario,
    }),
  },
  { additionalProperties: false },
);

/** The fault dials over HTTP, on a port of their own that no Service needs to expose: GET, PUT (the whole state) and DELETE /faults. */
export function buildAdmin(options: { log: FastifyBaseLogger; version: string; faults: FaultDials }) {
  const { log, faults } = options;
  const admin = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    connectionTimeout: TIMEOUTS.connection,
    requestTimeout: TIMEOUTS.request,
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  admin.addHook("onRequest", (_request, reply, done) => {
    reply.header("x-app-version", options.version);
    done();
  });
  admin.get("/faults", () => faults.settings);
  admin.put("/faults", { schema: { body: Settings } }, async (request, reply) => {
    const problems = Object.entries(request.body.errors).flatMap(([target, ratio]) => {
      const problem = errorRatioProblem(target, ratio);
      return problem === undefined ? [] : [`errors[${JSON.stringify(target)}]: ${problem}`];
    });
    if (problems.length > 0)
      return reply
        .code(400)
        .send({ statusCode: 400, error: "Bad Request", code: "FAULT_BAD_TARGET", message: problems.join("; ") });
    faults.set(request.body);
    log.warn({ faults: request.body }, "fault dials turned");
    return faults.settings;
  });
  admin.delete("/faults", () => {
    faults.set(NO_FAULTS);
    log.warn({ faults: NO_FAULTS }, "fault dials off");
    return faults.settings;
  });
  return admin;
}
