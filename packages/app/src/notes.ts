import { randomUUID } from "node:crypto";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Pool } from "pg";
import { Type } from "typebox";

const Note = Type.Object({
  id: Type.String({ format: "uuid" }),
  title: Type.String(),
  body: Type.String(),
  tags: Type.Array(Type.String()),
  createdAt: Type.String({ format: "date-time" }),
});
const NewNote = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200, pattern: "\\S" }),
    body: Type.String({ maxLength: 10_000, default: "" }),
    tags: Type.Array(Type.String({ minLength: 1, maxLength: 40 }), { maxItems: 10, uniqueItems: true, default: [] }),
  },
  { additionalProperties: false },
);
const Page = Type.Object({ items: Type.Array(Note), next: Type.Union([Type.String(), Type.Null()]) });
const PageQuery = Type.Object(
  { limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }), cursor: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
const Id = Type.Object({ id: Type.String({ format: "uuid" }) });
export const ErrorBody = Type.Object({
  statusCode: Type.Integer(),
  error: Type.String(),
  message: Type.String(),
  code: Type.Optional(Type.String()),
});

type Row = { id: string; title: string; body: string; tags: string[]; created_at: Date };

// Reads tags through to_jsonb, so that the same statement is right before and after the migration that adds the column.
const COLUMNS = `n.id, n.title, n.body, n.created_at, coalesce(to_jsonb(n) -> 'tags', '[]') AS tags`;

/** The notes resource: create, list page by page (newest first), get, delete. */
export function notes(pool: Pool): FastifyPluginAsyncTypebox {
  return async (app) => {
    const tags = ["notes"];

    app.post(
      "/api/v1/notes",
      { schema: { tags, body: NewNote, response: { 201: Note, "4xx": ErrorBody, "5xx": ErrorBody } } },
      async (request, reply) => {
        const record = { id: randomUUID(), created_at: new Date(), ...request.body };
        // A schema without the column must refuse tags, not drop them: then no row is inserted.
        const { rows } = await pool.query<Row>(
          `INSERT INTO notes AS n SELECT r.* FROM jsonb_populate_record(null::notes, $1::jsonb) r
           WHERE NOT $2::boolean OR to_jsonb(r) ? 'tags' RETURNING ${COLUMNS}`,
          [JSON.stringify(record), record.tags.length > 0],
        );
        const [row] = rows;
        if (row === undefined)
          throw problem(
            409,
            "NOTES_NO_TAGS",
            "the database schema has no tags yet: send the note without tags, or upgrade the schema",
          );
        reply.code(201).header("location", `/api/v1/notes/${row.id}`);
        return toNote(row);
      },
    );

    app.get(
      "/api/v1/notes",
      { schema: { tags, querystring: PageQuery, response: { 200: Page, "4xx": ErrorBody, "5xx": ErrorBody } } },
      async (request) => {
        const { limit, cursor } = request.query;
        const after = cursor === undefined ? [null, null] : decodeCursor(cursor);
        const { rows } = await pool.query<Row>(
          `SELECT ${COLUMNS} FROM notes n WHERE $1::timestamptz IS NULL OR (n.created_at, n.id) < ($1, $2::uuid)
           ORDER BY n.created_at DESC, n.id DESC LIMIT $3`,
          [...after, limit + 1],
        );
        const items = rows.slice(0, limit).map(toNote);
        const last = items.at(-1);
        return { items, next: rows.length > limit && last !== undefined ? encodeCursor(last) : null };
      },
    );

    app.get(
      "/api/v1/notes/:id",
      { schema: { tags, params: Id, response: { 200: Note, "4xx": ErrorBody, "5xx": ErrorBody } } },
      async (request) => {
        const { rows } = await pool.query<Row>(`SELECT ${COLUMNS} FROM notes n WHERE n.id = $1`, [request.params.id]);
        if (rows[0] === undefined) throw noSuchNote(request.params.id);
        return toNote(rows[0]);
      },
    );

    app.delete(
      "/api/v1/notes/:id",
      { schema: { tags, params: Id, response: { 204: Type.Null(), "4xx": ErrorBody, "5xx": ErrorBody } } },
      async (request, reply) => {
        const { rowCount } = await pool.query("DELETE FROM notes WHERE id = $1", [request.params.id]);
        if (rowCount === 0) throw noSuchNote(request.params.id);
        return reply.code(204).send(null);
      },
    );
  };
}

function toNote(row: Row) {
  return { id: row.id, title: row.title, body: row.body, tags: row.tags, createdAt: row.created_at.toISOString() };
}

function encodeCursor(last: { createdAt: string; id: string }): string {
  return Buffer.from(`${last.createdAt} ${last.id}`).toString("base64url");
}

function decodeCursor(cursor: string): [string, string] {
  const match = /^(\S+Z) ([0-9a-f-]{36})$/.exec(Buffer.from(cursor, "base64url").toString());
  if (match?.[1] === undefined || match[2] === undefined || Number.isNaN(Date.parse(match[1])))
    throw problem(400, "NOTES_BAD_CURSOR", "cursor: want the value of `next` from an earlier page");
  return [match[1], match[2]];
}

function noSuchNote(id: string): Error {
  return problem(404, "NOTES_NOT_FOUND", `no note has the id ${id}`);
}

function problem(statusCode: number, code: string, message: string): Error {
  return Object.assign(new Error(message), { statusCode, code });
}
