import { describe, expect, it } from "vitest";
import { migrate, start, startServer, startWorker, until } from "./processes.ts";
import { query, usePostgres } from "./postgres.ts";

const postgres = usePostgres();

type JobBody = { id: string; status: string; result: { words: number; bytes: number; doneBy: string } | null };

/** A database with the newest schema, and a service over it that takes jobs. */
async function startService() {
  const DB_DSN = await postgres.database();
  expect((await migrate(["upgrade"], { DB_DSN })).code).toBe(0);
  const service = await startServer({ DB_DSN });
  await ready(service.url);
  return { url: service.url, DB_DSN };
}

async function ready(url: string): Promise<void> {
  await until(
    () => fetch(`${url}/ready`),
    ({ status }) => status === 200,
  );
}

function ask(url: string, key: string, text: string): Promise<Response> {
  return fetch(`${url}/api/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify({ text }),
  });
}

async function askFor(url: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const response = await ask(url, `key-${n}`, "one two three");
    expect(response.status).toBe(202);
    ids.push(((await response.json()) as JobBody).id);
  }
  return ids;
}

async function lastJob(url: string): Promise<string | null> {
  return ((await (await fetch(`${url}/api/v1/status`)).json()) as { lastJob: string | null }).lastJob;
}

async function job(url: string, id: string): Promise<JobBody> {
  return (await (await fetch(`${url}/api/v1/jobs/${id}`)).json()) as JobBody;
}

async function results(url: string): Promise<string[]> {
  const rows = await query<{ key: string }>(
    url,
    "SELECT idempotency_key AS key FROM job_results ORDER BY idempotency_key",
  );
  return rows.map(({ key }) => key);
}

/** One sample of the metrics, by its name and labels as they are written; `undefined` when there is none. */
async function metric(url: string, sample: string): Promise<number | undefined> {
  const line = (await (await fetch(`${url}/metrics`)).text()).split("\n").find((text) => text.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

const tries = (url: string, result: string) => metric(url, `worker_jobs_total{result="${result}"}`);

const keys = (count: number) => Array.from({ length: count }, (_, n) => `key-${n}`).sort();

describe("the jobs of the service", () => {
  it("wait in the queue, are one for each key, and are refused when they are not the same", async () => {
    const { url } = await startService();
    const first = await ask(url, "a", "one two");
    const asked = (await first.json()) as JobBody;
    expect([first.status, asked]).toEqual([
      202,
      { id: expect.any(String), status: "queued", createdAt: expect.any(String), result: null },
    ]);
    expect(first.headers.get("location")).toBe(`/api/v1/jobs/${asked.id}`);
    expect(await job(url, asked.id)).toEqual(asked);

    const again = await ask(url, "a", "one two");
    expect([again.status, await again.json()]).toEqual([200, asked]);
    const other = await ask(url, "a", "three");
    expect([other.status, await other.json()]).toMatchObject([422, { code: "JOBS_KEY_REUSED" }]);
  });

  it("are one job for each key also when many ask at once", async () => {
    const { url, DB_DSN } = await startService();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, "same", "text")));
    const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as JobBody).id));
    expect(new Set(ids).size).toBe(1);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(await query(DB_DSN, "SELECT count(*)::int AS jobs FROM pgboss.job WHERE name = 'jobs'")).toEqual([
      { jobs: 1 },
    ]);
  });

  it("are refused without a key, with a bad one, without text, and with fields that nobody knows", async () => {
    const { url } = await startService();
    const post = (headers: Record<string, string>, body: unknown) =>
      fetch(`${url}/api/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    for (const [headers, body] of [
      [{}, { text: "x" }],
      [{ "idempotency-key": "a b" }, { text: "x" }],
      [{ "idempotency-key": "k" }, {}],
      [{ "idempotency-key": "k" }, { text: "" }],
      [{ "idempotency-key": "k" }, { text: "a\0b" }],
      [{ "idempotency-key": "k" }, { text: "x", other: 1 }],
    ] as const)
      expect([(await post(headers, body)).status, headers, body]).toEqual([400, headers, body]);
    expect((await fetch(`${url}/api/v1/jobs/${crypto.randomUUID()}`)).status).toBe(404);
  });

  it("say 503 while the schema has no table for them", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade", "20251105"], { DB_DSN });
    const { url } = await startServer({ DB_DSN });
    await ready(url);
    const response = await ask(url, "k", "text");
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { message: expect.stringContaining("schema is older") },
    ]);
  });
});

