import { Pool } from "pg";

const POLL_UNTIL_KNOWN_MS = 500;
const POLL_MS = 5000;
const UNDEFINED_TABLE = "42P01";

type Logger = { warn: (details: object, message: string) => void; info: (details: object, message: string) => void };

/** The connection pool, and what is known of the schema behind it. */
export class Database {
  readonly pool: Pool;
  readonly #oldestSchema: string;
  readonly #log: Logger;
  readonly #onSchemaVersion: (version: string) => void;
  #schemaVersion: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ping: Promise<void> | undefined;

  /** @param options.oldestSchema oldest schema version that the program works with; a database that is ahead is fine */
  constructor(options: { url: string; oldestSchema: string; log: Logger; onSchemaVersion: (version: string) => void }) {
    this.#oldestSchema = options.oldestSchema;
    this.#log = options.log;
    this.#onSchemaVersion = options.onSchemaVersion;
    this.pool = new Pool({
      connectionString: options.url,
      application_name: "myapp",
      max: 10,
      connectionTimeoutMillis: 2000,
      idleTimeoutMillis: 30_000,
      query_timeout: 6000,
      options: "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=10000",
    });
    // Without a listener an idle connection that breaks would end the process; the pool replaces it by itself.
    this.pool.on("error", (error) => this.#log.warn({ err: error }, "idle database connection lost"));
  }

  /** Newest applied migration as last read, "0" before the first one, `undefined` until the database has answered. */
  get schemaVersion(): string | undefined {
    return this.#schemaVersion;
  }

  /** Why this code cannot work with the database, or `undefined` when it can. The last known version stands while the database is away. */
  get unreadyReason(): string | undefined {
    if (this.#schemaVersion === undefined) return "the database has not answered yet";
    if (this.#schemaVersion < this.#oldestSchema)
      return `the database schema is at ${this.#schemaVersion}, this version needs ${this.#oldestSchema} or newer: run migrate upgrade`;
    return undefined;
  }

  /** Reads the schema version now and then again and again until `close`. */
  async watchSchema(): Promise<void> {
    try {
      const version = await readSchemaVersion(this.pool);
      if (version !== this.#schemaVersion) {
        this.#log.info({ schemaVersion: version }, "database schema version");
        this.#schemaVersion = version;
        this.#onSchemaVersion(version);
      }
    } catch (error) {
      this.#log.warn({ err: error }, "cannot read the schema version");
    }
    if (this.pool.ending) return;
    const settled = this.unreadyReason === undefined;
    this.#timer = setTimeout(() => void this.watchSchema(), settled ? POLL_MS : POLL_UNTIL_KNOWN_MS).unref();
  }

  /** Resolves when the database answers a query, rejects with the reason when it does not. Calls at the same time share one query. */
  ping(): Promise<void> {
    this.#ping ??= this.pool
      .query("SELECT 1")
      .then(() => undefined)
      .finally(() => (this.#ping = undefined));
    return this.#ping;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.pool.end();
  }
}

// Versions are dates with an optional two-digit number behind: they sort as text ("20251028" < "2025102801" < "20251105").
async function readSchemaVersion(pool: Pool): Promise<string> {
  try {
    const { rows } = await pool.query<{ version: string }>(
      `SELECT version FROM schema_migrations WHERE finished_at IS NOT NULL ORDER BY version COLLATE "C" DESC LIMIT 1`,
    );
    return rows[0]?.version ?? "0";
  } catch (error) {
    if ((error as { code?: string }).code === UNDEFINED_TABLE) return "0";
    throw error;
  }
}
