import { setTimeout as delay } from "node:timers/promises";
import { buildApp } from "./app.ts";
import { JobQueue } from "./job-queue.ts";
import { run } from "./program.ts";

await run({ service: "myapp", oldestSchema: "20251028", needsDatabase: false }, async (parts) => {
  const { config, database, log } = parts;
  const queue =
    config.databaseUrl === undefined || database === undefined
      ? undefined
      : new JobQueue({ url: config.databaseUrl, pool: database.pool, log, maintains: false });
  return {
    app: await buildApp({ ...parts, queue }),
    drain: () => delay(config.drainSeconds * 1000),
    end: async () => await queue?.close(0),
  };
});
