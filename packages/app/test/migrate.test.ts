import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Client } from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { migrate, start } from "./processes.ts";
import { freePort, query, usePostgres } from "./postgres.ts";

const postgres = usePostgres();
const REAL = join(import.meta.dirname, "../migrations");

const header = (lines: Record<string, string>) =>
  Object.entries({ reversible: "yes", phase: "expand", "compatible-from": "0", ...lines })
    .map(([key, value]) => `-- ${key}: ${value}\n`)
    .join("");

const NEWEST = "20251112";

/** A folder with the two oldest of the real migrations and `files` beside them. */
async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "app-test-migrations-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(REAL, folder, { recursive: true, filter: (path) => basename(path) < "20251106" || path === REAL });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

async function columns(url: string): Promise<string[]> {
  const rows = await query<{ name: string }>(
    url,
    "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'notes' ORDER BY ordinal_position",
  );
  return rows.map(({ name }) => name);
}

async function status(url: string, args: string[] = []) {
  const { code, stdout } = await migrate(["status", "-o", "json", ...args], { DB_DSN: url });
  expect(code).toBe(0);
  return JSON.parse(stdout) as {
    current: string;
    ahead: boolean;
    pending: string[];
    problems: string[];
    applied: { version: string; finished: boolean; appliedBy: string }[];
  };
}

describe("migrate upgrade", () => {
  it("ends at the asked version, then at the newest, then has nothing to do", async () => {
    const DB_DSN = await postgres.database();
    const first = await migrate(["upgrade", "20251028"], { DB_DSN, APP_VERSION: "20261121.1" });
    expect(first).toMatchObject({ code: 0, stdout: "migrated from 0 to 20251028\n" });
    expect(await columns(DB_DSN)).toEqual(["id", "title", "body", "created_at"]);
    expect(await status(DB_DSN)).toMatchObject({
      current: "20251028",
      pending: ["20251105", NEWEST],
      applied: [{ appliedBy: "20261121.1" }],
    });

    expect(await migrate(["upgrade"], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: `migrated from 20251028 to ${NEWEST}\n`,
    });
    expect(await columns(DB_DSN)).toContain("tags");
    expect(await migrate(["upgrade"], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`already at ${NEWEST}`),
    });
  });

  it("changes nothing in a database that is ahead, and says so", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade"], { DB_DSN });
    const before = await status(DB_DSN);
    expect(await migrate(["upgrade", "20251028"], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`the database is ahead, at ${NEWEST}`),
    });
    expect(await status(DB_DSN)).toEqual(before);
  });

  it("refuses a version that nobody knows", async () => {
    const DB_DSN = await postgres.database();
    expect(await migrate(["upgrade", "20300101"], { DB_DSN })).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("there is no migration 20300101"),
    });
    expect(await columns(DB_DSN)).toEqual([]);
  });

  it("refuses when an applied migration's file has changed", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade", "20251028"], { DB_DSN });
    const dir = await folderWith({ "20251028_create_notes.up.sql": `${header({})}CREATE TABLE notes (id uuid);` });
    const result = await migrate(["upgrade", "--dir", dir], { DB_DSN });
    expect(result).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("20251028_create_notes.up.sql differs from what was applied"),
    });
    expect((await status(DB_DSN, ["--dir", dir])).problems).toHaveLength(1);
    expect(await columns(DB_DSN)).not.toContain("tags");
  });

  it("refuses a migration that slipped in behind the newest applied one", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade"], { DB_DSN });
    const dir = await folderWith({
      "20251101_late.up.sql": `${header({ reversible: "no" })}CREATE TABLE late (id int);`,
    });
    expect(await migrate(["upgrade", "--dir", dir], { DB_DSN })).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("20251101_late was never applied"),
    });
  });

  it("undoes a migration that fails in its middle, keeps the ones before it, and names file and line", async () => {
    const DB_DSN = await postgres.database();
    const dir = await folderWith({
      "20251106_broken.up.sql": `${header({ reversible: "no" })}CREATE TABLE half (id int);\nSELECT nonsense;`,
    });
    const { code, stderr } = await migrate(["upgrade", "--dir", dir], { DB_DSN });
    expect(code).toBe(1);
    expect(stderr).toContain('20251106_broken.up.sql (line 5): column "nonsense" does not exist');
    expect(await query(DB_DSN, "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
    expect((await status(DB_DSN)).current).toBe("20251105");
  });

  it("orders versions of one day by the number behind the date", async () => {
    const DB_DSN = await postgres.database();
    const dir = await folderWith({
      "2025102801_between.up.sql": `${header({ reversible: "no" })}ALTER TABLE notes ADD COLUMN between_them int;`,
    });
    await migrate(["upgrade", "--dir", dir], { DB_DSN });
    expect((await status(DB_DSN)).applied.map(({ version }) => version)).toEqual([
      "20251028",
      "2025102801",
      "20251105",
    ]);
    expect((await status(DB_DSN)).current).toBe("20251105");
  });

  it("runs what cannot be in a transaction outside one; interrupted, it is unfinished and the next upgrade runs it again", async () => {
    const DB_DSN = await postgres.database();
    const name = "20251106_index_titles.up.sql";
    const wrong = `${header({ reversible: "no", transaction: "no" })}DROP INDEX CONCURRENTLY IF EXISTS titles;\nCREATE INDEX CONCURRENTLY titles ON notes (nonsense);`;
    const dir = await folderWith({ [name]: wrong });
    const failed = await migrate(["upgrade", "--dir", dir], { DB_DSN });
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("marked unfinished") });
    expect(await status(DB_DSN, ["--dir", dir])).toMatchObject({ current: "20251105", pending: ["20251106"] });

    await writeFile(join(dir, name), wrong.replace("nonsense", "title"));
    expect(await migrate(["upgrade", "--dir", dir], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: "migrated from 20251105 to 20251106\n",
    });
    expect(
      await query(DB_DSN, "SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = 'titles'::regclass"),
    ).toEqual([{ valid: true }]);
  });

  it("gives up on a busy table after the lock timeout and leaves it as it was", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade", "20251028"], { DB_DSN });
    const reader = new Client({ connectionString: DB_DSN });
    await reader.connect();
    onTestFinished(() => reader.end());
    await reader.query("BEGIN; SELECT * FROM notes");
    const { code, stderr } = await migrate(["upgrade", "--lock-timeout", "0.3"], { DB_DSN });
    expect([code, stderr]).toEqual([1, expect.stringContaining("Another session holds a lock on the table")]);
    expect(await columns(DB_DSN)).not.toContain("tags");
    await reader.query("COMMIT");
    expect((await migrate(["upgrade"], { DB_DSN })).code).toBe(0);
  });
});

