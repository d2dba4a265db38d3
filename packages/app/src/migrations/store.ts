import { setTimeout as delay } from "node:timers/promises";
import { Client, type DatabaseError } from "pg";
import type { Phase } from "./files.ts";
import type { Applied, DownStep, UpStep } from "./plan.ts";
import { splitStatements } from "./statements.ts";

/** Any number that no other user of the database takes. */
const LOCK_KEY = 7_305_712_011;
const RETRY_MS = 250;
/** Errors of a server that is not up yet: refused, reset, name not known yet, starting up. */
const NOT_UP_YET = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "57P03",
]);

/** Another run holds the migration lock. */
export class MigrationLockedError extends Error {}

/** SQLSTATE restrict_violation: what a down script raises when going back would lose data. */
const GUARD = "23001";

/** A step failed. What its transaction did is undone; a step outside a transaction is marked unfinished. */
export class MigrationStepError extends Error {
  /** The script itself refused, and its transaction left nothing behind. */
  readonly refused: boolean;

  constructor(message: string, options: { cause: unknown; refused: boolean }) {
    super(message, { cause: options.cause });
    this.refused = options.refused;
  }
}

/** The migrations of one database, through one session that must not go through a transaction-pooling proxy. */
export class MigrationStore {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Connects; keeps trying for `waitSeconds` while the server is not up yet. */
  static async connect(url: string, waitSeconds: number, progress: (line: string) => void): Promise<MigrationStore> {
    const deadline = performance.now() + waitSeconds * 1000;
    for (let told = false; ; told = true) {
      const client = new Client({
        connectionString: url,
        application_name: "myapp-migrate",
        connectionTimeoutMillis: 5000,
      });
      try {
        await client.connect();
        return new MigrationStore(client);
      } catch (error) {
        const { code, message } = firstCause(error);
        if (!NOT_UP_YET.has(code ?? "") || performance.now() > deadline) throw error;
        if (!told) progress(`waiting up to ${waitSeconds} s for the database: ${message}`);
        await delay(RETRY_MS);
      }
    }
  }

