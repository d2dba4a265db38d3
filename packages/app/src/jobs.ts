import { randomUUID } from "node:crypto";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Pool } from "pg";
import { Type, type Static } from "typebox";
import { ErrorBody } from "./notes.ts";
import type { JobQueue } from "./job-queue.ts";
import { inTransaction } from "./transaction.ts";

const NewJob = Type.Object(
  { text: Type.String({ minLength: 1, maxLength: 100_000, pattern: "^[^\\u0000]*$" }) },
  { additionalProperties: false },
);
const Key = Type.Object({
  "idempotency-key": Type.String({ pattern: "^[\\x21-\\x7e]{1,128}$", description: "1 to 128 printable bytes" }),
});
const JobBody = Type.Object({
  id: Type.String({ format: "uuid" }),
  status: Type.Union([Type.Literal("queued"), Type.Literal("running"), Type.Literal("done"), Type.Literal("failed")]),
  createdAt: Type.String({ format: "date-time" }),
  result: Type.Union([
    Type.Object({
      words: Type.Integer(),
      bytes: Type.Integer(),
      doneBy: Type.String(),
      doneAt: Type.String({ format: "date-time" }),
    }),
    Type.Null(),
  ]),
});
const Id = Type.Object({ id: Type.String({ format: "uuid" }) });

type Result = { words: number; bytes: number; done_by: string; done_at: Date };
type Row = { created_at: Date } & (Result | { [field in keyof Result]: null });

/** The jobs resource: ask for one, and see what became of it. The worker does them. */
export function jobs(pool: Pool, queue: JobQueue): FastifyPluginAsyncTypebox {
  return async (app) => {
    const tags = ["jobs"];

    app.post(
      "/api/v1/jobs",
      {
        schema: {
          tags,
          headers: Key,
          body: NewJob,
          response: { 200: JobBody, 202: JobBody, "4xx": ErrorBody, "5xx": ErrorBody },
        },
      },
      async (request, reply) => {
        const key = request.headers["idempotency-key"];
        const { text } = request.body;
        await queue.open();
        const id = randomUUID();
        // One transaction: a job that is stored is in the queue, and one in the queue is stored.
        const added = await inTransaction(pool, async (client) => {
          const { rowCount } = await client.query(
            "INSERT INTO jobs (id, idempotency_key, text) VALUES ($1, $2, $3) ON CONFLICT (idempotency_key) DO NOTHING",
            [id, key, text],
          );
          if (rowCount === 1) await queue.add(client, id);
          return rowCount === 1;
        });
        const { rows } = await pool.query<{ id: string; text: string }>(
          "SELECT id, text FROM jobs WHERE idempotency_key = $1",
          [key],
        );
        const stored = rows[0]!;
        if (stored.text !== text)
          throw problem(422, "JOBS_KEY_REUSED", `another job was asked for with the Idempotency-Key ${key}`);
        reply.code(added ? 202 : 200).header("location", `/api/v1/jobs/${stored.id}`);
        return await read(stored.id);
      },
    );

    app.get(
      "/api/v1/jobs/:id",
      { schema: { tags, params: Id, response: { 200: JobBody, "4xx": ErrorBody, "5xx": ErrorBody } } },
      async (request) => {
        return await read(request.params.id);
      },
    );

    async function read(id: string): Promise<Static<typeof JobBody>> {
      // In this order: a job that has left the queue by now has its result.
      const state = await queue.stateOf(id);
      const { rows } = await pool.query<Row>(
        `SELECT j.created_at, r.words, r.bytes, r.done_by, r.done_at
         FROM jobs j LEFT JOIN job_results r USING (idempotency_key) WHERE j.id = $1`,
        [id],
      );
      const [row] = rows;
      if (row === undefined) throw problem(404, "JOBS_NOT_FOUND", `no job has the id ${id}`);
      const createdAt = row.created_at.toISOString();
      // One that has left the queue without a result was given up.
      if (row.done_at === null) return { id, status: state ?? "failed", createdAt, result: null };
      const { words, bytes, done_by: doneBy, done_at: doneAt } = row;
      return { id, status: "done", createdAt, result: { words, bytes, doneBy, doneAt: doneAt.toISOString() } };
    }
  };
}

function problem(statusCode: number, code: string, message: string): Error {
  return Object.assign(new Error(message), { statusCode, code });
}