describe("a worker", { timeout: 180_000 }, () => {
  it("does every job once, and its metrics say so", async () => {
    const { url, DB_DSN } = await startService();
    const worker = await startWorker({ DB_DSN, APP_VERSION: "w1" });
    await ready(worker.url);
    expect(await lastJob(worker.url)).toBeNull();
    const ids = await askFor(url, 25);
    await until(
      () => results(DB_DSN),
      (done) => done.length === 25,
    );
    expect(await results(DB_DSN)).toEqual(keys(25));
    for (const id of ids)
      expect(await job(url, id)).toMatchObject({
        status: "done",
        result: { words: 3, bytes: 13, doneBy: "w1", doneAt: expect.any(String) },
      });
    await until(
      () => tries(worker.url, "done"),
      (count) => count === 25,
    );
    expect(await lastJob(worker.url)).toBe("done");
    expect(await tries(worker.url, "failed")).toBe(0);
    expect(await tries(worker.url, "duplicate")).toBe(0);
    expect(await metric(worker.url, 'worker_job_duration_seconds_count{result="done"}')).toBe(25);
    await until(
      () => metric(worker.url, "worker_queue_lag_seconds"),
      (lag) => lag === 0,
    );
    expect(await metric(worker.url, "worker_queue_depth")).toBe(0);
    expect(await (await fetch(`${worker.url}/metrics`)).text()).toContain(
      'app_build_info{version="w1",commit="unknown"} 1',
    );
  });

  it("answers the probes with its version, and is ready only when it can take jobs", async () => {
    const DB_DSN = await postgres.database();
    await migrate(["upgrade", "20251105"], { DB_DSN });
    const { url } = await startWorker({ DB_DSN, APP_VERSION: "w2" });
    const live = await fetch(`${url}/live`);
    expect([live.status, live.headers.get("x-app-version")]).toEqual([200, "w2"]);
    const unready = await until(
      async () => (await (await fetch(`${url}/ready`)).json()) as { reason: string },
      ({ reason }) => reason.includes("schema"),
    );
    expect(unready.reason).toContain("this version needs 20251112 or newer");
    await migrate(["upgrade"], { DB_DSN });
    await ready(url);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/api/v1/jobs`)).status).toBe(404);
  });

  it("shows a lag that grows while jobs are slow, and while they fail", async () => {
    const { url, DB_DSN } = await startService();
    const worker = await startWorker({ DB_DSN, FAULT_ERRORS: "jobs=1" });
    await ready(worker.url);
    await askFor(url, 3);
    await until(
      () => tries(worker.url, "failed"),
      (count) => count! >= 6,
    );
    expect(await lastJob(worker.url)).toBe("failed");
    const lag = await metric(worker.url, "worker_queue_lag_seconds");
    await until(
      () => metric(worker.url, "worker_queue_lag_seconds"),
      (later) => later! > lag! + 1,
    );
    expect(await results(DB_DSN)).toEqual([]);
    await fetch(`${worker.adminUrl}/faults`, { method: "DELETE" });
    await until(
      () => results(DB_DSN),
      (done) => done.length === 3,
    );
  });

  it("has no series of the queue while the database is away, rather than an old value", async () => {
    const { DB_DSN } = await startService();
    const worker = await startWorker({ DB_DSN });
    await ready(worker.url);
    expect(await metric(worker.url, "worker_queue_lag_seconds")).toBe(0);
    await query(DB_DSN, "ALTER TABLE pgboss.job RENAME TO gone");
    await query(DB_DSN, "CREATE VIEW pgboss.job AS SELECT 1 AS broken");
    expect(await metric(worker.url, "worker_queue_lag_seconds")).toBeUndefined();
    expect(await metric(worker.url, "worker_queue_depth")).toBeUndefined();
    expect((await fetch(`${worker.url}/metrics`)).status).toBe(200);
  });

  it("refuses to start without a database", async () => {
    const { code, stderr } = await start("worker", [], {}).finished;
    expect([code, stderr]).toEqual([2, expect.stringContaining("DB_DSN is not set")]);
  });

  it("fails the exact share of the tries that the dial asks for", async () => {
    const { url, DB_DSN } = await startService();
    const worker = await startWorker({ DB_DSN, FAULT_ERRORS: "jobs=0.25", WORKER_CONCURRENCY: "1" });
    await askFor(url, 16);
    const ended = async () => ({
      done: (await tries(worker.url, "done")) ?? 0,
      failed: (await tries(worker.url, "failed")) ?? 0,
    });
    const { done, failed } = await until(ended, (tries) => tries.done + tries.failed >= 16);
    expect(Math.abs(failed - 0.25 * (done + failed))).toBeLessThanOrEqual(1);
  });
});

describe("SIGTERM to a worker", { timeout: 180_000 }, () => {
  it("ends it when the jobs that it has are done, and it takes no more", async () => {
    const { url, DB_DSN } = await startService();
    await askFor(url, 12);
    const worker = await startWorker({
      DB_DSN,
      FAULT_LATENCY_MS: "1500",
      WORKER_CONCURRENCY: "4",
      WORKER_DRAIN_SECONDS: "30",
    });
    await running(DB_DSN, 4);
    const before = (await results(DB_DSN)).length;
    worker.child.kill("SIGTERM");
    expect(await worker.finished).toMatchObject({ code: 0, stdout: expect.stringContaining('"msg":"stopped"') });
    const after = (await results(DB_DSN)).length;
    expect(after - before).toBeGreaterThanOrEqual(1);
    expect(after - before).toBeLessThanOrEqual(8);
    await running(DB_DSN, 0);
  });

  it("gives back what it cannot finish in time; another worker does it, once", async () => {
    const { url, DB_DSN } = await startService();
    await askFor(url, 4);
    const slow = await startWorker({ DB_DSN, FAULT_LATENCY_MS: "600000", WORKER_DRAIN_SECONDS: "1" });
    await running(DB_DSN, 4);
    slow.child.kill("SIGTERM");
    const { code, stdout } = await slow.finished;
    expect([code, stdout.match(/"result":"\w+"/g)]).toEqual([0, Array(4).fill('"result":"returned"')]);
    await running(DB_DSN, 0);
    expect(await results(DB_DSN)).toEqual([]);
    await startWorker({ DB_DSN });
    await until(
      () => results(DB_DSN),
      (done) => done.length === 4,
    );
    expect(await results(DB_DSN)).toEqual(keys(4));
  });
});

describe("bad workers", { timeout: 180_000 }, () => {
  it("lose no job and do none twice: one that dies in the middle of jobs, then one that fails beside a good one", async () => {
    const { url, DB_DSN } = await startService();
    const count = 40;
    const ids = await askFor(url, count);
    for (const FAULT_SEED of ["1", "2"]) {
      const worker = await startWorker({ DB_DSN, FAULT_JOB_CRASHES: "0.3", FAULT_SEED });
      expect(await worker.finished).toMatchObject({
        code: 1,
        stdout: expect.stringContaining("in the middle of a job"),
      });
    }
    const [lost] = await query<{ active: number }>(DB_DSN, ACTIVE);
    expect(lost?.active).toBeGreaterThanOrEqual(2);
    await startWorker({ DB_DSN, FAULT_ERRORS: "jobs=0.5" });
    await startWorker({ DB_DSN });
    await until(
      () => results(DB_DSN),
      (done) => done.length === count,
    );
    expect(await results(DB_DSN)).toEqual(keys(count));
    await running(DB_DSN, 0);
    for (const id of ids) expect((await job(url, id)).status).toBe("done");
  });

  it("record a job once when the queue gives it to a second one while the first is still at it", async () => {
    const { url, DB_DSN } = await startService();
    const other = await startWorker({ DB_DSN, FAULT_UNREADY: "true" });
    const slow = await startWorker({ DB_DSN, FAULT_LATENCY_MS: "4000", WORKER_CONCURRENCY: "1" });
    await askFor(url, 1);
    await running(DB_DSN, 1);
    // What the queue does with a job whose worker it believes dead.
    await query(DB_DSN, "UPDATE pgboss.job SET state = 'retry', start_after = now() WHERE name = 'jobs'");
    await fetch(`${other.adminUrl}/faults`, { method: "DELETE" });
    const both = async (result: string) =>
      ((await tries(slow.url, result)) ?? 0) + ((await tries(other.url, result)) ?? 0);
    await until(
      () => both("duplicate"),
      (found) => found === 1,
    );
    expect(await both("done")).toBe(1);
    expect(await results(DB_DSN)).toEqual(keys(1));
  });
});

const ACTIVE = "SELECT count(*)::int AS active FROM pgboss.job WHERE name = 'jobs' AND state = 'active'";

/** Waits until this many jobs are being worked on. */
async function running(url: string, count: number): Promise<void> {
  await until(
    () => query<{ active: number }>(url, ACTIVE),
    ([row]) => row?.active === count,
  );
}
