import { PgBoss, type Db, type Job } from "pg-boss";
import type { Pool, PoolClient } from "pg";

const QUEUE = "jobs";
const SCHEMA = "pgboss";
/**
 * Seconds where it says so. A job that a worker took and lost is given to another one when its heartbeat is missing. The
 * retries last for about 8 minutes: longer than a bad release should.
 */
const POLICY = {
  retryLimit: 20,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 30,
  expireInSeconds: 300,
  heartbeatSeconds: 10,
};
const SUPERVISE_SECONDS = 5;
const POLL_SECONDS = 0.5;
const SHORTEST_STOP_MS = 1000;
const UNDEFINED_TABLE = "42P01";

type Logger = { warn: (details: object, message: string) => void };

export type QueueState = "queued" | "running" | "failed";

/** How far the workers are behind. */
export type Backlog = {
  /** Jobs that wait for a worker, or for another try. */
  depth: number;
  /** Age in seconds of the oldest job that is not finished, be it waiting, waiting for another try, or being worked on. */
  lagSeconds: number;
};

/**
 * The queue of jobs in PostgreSQL. pg-boss keeps its tables in a schema of its own, which it creates and updates by
 * itself, one process at a time; the account needs the right to do so.
 */
export class JobQueue {
  readonly #pool: Pool;
  readonly #boss: PgBoss;
  #opening: Promise<void> | undefined;

  /** @param maintains whether this process looks after jobs that were lost by others */
  constructor(options: { url: string; pool: Pool; log: Logger; maintains: boolean }) {
    this.#pool = options.pool;
    this.#boss = new PgBoss({
      connectionString: options.url,
      application_name: "myapp-queue",
      schema: SCHEMA,
      max: 4,
      connectionTimeoutMillis: 2000,
      schedule: false,
      supervise: options.maintains,
      superviseIntervalSeconds: SUPERVISE_SECONDS,
      monitorIntervalSeconds: SUPERVISE_SECONDS,
    });
    this.#boss.on("error", (error) => options.log.warn({ err: error }, "queue error"));
    this.#boss.on("warning", (warning) => options.log.warn({ warning }, "queue warning"));
  }

  /** Connects and makes sure that the queue exists. A call that failed is tried again by the next one. */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    await this.#boss.start();
    await this.#boss.createQueue(QUEUE, POLICY);
  }

  /** Adds a job within the transaction of `client`: it exists when that commits. The queue must be open. */
  async add(client: PoolClient, id: string): Promise<void> {
    await this.#boss.send(QUEUE, {}, { id, db: within(client) });
  }

  /** Where an unfinished job is; `undefined` when it is finished, or the queue has never had it. */
  async stateOf(id: string): Promise<QueueState | undefined> {
    const rows = await this.#rows<{ state: string }>(`SELECT state FROM ${SCHEMA}.job WHERE name = $1 AND id = $2`, [
      QUEUE,
      id,
    ]);
    const states: Record<string, QueueState> = {
      created: "queued",
      retry: "queued",
      active: "running",
      failed: "failed",
      cancelled: "failed",
    };
    return states[rows[0]?.state ?? ""];
  }

  async backlog(): Promise<Backlog> {
    const [row] = await this.#rows<{ depth: number; lag: number | null }>(
      `SELECT count(*) FILTER (WHERE state < 'active')::int AS depth,
         extract(epoch FROM clock_timestamp() - min(created_on))::float8 AS lag
       FROM ${SCHEMA}.job WHERE name = $1 AND state <= 'active'`,
      [QUEUE],
    );
    return { depth: row?.depth ?? 0, lagSeconds: Math.max(0, row?.lag ?? 0) };
  }

  /**
   * Calls `handle` with each job, up to `concurrency` at a time. When it throws, the job is tried again later; when it
   * returns, the job is finished unless `finish` did that already.
   */
  async work(concurrency: number, handle: (job: Job) => Promise<void>): Promise<void> {
    for (let n = 0; n < concurrency; n += 1) {
      let worker: string | undefined;
      const options = { batchSize: 1, pollingIntervalSeconds: POLL_SECONDS };
      worker = await this.#boss.work(QUEUE, options, async (jobs: Job[]) => {
        // Where one job was there may be more: look again at once, not when the interval is over.
        if (worker !== undefined) this.#boss.notifyWorker(worker);
        for (const job of jobs) await handle(job);
      });
    }
  }

  /** Marks a job as finished within the transaction of `client`, if this try of it still counts. */
  async finish(client: PoolClient, job: Job): Promise<void> {
    await this.#boss.complete(QUEUE, job, null, { db: within(client) });
  }

  /**
   * Takes no more jobs, waits up to `seconds` for those at work, then gives the rest back to the queue and aborts their
   * signals.
   */
  async close(seconds: number): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: Math.max(SHORTEST_STOP_MS, seconds * 1000) });
  }

  // Before the first job there is no table: the same as an empty one.
  async #rows<Row extends object>(sql: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>(sql, values)).rows;
    } catch (error) {
      if ((error as { code?: string }).code === UNDEFINED_TABLE) return [];
      throw error;
    }
  }
}

function within(client: PoolClient): Db {
  return { executeSql: (text, values) => client.query(text, values as unknown[]) };
}