describe("two runs at a time", () => {
  it("each end well, and every migration runs once", async () => {
    const DB_DSN = await postgres.database();
    const runs = await Promise.all([1, 2, 3].map(() => migrate(["upgrade"], { DB_DSN })));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(runs.filter(({ stdout }) => stdout.startsWith("migrated"))).toHaveLength(1);
  });

  it("refuses after the wait, naming who holds the lock", async () => {
    const DB_DSN = await postgres.database();
    const dir = await folderWith({
      "20251106_slow.up.sql": `${header({ reversible: "no" })}SELECT pg_sleep(60);`,
    });
    const slow = start("migrate", ["upgrade", "--dir", dir], { DB_DSN });
    await new Promise<void>((resolve) => {
      slow.child.stderr?.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("20251106_slow")) resolve();
      });
    });
    const second = await migrate(["upgrade", "--wait", "0.2"], { DB_DSN });
    expect(second).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/another migration is running: myapp-migrate from .* server process \d+/),
    });
    slow.child.kill("SIGKILL");
    await slow.finished;
    await query(
      DB_DSN,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'myapp-migrate'",
    );
  });
});

describe("migrate downgrade", () => {
  it("ends at the asked version and goes one step with -1, with the SQL that the database stored", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade"], { DB_DSN });
    // The image that runs the down knows none of the migrations.
    const dir = await mkdtemp(join(tmpdir(), "app-test-migrations-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    expect(await migrate(["downgrade", "20251028", "--dir", dir], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: `migrated from ${NEWEST} to 20251028\n`,
    });
    expect(await columns(DB_DSN)).toEqual(["id", "title", "body", "created_at"]);
    expect(await migrate(["downgrade", "20251028"], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("already at 20251028"),
    });
    expect(await migrate(["downgrade", "-1", "--dir", dir], { DB_DSN })).toMatchObject({
      code: 0,
      stdout: "migrated from 20251028 to 0\n",
    });
    expect(await columns(DB_DSN)).toEqual([]);
    expect((await migrate(["upgrade"], { DB_DSN })).code).toBe(0);
  });

  it("refuses the whole way when one step is not reversible, and touches nothing", async () => {
    const DB_DSN = await postgres.database();
    const dir = await folderWith({
      "20251106_drop_body.up.sql": `${header({ reversible: "no", phase: "contract", "compatible-from": "20251105" })}ALTER TABLE notes DROP COLUMN body;`,
      "20251107_more.up.sql": `${header({})}CREATE TABLE more (id int);`,
      "20251107_more.down.sql": "DROP TABLE more;",
    });
    await migrate(["upgrade", "--dir", dir], { DB_DSN });
    const before = await status(DB_DSN);
    const { code, stdout } = await migrate(["downgrade", "20251028"], { DB_DSN });
    expect([code, stdout]).toEqual([3, expect.stringContaining("20251106_drop_body (contract) is not reversible")]);
    expect(await status(DB_DSN)).toEqual(before);
    expect((await migrate(["downgrade", "-1"], { DB_DSN })).stdout).toBe("migrated from 20251107 to 20251106\n");
  });

  it("refuses the whole way when a step would lose data, and touches nothing", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade"], { DB_DSN });
    await query(DB_DSN, "INSERT INTO notes (id, title) VALUES (gen_random_uuid(), 'keep me')");
    const { code, stdout } = await migrate(["downgrade", "0"], { DB_DSN });
    expect([code, stdout]).toEqual([
      3,
      expect.stringContaining("notes are stored: dropping the table would lose them"),
    ]);
    expect(await columns(DB_DSN)).toContain("tags");
    expect((await status(DB_DSN)).current).toBe(NEWEST);
  });

  it("refuses a version that is newer than the database or that it never had", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade", "20251028"], { DB_DSN });
    expect(await migrate(["downgrade", "20251105"], { DB_DSN })).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("a downgrade does not go up"),
    });
    expect(await migrate(["downgrade", "20200101"], { DB_DSN })).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("never had 20200101"),
    });
  });
});

