import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import type { Job } from "pg-boss";
import type { FaultDials } from "./faults.ts";
import type { JobQueue } from "./job-queue.ts";
import { inTransaction } from "./transaction.ts";
import type { JobResult, WorkerMetrics } from "./worker-metrics.ts";

type Logger = {
  info: (details: object, message: string) => void;
  warn: (details: object, message: string) => void;
};
type Asked = { idempotency_key: string; text: string };

/** Does the jobs: counts the words of their text. */
export class JobRunner {
  readonly #pool: Pool;
  readonly #queue: JobQueue;
  readonly #faults: FaultDials;
  readonly #log: Logger;
  readonly #metrics: WorkerMetrics;
  readonly #doneBy: string;
  readonly #isStopping: () => boolean;
  #last: JobResult | null = null;

  constructor(options: {
    pool: Pool;
    queue: JobQueue;
    faults: FaultDials;
    log: Logger;
    metrics: WorkerMetrics;
    doneBy: string;
    /** Whether the process has been told to end, and so gives jobs back. */
    isStopping: () => boolean;
  }) {
    this.#pool = options.pool;
    this.#queue = options.queue;
    this.#faults = options.faults;
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#doneBy = options.doneBy;
    this.#isStopping = options.isStopping;
  }

  /** How the newest try of a job ended in this process; `null` before the first. */
  get last(): JobResult | null {
    return this.#last;
  }

  /**
   * Does one job. Its result and the end of the job are one transaction: however this process ends, the job either is
   * done or will be tried again, and never has two results.
   * @throws what made this try fail
   */
  async run(job: Job): Promise<void> {
    const started = performance.now();
    const ended = (result: JobResult) => {
      const seconds = (performance.now() - started) / 1000;
      this.#metrics.record(result, seconds);
      this.#last = result;
      return { job: job.id, attempt: job.retryCount, ms: seconds * 1000, result };
    };
    try {
      const recorded = await this.#try(job);
      this.#log.info(ended(recorded ? "done" : "duplicate"), "job done");
    } catch (error) {
      // A job that is given back says nothing about this version.
      const result = job.signal.aborted && this.#isStopping() ? "returned" : "failed";
      this.#log.warn({ err: error, ...ended(result) }, `job ${result}`);
      throw error;
    }
  }

  async #try(job: Job): Promise<boolean> {
    const { latencyMs } = this.#faults.settings;
    const fails = this.#faults.failsNextJob();
    // The signal is aborted when the job is given back.
    if (latencyMs > 0) await delay(latencyMs, undefined, { signal: job.signal });
    if (fails) throw new Error("a fault dial chose this job");

    const { rows } = await this.#pool.query<Asked>("SELECT idempotency_key, text FROM jobs WHERE id = $1", [job.id]);
    const [asked] = rows;
    if (asked === undefined) throw new Error(`the queue has a job ${job.id} that nobody asked for`);
    const words = asked.text.split(/\s+/).filter((word) => word !== "").length;
    this.#faults.crashInJob();

    return await inTransaction(this.#pool, async (client) => {
      const { rowCount } = await client.query(
        `INSERT INTO job_results (idempotency_key, words, bytes, done_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (idempotency_key) DO NOTHING`,
        [asked.idempotency_key, words, Buffer.byteLength(asked.text), this.#doneBy],
      );
      await this.#queue.finish(client, job);
      return rowCount === 1;
    });
  }
}
