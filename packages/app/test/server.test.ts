import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { APP_ROUTES, PROBE_ROUTES } from "../src/routes.ts";
import { startServer, until } from "./processes.ts";

async function statuses(url: string, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < count; n += 1) all.push((await fetch(url)).status);
  return all;
}

function turn(adminUrl: string, faults: object): Promise<Response> {
  return fetch(`${adminUrl}/faults`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(faults),
  });
}

describe("the service without a database", () => {
  it("answers every route, with its version in a header", async () => {
    const { url } = await startServer({ APP_VERSION: "20261121.7", APP_COMMIT: "abc123" });
    for (const path of [
      "/live",
      "/ready",
      "/health",
      "/api/v1/health",
      "/api/v1/status",
      "/version",
      "/api/v1/version",
      "/feature/new",
      "/metrics",
      "/metrics.json",
      "/openapi.json",
    ]) {
      const response = await fetch(url + path);
      expect([path, response.status, response.headers.get("x-app-version")]).toEqual([path, 200, "20261121.7"]);
    }
    expect(await (await fetch(`${url}/api/v1/version`)).json()).toEqual({ version: "20261121.7", commit: "abc123" });
  });

  it("says in /healthz that no database is configured, and has no notes", async () => {
    const { url } = await startServer();
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toEqual([503, { status: "unhealthy", reason: "DB_DSN is not set" }]);
    expect((await fetch(`${url}/api/v1/notes`)).status).toBe(404);
  });

  it("puts its version on responses to requests that no route sees", async () => {
    const { url } = await startServer({ APP_VERSION: "v9" });
    expect((await fetch(`${url}/nowhere`)).headers.get("x-app-version")).toBe("v9");
    expect((await fetch(`${url}/%zz`)).headers.get("x-app-version")).toBe("v9");
    const socket = connect(Number(new URL(url).port), "127.0.0.1").end("not http\r\n\r\n");
    let text = "";
    socket.on("data", (chunk) => (text += chunk.toString()));
    await once(socket, "close");
    expect(text).toMatch(/^HTTP\/1.1 400 [\s\S]*x-app-version: v9/);
  });

  it("is alive at once and ready only after BOOT_DELAY", async () => {
    const started = performance.now();
    const { url } = await startServer({ BOOT_DELAY: "2" });
    expect((await fetch(`${url}/live`)).status).toBe(200);
    const first = await fetch(`${url}/ready`);
    expect([first.status, await first.json()]).toMatchObject([503, { reason: expect.stringContaining("BOOT_DELAY") }]);
    await until(
      () => fetch(`${url}/ready`),
      ({ status }) => status === 200,
    );
    expect(performance.now() - started).toBeGreaterThan(2000);
  });

  it("fails exactly the asked share of /feature/new while FEATURE_NEW is on, the same requests after a restart", async () => {
    const env = { FEATURE_NEW: "true", FEATURE_ERROR_RATIO: "0.25", FAULT_SEED: "42" };
    const first = await statuses(`${(await startServer(env)).url}/feature/new`, 100);
    expect(first.filter((status) => status === 500)).toHaveLength(25);
    expect(await statuses(`${(await startServer(env)).url}/feature/new`, 100)).toEqual(first);
  });

  it("never fails /feature/new while FEATURE_NEW is off", async () => {
    const { url } = await startServer({ FEATURE_ERROR_RATIO: "1" });
    expect(await statuses(`${url}/feature/new`, 20)).toEqual(Array(20).fill(200));
  });

  it("counts what it answered, without probes and metrics", async () => {
    const { url } = await startServer({
      APP_VERSION: "v1",
      APP_COMMIT: "c1",
      FEATURE_NEW: "true",
      FEATURE_ERROR_RATIO: "0.5",
    });
    await statuses(`${url}/feature/new`, 10);
    await statuses(`${url}/nowhere/${"x".repeat(20)}`, 2);
    for (const path of PROBE_ROUTES) await fetch(url + path);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('http_requests_total{method="GET",route="/feature/new",status="200"} 5');
    expect(text).toContain('http_requests_total{method="GET",route="/feature/new",status="500"} 5');
    expect(text).toContain('http_requests_total{method="GET",route="unmatched",status="404"} 2');
    expect(text).toContain('http_request_duration_seconds_count{method="GET",route="/feature/new",status="500"} 5');
    expect(text).toContain('app_build_info{version="v1",commit="c1"} 1');
    expect(text).toContain("nodejs_eventloop_lag_seconds");
    expect(text).not.toContain("app_schema_version");
    for (const path of PROBE_ROUTES) expect(text).not.toContain(`route="${path}"`);
    expect(await (await fetch(`${url}/metrics.json`)).json()).toMatchObject({
      version: "v1",
      scenario: "healthy",
      total_requests: 12,
      error_count: 5,
      error_rate: 5 / 12,
    });
  });

  it("logs one line for each request, with the caller's request id, and none for probes", async () => {
    const { url, logged, child, finished } = await startServer();
    const response = await fetch(`${url}/version`, { headers: { "x-request-id": "from-caller" } });
    expect(response.headers.get("x-request-id")).toBe("from-caller");
    await fetch(`${url}/live`);
    expect(await logged("request")).toMatchObject({
      reqId: "from-caller",
      method: "GET",
      url: "/version",
      status: 200,
    });
    child.kill("SIGTERM");
    expect((await finished).stdout).not.toContain("/live");
  });

  it("replaces a request id that could forge log lines or headers", async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/version`, { headers: { "x-request-id": "a b" } });
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]+$/);
  });
});

describe("fault dials", () => {
  it("are all off at first, show their state, and DELETE turns them off", async () => {
    const { adminUrl } = await startServer();
    const off = {
      errors: {},
      jobCrashes: 0,
      latencyMs: 0,
      leakMbPerSecond: 0,
      crashAfterSeconds: null,
      unready: false,
      sick: false,
      scenario: null,
    };
    expect(await (await fetch(`${adminUrl}/faults`)).json()).toEqual(off);
    expect(await (await turn(adminUrl, { unready: true })).json()).toEqual({ ...off, unready: true });
    expect(await (await fetch(`${adminUrl}/faults`, { method: "DELETE" })).json()).toEqual(off);
  });

  it("are not on the main port", async () => {
    const { url } = await startServer();
    expect((await fetch(`${url}/faults`)).status).toBe(404);
  });

  it.each([
    { sicc: true },
    { sick: "yes" },
    { errors: { "/version": 1.5 } },
    { errors: { "/live": 0.5 } },
    { latencyMs: -1 },
  ])("refuse %j and keep their state", async (wrong) => {
    const { adminUrl } = await startServer({ FAULT_UNREADY: "true" });
    expect((await turn(adminUrl, wrong)).status).toBe(400);
    expect(await (await fetch(`${adminUrl}/faults`)).json()).toMatchObject({ unready: true, sick: false, errors: {} });
  });

  it("fail the exact share of each route alone", async () => {
    const { url } = await startServer({ FAULT_ERRORS: "GET /version=0.1,*=0.5,/api/v1/status=0" });
    const share = async (path: string) => (await statuses(url + path, 40)).filter((status) => status === 500).length;
    expect([await share("/version"), await share("/api/v1/version"), await share("/live")]).toEqual([4, 20, 0]);
  });

  it("make the pod sick while its probes stay green", async () => {
    const { url, adminUrl } = await startServer();
    await turn(adminUrl, { sick: true });
    for (const path of ["/version", "/api/v1/status", "/feature/new"])
      expect((await fetch(url + path)).status).toBe(500);
    for (const path of ["/live", "/ready", "/health", "/metrics"]) expect((await fetch(url + path)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics.json`)).json()).toMatchObject({ scenario: "buggy", error_count: 3 });
  });

  it("play a scenario on every app route, and tell its name", async () => {
    const { url, adminUrl } = await startServer({ FAULT_SCENARIO: "buggy" });
    const failed = (await statuses(`${url}/version`, 100)).filter((status) => status === 500).length;
    expect(failed).toBe(10);
    expect((await fetch(`${url}/live`)).status).toBe(200);
    const metrics = async () => (await fetch(`${url}/metrics.json`)).json();
    expect(await metrics()).toMatchObject({ scenario: "buggy", total_requests: 100, error_count: 10, error_rate: 0.1 });
    for (const scenario of ["healthy", "degrading", "flaky"]) {
      expect(await (await turn(adminUrl, { scenario })).json()).toMatchObject({ scenario });
      expect(await metrics()).toMatchObject({ scenario });
    }
    expect((await turn(adminUrl, { scenario: "moody" })).status).toBe(400);
    await turn(adminUrl, { scenario: "healthy" });
    expect(await statuses(`${url}/version`, 20)).toEqual(Array(20).fill(200));
  });

  it("make it unready and ready again", async () => {
    const { url, adminUrl } = await startServer({ FAULT_UNREADY: "true" });
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await fetch(`${url}/version`)).status).toBe(200);
    await turn(adminUrl, {});
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });

  it("delay app requests and not the probes", async () => {
    const { url } = await startServer({ FAULT_LATENCY_MS: "300" });
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    const started = performance.now();
    const slow = fetch(`${url}/version`).then(note("version"));
    await Promise.all([slow, fetch(`${url}/live`).then(note("live"))]);
    expect(performance.now() - started).toBeGreaterThan(295);
    expect(order).toEqual(["live", "version"]);
  });

  it("leak memory while on", async () => {
    const { url, adminUrl } = await startServer();
    const resident = async () =>
      Number(/^process_resident_memory_bytes (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]);
    const before = await resident();
    await turn(adminUrl, { leakMbPerSecond: 200 });
    await until(resident, (bytes) => bytes > before + 100 * 2 ** 20);
  });

  it("crash the process with code 1 and say so in its last log line", async () => {
    const { adminUrl, finished } = await startServer();
    await turn(adminUrl, { crashAfterSeconds: 0 });
    const { code, stdout } = await finished;
    expect(code).toBe(1);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({ level: 60, msg: "crash" });
  });

  it("crash after the start when the environment says so", async () => {
    const { finished } = await startServer({ FAULT_CRASH_AFTER_S: "0.2" });
    expect((await finished).code).toBe(1);
  });
});

describe("the OpenAPI document", () => {
  it("lists exactly the routes that the dials and the metrics know", async () => {
    const { url } = await startServer({ DB_DSN: "postgres://nobody:nothing@127.0.0.1:1/none" });
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
    const documented = Object.keys(document.paths).map((path) => path.replace("{id}", ":id"));
    expect(documented.sort()).toEqual([...APP_ROUTES, ...PROBE_ROUTES].sort());
  });
});