  /**
   * Takes the lock that lets one run at a time change the schema, waiting up to `waitSeconds` for another run.
   * Asks again and again: a session that waits inside Postgres would block a CREATE INDEX CONCURRENTLY of the holder.
   * @throws MigrationLockedError naming the holder
   */
  async lock(waitSeconds: number, progress: (line: string) => void): Promise<void> {
    const deadline = performance.now() + waitSeconds * 1000;
    for (let told = false; ; told = true) {
      const { rows } = await this.#client.query<{ locked: boolean }>("SELECT pg_try_advisory_lock($1) AS locked", [
        LOCK_KEY,
      ]);
      if (rows[0]?.locked === true) return;
      const holder = await this.#lockHolder();
      if (performance.now() > deadline) throw new MigrationLockedError(`another migration is running: ${holder}`);
      if (!told) progress(`waiting up to ${waitSeconds} s for another migration: ${holder}`);
      await delay(RETRY_MS);
    }
  }

  /** Migrations that the database has, oldest first; empty when it has never been migrated. */
  async applied(): Promise<Applied[]> {
    const { rows: tables } = await this.#client.query<{ name: string | null }>(
      "SELECT to_regclass('schema_migrations') AS name",
    );
    if (tables[0]?.name === null) return [];
    const { rows } = await this.#client.query<MigrationRow>(
      'SELECT * FROM schema_migrations ORDER BY version COLLATE "C"',
    );
    return rows.map(toApplied);
  }

  /** Runs the steps of one batch, in one transaction where their scripts allow it. `lockTimeoutSeconds` bounds each wait for a table lock. */
  async run(batch: readonly (UpStep | DownStep)[], options: { by: string; lockTimeoutSeconds: number }): Promise<void> {
    await this.#ensureTable();
    await this.#client.query("SELECT set_config('lock_timeout', $1, false)", [
      `${options.lockTimeoutSeconds * 1000}ms`,
    ]);
    const transaction = batch.every((step) => scriptOf(step).transaction);
    let current = batch[0];
    if (transaction) await this.#client.query("BEGIN");
    try {
      for (const step of batch) {
        current = step;
        await this.#step(step, options.by);
      }
      if (transaction) await this.#client.query("COMMIT");
    } catch (error) {
      // The connection may be the thing that failed; then the server rolls back by itself.
      if (transaction) await this.#client.query("ROLLBACK").catch(() => undefined);
      throw stepError(error, current, transaction);
    }
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async #step(step: UpStep | DownStep, by: string): Promise<void> {
    const script = scriptOf(step);
    if (step.direction === "up") {
      const { version, name, phase, compatibleFrom, checksum, down } = step.migration;
      // The row comes first: a script outside a transaction that is interrupted leaves it behind unfinished.
      await this.#client.query(
        `INSERT INTO schema_migrations (version, name, phase, compatible_from, checksum, reversible, down_sql, down_transaction, applied_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (version) DO UPDATE SET name = $2, phase = $3, compatible_from = $4, checksum = $5, reversible = $6,
           down_sql = $7, down_transaction = $8, applied_by = $9, applied_at = now()`,
        [version, name, phase, compatibleFrom, checksum, down !== undefined, down?.sql, down?.transaction ?? true, by],
      );
      await this.#execute(script);
      await this.#client.query("UPDATE schema_migrations SET finished_at = clock_timestamp() WHERE version = $1", [
        version,
      ]);
    } else {
      // Until the row is gone the migration counts as unfinished, so that old code does not trust the schema.
      await this.#client.query("UPDATE schema_migrations SET finished_at = NULL WHERE version = $1", [
        step.applied.version,
      ]);
      await this.#execute(script);
      await this.#client.query("DELETE FROM schema_migrations WHERE version = $1", [step.applied.version]);
    }
  }

  async #execute(script: { sql: string; transaction: boolean }): Promise<void> {
    if (script.transaction) await this.#client.query(script.sql);
    else for (const statement of splitStatements(script.sql)) await this.#client.query(statement);
  }

  async #ensureTable(): Promise<void> {
    await this.#client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      version text PRIMARY KEY,
      name text NOT NULL,
      phase text NOT NULL,
      compatible_from text NOT NULL,
      checksum text NOT NULL,
      reversible boolean NOT NULL,
      down_sql text,
      down_transaction boolean NOT NULL,
      applied_by text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now(),
      finished_at timestamptz
    )`);
  }

  async #lockHolder(): Promise<string> {
    const { rows } = await this.#client.query<{
      pid: number;
      application_name: string;
      client_addr: string | null;
      since: Date;
    }>(
      `SELECT a.pid, a.application_name, a.client_addr, a.backend_start AS since FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.classid = $1 AND l.objid = $2`,
      [Math.floor(LOCK_KEY / 2 ** 32), LOCK_KEY % 2 ** 32],
    );
    const [holder] = rows;
    if (holder === undefined) return "it has just ended";
    return `${holder.application_name} from ${holder.client_addr ?? "a local socket"}, server process ${holder.pid}, since ${holder.since.toISOString()}`;
  }
}

type MigrationRow = {
  version: string;
  name: string;
  phase: Phase;
  compatible_from: string;
  checksum: string;
  down_sql: string | null;
  down_transaction: boolean;
  applied_by: string;
  applied_at: Date;
  finished_at: Date | null;
};

function toApplied(row: MigrationRow): Applied {
  return {
    version: row.version,
    name: row.name,
    phase: row.phase,
    compatibleFrom: row.compatible_from,
    checksum: row.checksum,
    down: row.down_sql === null ? undefined : { sql: row.down_sql, transaction: row.down_transaction },
    appliedAt: row.applied_at,
    appliedBy: row.applied_by,
    finished: row.finished_at !== null,
  };
}

function scriptOf(step: UpStep | DownStep) {
  return step.direction === "up" ? step.migration.up : step.down;
}

function stepError(error: unknown, step: UpStep | DownStep | undefined, transaction: boolean): Error {
  if (step === undefined) return error as Error;
  const { version, name } = step.direction === "up" ? step.migration : step.applied;
  const { message, hint, position, code } = error as Partial<DatabaseError>;
  const line =
    position === undefined ? "" : ` (line ${scriptOf(step).sql.slice(0, Number(position)).split("\n").length})`;
  const busy =
    code === "55P03"
      ? " Another session holds a lock on the table: nothing was changed, run it again when it is gone."
      : "";
  const left = transaction
    ? "its transaction was rolled back"
    : "it runs outside a transaction and is marked unfinished: the next upgrade runs it again";
  return new MigrationStepError(
    `${version}_${name}.${step.direction}.sql${line}: ${message}.${hint === undefined ? "" : ` ${hint}`}${busy} (${left})`,
    { cause: error, refused: transaction && code === GUARD },
  );
}

function firstCause(error: unknown): { code?: string; message: string } {
  return error instanceof AggregateError ? error.errors[0] : (error as { code?: string; message: string });
}
