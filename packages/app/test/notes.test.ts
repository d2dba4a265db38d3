import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { migrate, startServer, until } from "./processes.ts";
import { query, usePostgres } from "./postgres.ts";

const postgres = usePostgres();

type Note = { id: string; title: string; body: string; tags: string[]; createdAt: string };

async function startWithNotes(version?: string) {
  const DB_DSN = await postgres.database();
  const { code, stderr } = await migrate(["upgrade", ...(version === undefined ? [] : [version])], { DB_DSN });
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  const server = await startServer({ DB_DSN });
  await until(
    () => fetch(`${server.url}/ready`),
    ({ status }) => status === 200,
  );
  return { ...server, DB_DSN };
}

function create(url: string, note: unknown): Promise<Response> {
  return fetch(`${url}/api/v1/notes`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(note),
  });
}

async function list(url: string, search: string): Promise<{ items: Note[]; next: string | null }> {
  const response = await fetch(`${url}/api/v1/notes?${search}`);
  expect(response.status).toBe(200);
  return (await response.json()) as { items: Note[]; next: string | null };
}

describe("notes", () => {
  it("are created, read, listed and deleted", async () => {
    const { url } = await startWithNotes();
    const created = await create(url, { title: "first", tags: ["a", "b"] });
    const note = (await created.json()) as Note;
    expect([created.status, note]).toEqual([
      201,
      { id: expect.any(String), title: "first", body: "", tags: ["a", "b"], createdAt: expect.any(String) },
    ]);

    const one = url + (created.headers.get("location") ?? "");
    expect(await (await fetch(one)).json()).toEqual(note);
    expect(await list(url, "")).toEqual({ items: [note], next: null });
    expect((await fetch(one, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(one, { method: "DELETE" })).status).toBe(404);
    expect(await (await fetch(one)).json()).toMatchObject({ statusCode: 404, code: "NOTES_NOT_FOUND" });
  });

  it("keep any text as it is", async () => {
    const { url } = await startWithNotes();
    // PostgreSQL's text has no NUL.
    const text = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
      .filter((s) => /\S/.test(s) && !s.includes("\0"));
    await fc.assert(
      fc.asyncProperty(text, text, async (title, body) => {
        const response = await create(url, { title, body });
        expect([response.status, await response.json()]).toEqual([201, expect.objectContaining({ title, body })]);
      }),
      { numRuns: 30 },
    );
  });

  it("come page by page, newest first, each once, also where many share one instant and others are added meanwhile", async () => {
    const { url, DB_DSN } = await startWithNotes();
    await query(
      DB_DSN,
      `INSERT INTO notes (id, title, created_at)
      SELECT gen_random_uuid(), n::text, timestamptz '2026-01-01' + (n / 10) * interval '1 s' FROM generate_series(1, 57) n`,
    );
    const seen: Note[] = [];
    let cursor = "";
    for (;;) {
      const { items, next } = await list(url, `limit=8${cursor}`);
      seen.push(...items);
      if (next === null) break;
      cursor = `&cursor=${next}`;
      await create(url, { title: "newer than the pages" });
    }
    expect(seen.map(({ title }) => Number(title)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 57 }, (_, n) => n + 1),
    );
    const order = seen.map(({ createdAt, id }) => `${createdAt} ${id}`);
    expect(order).toEqual(order.toSorted().toReversed());
  });

  it.each([
    [{}, "title"],
    [{ title: "" }, "title"],
    [{ title: "   " }, "title"],
    [{ title: "x".repeat(201) }, "title"],
    [{ title: "x", tags: ["a", "a"] }, "tags"],
    [{ title: "x", titel: "y" }, "additional"],
    [[], "object"],
  ])("refuse %j and say what is wrong", async (body, word) => {
    const { url } = await startWithNotes();
    const response = await create(url, body);
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ message: expect.stringContaining(word) }),
    ]);
    expect((await list(url, "")).items).toEqual([]);
  });

  it.each(["limit=0", "limit=101", "limit=many", "cursor=bm9uc2Vuc2U", "page=2"])(
    "refuse the list query %s",
    async (search) => {
      const { url } = await startWithNotes();
      expect((await fetch(`${url}/api/v1/notes?${search}`)).status).toBe(400);
    },
  );

  it("work before the migration that adds tags, and refuse tags instead of losing them", async () => {
    const { url, DB_DSN } = await startWithNotes("20251028");
    expect((await create(url, { title: "no tags" })).status).toBe(201);
    expect(await (await create(url, { title: "x", tags: ["a"] })).json()).toMatchObject({
      statusCode: 409,
      code: "NOTES_NO_TAGS",
    });
    expect((await list(url, "")).items).toMatchObject([{ title: "no tags", tags: [] }]);

    expect((await migrate(["upgrade"], { DB_DSN })).code).toBe(0);
    expect((await create(url, { title: "y", tags: ["a"] })).status).toBe(201);
  });

  it("lose no request while the schema goes up and down under load", async () => {
    const { url, DB_DSN } = await startWithNotes("20251028");
    const control = new AbortController();
    const answers = new Map<number, number>();
    const load = Array.from({ length: 4 }, async () => {
      while (!control.signal.aborted)
        for (const response of [await create(url, { title: "load" }), await fetch(`${url}/api/v1/notes?limit=2`)]) {
          answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
          await response.arrayBuffer();
        }
    });
    for (const args of [["upgrade"], ["downgrade", "20251028"], ["upgrade"]])
      expect((await migrate(args, { DB_DSN })).code).toBe(0);
    control.abort();
    await Promise.all(load);
    expect(new Set(answers.keys())).toEqual(new Set([200, 201]));
  });
});

