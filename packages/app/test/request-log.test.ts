import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requestLine } from "../src/request-line.ts";
import { freePort } from "./postgres.ts";
import { start, startServer, until } from "./processes.ts";

type Line = { level: number; time: string; reqId: string; url: string; status: number; msg: string };

function requestLines(stdout: string): Line[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)
    .filter(({ msg }) => msg === "request");
}

/** The metric of log lines, by level. */
async function lineCounts(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = text.matchAll(/^app_log_lines_total\{level="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...samples].map(([, level, value]) => [level, Number(value)]));
}

/** Starts the service where LOG_LEVEL hides the line that says where it listens. */
async function startQuietServer(env: Record<string, string>) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = start("server", [], {
    HOST: "127.0.0.1",
    PORT: String(port),
    ADMIN_PORT: "off",
    DRAIN_SECONDS: "0",
    ...env,
  });
  await until(
    () =>
      fetch(`${url}/live`).then(
        ({ ok }) => ok,
        () => false,
      ),
    (live) => live,
  );
  return { ...server, url };
}

describe("the log line of a request", () => {
  it("is one line of JSON that says what it was given, whatever that is", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 0 }), (version, id, url, microseconds) => {
        const line = requestLine({ service: "myapp", version });
        const request = { id, method: "GET", url, status: 200, milliseconds: microseconds / 1000 };
        const text = line(30, `,"time":"2026-01-01T00:00:00.000Z"`, request);
        expect(text.indexOf("\n")).toBe(text.length - 1);
        expect(JSON.parse(text)).toEqual({
          level: 30,
          time: "2026-01-01T00:00:00.000Z",
          service: "myapp",
          version,
          reqId: id,
          method: "GET",
          url,
          status: 200,
          ms: microseconds / 1000,
          msg: "request",
        });
      }),
    );
  });
});

describe("the request log", () => {
  it("has every request after SIGTERM, each once and in its order", async () => {
    const { url, child, finished } = await startServer();
    const ids = Array.from({ length: 500 }, (_, n) => `request-${n}`);
    for (const id of ids) await fetch(`${url}/version`, { headers: { "x-request-id": id } });
    child.kill("SIGTERM");
    expect(requestLines((await finished).stdout).map(({ reqId }) => reqId)).toEqual(ids);
  });

  it("has every request before a crash, in order with the other lines", async () => {
    const { url, adminUrl, finished } = await startServer();
    const ids = Array.from({ length: 100 }, (_, n) => `request-${n}`);
    for (const id of ids) await fetch(`${url}/version`, { headers: { "x-request-id": id } });
    await fetch(`${adminUrl}/faults`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ crashAfterSeconds: 0 }),
    });
    const { stdout } = await finished;
    expect(requestLines(stdout).map(({ reqId }) => reqId)).toEqual(ids);
    expect(stdout.indexOf('"msg":"request"')).toBeLessThan(stdout.indexOf("fault dials turned"));
  });

  it("has as many lines of each level as the metric counts", async () => {
    const { url, adminUrl, child, finished } = await startServer({ FAULT_ERRORS: "/version=0.25" });
    for (let n = 0; n < 20; n += 1) await fetch(`${url}/version`);
    await fetch(`${adminUrl}/faults`, { method: "DELETE" });
    const counted = await lineCounts(url);
    child.kill("SIGTERM");
    const names: Record<number, string> = { 30: "info", 40: "warn" };
    const lines = (await finished).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    const written = Object.groupBy(
      // What a shutdown logs comes after the count.
      lines.slice(
        0,
        lines.findIndex(({ msg }) => msg === "shutting down"),
      ),
      ({ level }) => names[level] ?? "another",
    );
    expect(counted).toMatchObject({ trace: 0, debug: 0, error: 0, fatal: 0 });
    expect({ info: counted["info"], warn: counted["warn"] }).toEqual({
      info: written["info"]?.length,
      warn: written["warn"]?.length,
    });
    expect(counted["warn"]).toBe(6);
  });

  it("keeps with LOG_LEVEL=warn the requests that failed, and with error none", async () => {
    const env = { FAULT_ERRORS: "/version=0.5", LOG_LEVEL: "warn" };
    const failing = await startQuietServer(env);
    for (let n = 0; n < 20; n += 1) await fetch(`${failing.url}/version`);
    failing.child.kill("SIGTERM");
    expect(requestLines((await failing.finished).stdout).map(({ level, status }) => [level, status])).toEqual(
      Array.from({ length: 10 }, () => [40, 500]),
    );
    const silent = await startQuietServer({ ...env, LOG_LEVEL: "error" });
    for (let n = 0; n < 20; n += 1) await fetch(`${silent.url}/version`);
    expect(Object.values(await lineCounts(silent.url))).toEqual([0, 0, 0, 0, 0, 0]);
    silent.child.kill("SIGTERM");
    expect((await silent.finished).stdout).toBe("");
  });
});
