import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Backlog } from "./job-queue.ts";

/** Seconds. */
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * How a try of a job ended: its effect was recorded, it was found done already, it failed and the queue tries again, or
 * it was given back because this process had to stop.
 */
const RESULTS = ["done", "duplicate", "failed", "returned"] as const;
export type JobResult = (typeof RESULTS)[number];

/** What a worker measures of its jobs. Those of the queue are read at each scrape; when they cannot be, the series are missing. */
export class WorkerMetrics {
  readonly #tries: Counter<"result">;
  readonly #duration: Histogram<"result">;

  constructor(registry: Registry, backlog: () => Promise<Backlog>) {
    const registers = [registry];
    this.#tries = new Counter({
      name: "worker_jobs_total",
      help: "Tries of jobs that ended in this process, by result.",
      labelNames: ["result"],
      registers,
    });
    this.#duration = new Histogram({
      name: "worker_job_duration_seconds",
      help: "Time from taking a job to the end of the try, by result.",
      labelNames: ["result"],
      buckets: DURATION_BUCKETS,
      registers,
    });
    // There from the start, so that the first failure is a step from 0 and not a new series.
    for (const result of RESULTS) {
      this.#tries.inc({ result }, 0);
      this.#duration.zero({ result });
    }
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

  /** Counts a try that has ended. */
  record(result: JobResult, seconds: number): void {
    this.#tries.inc({ result });
    this.#duration.observe({ result }, seconds);
  }
}