describe("a service with a database", () => {
  it("is ready only when the schema is new enough, and stays ready when the database is ahead of the code", async () => {
    const DB_DSN = await postgres.database();
    const { url } = await startServer({ DB_DSN });
    const ready = await until(
      async () => (await fetch(`${url}/ready`)).json() as Promise<{ reason: string }>,
      ({ reason }) => reason.includes("schema"),
    );
    expect(ready.reason).toContain("this version needs 20251028 or newer");
    expect(await (await fetch(`${url}/api/v1/notes`)).json()).toMatchObject({
      statusCode: 503,
      message: expect.stringContaining("schema"),
    });

    await migrate(["upgrade"], { DB_DSN });
    await until(
      () => fetch(`${url}/ready`),
      ({ status }) => status === 200,
    );
    await query(
      DB_DSN,
      `INSERT INTO schema_migrations SELECT '20300101', name, phase, compatible_from, checksum, reversible, down_sql, down_transaction,
      applied_by, applied_at, finished_at FROM schema_migrations WHERE version = '20251105'`,
    );
    const { url: other } = await startServer({ DB_DSN });
    await until(
      () => fetch(`${other}/ready`),
      ({ status }) => status === 200,
    );
    expect(await (await fetch(`${other}/metrics`)).text()).toContain("\napp_schema_version 20300101\n");
    expect((await fetch(`${other}/api/v1/notes`)).status).toBe(200);
  });

  it("says in /healthz whether the database answers, and keeps serving what needs none", async () => {
    const { url: healthy } = await startWithNotes();
    expect((await fetch(`${healthy}/healthz`)).status).toBe(200);

    const { url } = await startServer({ DB_DSN: "postgres://app:s3cret@127.0.0.1:1/none" });
    const health = await fetch(`${url}/healthz`);
    const text = await health.text();
    expect([health.status, text]).toEqual([
      503,
      expect.stringContaining("the database does not answer: connect ECONNREFUSED 127.0.0.1:1"),
    ]);
    expect((await fetch(`${url}/version`)).status).toBe(200);
    expect(await (await fetch(`${url}/api/v1/notes`)).json()).toMatchObject({
      statusCode: 503,
      message: "the database is not available",
    });
  });
});
