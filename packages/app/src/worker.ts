import { setTimeout as delay } from "node:timers/promises";
import { JobQueue } from "./job-queue.ts";
import { JobRunner } from "./job-runner.ts";
import { buildPlatform } from "./platform.ts";
import { run } from "./program.ts";
import { WorkerMetrics } from "./worker-metrics.ts";

const RETRY_MS = 500;

await run({ service: "myapp-worker", oldestSchema: "20251112", needsDatabase: true }, async (parts) => {
  const { config, database, log, metrics, faults, lifecycle } = parts;
  if (config.databaseUrl === undefined || database === undefined) throw new Error("no database");
  const { pool } = database;
  const queue = new JobQueue({ url: config.databaseUrl, pool, log, maintains: true });
  const workerMetrics = new WorkerMetrics(metrics.registry, () => queue.backlog());
  const runner = new JobRunner({
    ...{ pool, queue, faults, log, metrics: workerMetrics },
    doneBy: config.version,
    isStopping: () => lifecycle.draining,
  });
  let working = false;

  return {
    app: await buildPlatform({
      ...parts,
      // The dials of this program reach its jobs.
      requestFaults: undefined,
      status: () => ({ lastJob: runner.last }),
      unreadyReason: () => (working ? undefined : "the queue is not open yet"),
    }),
    begin: () => void begin(),
    drain: async () => await queue.close(config.workerDrainSeconds),
  };

  // Jobs are taken from the moment on at which the pod is ready, so that one that never gets ready takes none.
  async function begin(): Promise<void> {
    for (; !working && !lifecycle.draining; await delay(RETRY_MS, undefined, { ref: false }))
      try {
        if (!lifecycle.booted || faults.settings.unready || database?.unreadyReason !== undefined) continue;
        await queue.open();
        if (lifecycle.draining) return;
        await queue.work(config.workerConcurrency, (job) => runner.run(job));
        working = true;
        log.info({ concurrency: config.workerConcurrency }, "working");
      } catch (error) {
        log.warn({ err: error }, "cannot open the queue");
      }
  }
});
