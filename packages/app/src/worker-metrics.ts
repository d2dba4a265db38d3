import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Backlog } from "./job-queue.ts";

/** Seconds. */
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What a worker measures of its jobs. Those of the queue are read at each scrape; when they cannot be, the series are missing. */
export class WorkerMetrics {
  readonly processed: Counter;
  readonly failed: Counter;
  readonly duplicate: Counter;
  readonly duration: Histogram;

  constructor(registry: Registry, backlog: () => Promise<Backlog>) {
    const registers = [registry];
    this.processed = new Counter({
      name: "worker_jobs_processed_total",
      help: "Jobs whose effect this process recorded.",
      registers,
    });
    this.failed = new Counter({
      name: "worker_jobs_failed_total",
      help: "Tries of a job that failed in this process. The queue tries again.",
      registers,
    });
    this.duplicate = new Counter({
      name: "worker_jobs_duplicate_total",
      help: "Jobs that this process found done already.",
      registers,
    });
    this.duration = new Histogram({
      name: "worker_job_duration_seconds",
      help: "Time from taking a job to recording its effect.",
      buckets: DURATION_BUCKETS,
      registers,
    });
    // One query for both; the registry asks for them one after the other.
    let reading: Promise<Backlog | undefined> | undefined;
    const read = () =>
      (reading ??= backlog()
        .catch(() => undefined)
        .finally(() => (reading = undefined)));
    const gauge = (name: string, help: string, value: (backlog: Backlog) => number) => {
      const series = new Gauge({
        name,
        help,
        registers,
        async collect() {
          const now = await read();
          series.remove();
          if (now !== undefined) series.set(value(now));
        },
      });
    };
    gauge("worker_queue_depth", "Jobs that wait for a worker, or for another try.", ({ depth }) => depth);
    gauge(
      "worker_queue_lag_seconds",
      "Age of the oldest job that is not finished: waiting, waiting for another try, or being worked on.",
      ({ lagSeconds }) => lagSeconds,
    );
  }
}
