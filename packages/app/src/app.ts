import { ExactRate, seedFor } from "./exact-rate.ts";
import { failureBody, type Http } from "./http.ts";
import type { JobQueue } from "./job-queue.ts";
import { jobs } from "./jobs.ts";
import { notes } from "./notes.ts";
import { buildPlatform, type PlatformParts } from "./platform.ts";

/** The service on its main port. Not listening yet. `queue` goes with the database. */
export async function buildApp(
  parts: Omit<PlatformParts, "requestFaults" | "status"> & { queue: JobQueue | undefined },
): Promise<Http> {
  const { config, faults, database, queue } = parts;
  const app = await buildPlatform({
    ...parts,
    requestFaults: faults,
    status: () => ({ features: { new: config.featureNew } }),
  });

  const featureErrors = new ExactRate(config.featureErrorRatio, seedFor(config.faultSeed, "FEATURE_NEW"));
  app.get("/feature/new", { schema: { tags: ["service"] } }, (_request, reply) => {
    if (!config.featureNew) return { feature: "new", enabled: false };
    if (!featureErrors.next()) return { feature: "new", enabled: true };
    reply.code(500);
    return failureBody(500, "FEATURE_NEW_FAILED", "the new feature failed");
  });

  if (database !== undefined) await app.register(notes(database.pool));
  if (database !== undefined && queue !== undefined) await app.register(jobs(database.pool, queue));
  return app;
}