describe("migrate", () => {
  it("waits for a database that is not up yet, and says which address it tried when the wait is over", async () => {
    const DB_DSN = `postgres://postgres:s3cret@127.0.0.1:${await freePort()}/x`;
    const { code, stderr } = await migrate(["upgrade", "--wait", "0.5"], { DB_DSN });
    expect(code).toBe(1);
    expect(stderr).toContain("waiting up to 0.5 s for the database");
    expect(stderr).toMatch(/cannot migrate: connect ECONNREFUSED 127\.0\.0\.1:\d+/);
    expect(stderr).not.toContain("s3cret");
  });

  it.each([
    [["sideways"], "unknown command"],
    [[], "no command given"],
    [["downgrade"], "want the version to end at"],
    [["upgrade", "latest"], "is not a version"],
    [["upgrade", "20251028", "20251105"], "too many arguments"],
    [["status", "--wait", "long"], "want seconds"],
    [["status", "-o", "yaml"], "want text or json"],
    [["status", "--colour"], "colour"],
    [["status"], "DB_DSN is not set"],
  ])("%j is wrong usage", async (args, message) => {
    expect(await migrate(args, {})).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
  });

  it("reports every problem of the files at once, and needs no database for it", async () => {
    const dir = await folderWith({
      "20251106_no_header.up.sql": "SELECT 1;",
      "20251107_promise.up.sql": `${header({})}SELECT 1;`,
      "20251108_future.up.sql": `${header({ reversible: "no", "compatible-from": "20260101" })}SELECT 1;`,
      "20251109_typo.up.sql": `${header({ reversible: "no", fase: "expand" })}SELECT 1;`,
      "notes.sql": "",
    });
    const { code, stderr } = await migrate(["check", "--dir", dir], {});
    expect(code).toBe(2);
    for (const problem of [
      "20251106_no_header.up.sql: header `-- reversible: yes|no` is missing",
      "20251107_promise.down.sql: missing, though",
      "20251108_future.up.sql: compatible-from 20260101 is newer",
      "20251109_typo.up.sql: unknown header `fase`",
      "notes.sql: want <YYYYMMDD>[NN]_<name>",
    ])
      expect(stderr).toContain(problem);
    expect((await migrate(["check"], {})).code).toBe(0);
  });
});
