import { readFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CheckProgress, parseChecks, runChecks } from "../src/index.ts";
import { seed } from "./seed.ts";
import { json, serve } from "./server.ts";

function one(check: object, rest: object = {}) {
  return parseChecks({ checks: [{ name: "it", ...check }], ...rest });
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("a request", () => {
  test("carries the declared method, path, headers and body below the base URL's own path", async () => {
    await using server = await serve(json(201, {}));
    const request = { method: "PUT", path: "/a%20b?q=1&r=/x", headers: { "X-A": "b" }, body: { json: { n: [1] } } };
    const report = await runChecks(one({ request }), { baseUrl: `${server.baseUrl}/prefix/` });
    expect(report.outcome).toBe("passed");
    expect(server.requests).toMatchObject([
      {
        method: "PUT",
        url: "/prefix/a%20b?q=1&r=/x",
        headers: { "x-a": "b", "content-type": "application/json" },
        body: '{"n":[1]}',
      },
    ]);
  });

  test("uses a connection of its own each time, so that repeats reach different pods", async () => {
    const ports = new Set<number | undefined>();
    await using server = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    await runChecks(one({ request: { path: "/" }, repeat: { times: 5 } }), server);
    expect(ports.size).toBe(5);
  });

  test("follows redirects only when asked, without showing credentials to another server", async () => {
    await using other = await serve(json(200, {}));
    await using server = await serve((_request, response) => {
      response.writeHead(302, { location: `${other.baseUrl}/there` }).end();
    });
    const request = { method: "POST", path: "/", body: { text: "x" }, headers: { Authorization: "Bearer secret" } };
    const stayed = await runChecks(one({ request }), server);
    expect(stayed.checks[0]?.reason).toBe("status is 302, not 2xx");
    expect(stayed.checks[0]?.failure?.response?.headers.location).toBe(`${other.baseUrl}/there`);
    const followed = await runChecks(one({ request: { ...request, followRedirects: true } }), server);
    expect(followed.outcome).toBe("passed");
    expect(other.requests).toHaveLength(1);
    expect(other.requests[0]).toMatchObject({ method: "GET", url: "/there", body: "" });
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
  });

  test("gives up on redirects that never end", async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(307, { location: "/again" }).end();
    });
    const report = await runChecks(one({ request: { path: "/", followRedirects: true } }), server);
    expect(report.checks[0]?.reason).toContain("gave up after 10 redirects");
  });
});

describe("an expectation", () => {
  test.each<[string, object, string]>([
    ["status", { status: [201, "3xx"] }, "status is 200, not 201 or 3xx"],
    ["missing header", { headers: { "X-None": "1" } }, "header x-none is missing"],
    ["other header", { headers: { "X-App-Version": "2" } }, 'header x-app-version is "1", not "2"'],
    ["header that does not match", { headers: { "Content-Type": "/html/" } }, "which does not match /html/"],
    ["JSON subset", { json: { db: { state: "up" } } }, 'db.state is "down", not "up"'],
    ["JSON list of another length", { json: { list: [1] } }, "list has 2 elements, not 1"],
    ["missing JSON key", { json: { db: { size: 1 } } }, "db.size is missing"],
    ["JSON path", { jsonPath: { "list[1].id": 3 } }, "list[1].id is 2, not 3"],
    ["JSON path to nothing", { jsonPath: { "list[2].id": 3 } }, "list[2].id is missing"],
    ["JSON path that does not match", { jsonPath: { 'a["b.c/d"]': "/^y/" } }, 'is "xyz", which does not match /^y/'],
    ["text in the body", { bodyContains: ["list", "nowhere"] }, 'the body does not contain "nowhere"'],
  ])("fails on %s and says what came instead", async (_name, expectation, reason) => {
    const body = { db: { state: "down" }, list: [1, { id: 2 }], a: { "b.c/d": "xyz" } };
    await using server = await serve(json(200, body, { "x-app-version": "1" }));
    const report = await runChecks(one({ request: { path: "/" }, expect: expectation }), server);
    expect(report.outcome).toBe("failed");
    expect(report.checks[0]?.reason).toContain(reason);
  });

  test("passes when all of it holds", async () => {
    const body = { db: { state: "up", extra: 1 }, list: [{ id: 2, extra: 1 }], none: null };
    await using server = await serve(json(200, body, { "x-app-version": "20251028.1" }));
    const expectation = {
      status: 200,
      headers: { "X-App-Version": "/^2025/", "content-type": "application/json" },
      json: { db: { state: "up" }, list: [{ id: 2 }], none: null },
      jsonPath: { "list[0].id": "/^2$/", db: { extra: 1, state: "up" }, none: null },
      bodyContains: "extra",
      latencyMs: 60_000,
    };
    const report = await runChecks(one({ request: { path: "/" }, expect: expectation }), server);
    expect(report.checks[0]).toMatchObject({ status: "passed", reason: "1 of 1 request passed" });
  });

  test("names every problem of an answer together with the answer", async () => {
    await using server = await serve((_request, response) => {
      response.writeHead(503, { "x-app-version": "7", "set-cookie": "secret=1" }).end(`no database ${"x".repeat(600)}`);
    });
    const expectation = { json: { a: 1 }, bodyContains: "fine" };
    const report = await runChecks(one({ request: { path: "/" }, expect: expectation }), server);
    const failure = report.checks[0]?.failure;
    expect(failure?.problems).toEqual([
      "status is 503, not 2xx",
      'the body does not contain "fine"',
      "the body is not valid JSON",
    ]);
    expect(failure?.response?.body).toHaveLength(500);
    expect(failure?.response).toMatchObject({ status: 503, headers: { "x-app-version": "7" }, bodyTruncated: true });
    expect(JSON.stringify(report)).not.toContain("secret");
  });

  test("fails on an answer slower than its limit", async () => {
    await using server = await serve((_request, response) => void setTimeout(() => response.end(), 20));
    const report = await runChecks(one({ request: { path: "/" }, expect: { latencyMs: 1 } }), server);
    expect(report.checks[0]?.reason).toMatch(/^the answer took \d+ ms, more than 1 ms$/);
  });

  test("is not judged on a body too large to be read, which an unasserted body may be", async () => {
    await using server = await serve((_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(64 * 1024)));
      };
      response.on("drain", more);
      more();
    });
    const unasserted = await runChecks(one({ request: { path: "/" } }), server);
    expect(unasserted.outcome).toBe("passed");
    const asserted = await runChecks(one({ request: { path: "/" }, expect: { bodyContains: "y" } }), server);
    expect(asserted.checks[0]?.reason).toBe("the body is larger than 1 MiB, too large to be judged");
  });
});

describe("no answer", () => {
  const check = one({ request: { path: "/", timeout: "50ms" } });

  test("because nothing listens is explained", async () => {
    const report = await runChecks(check, { baseUrl: `http://127.0.0.1:${await freePort()}` });
    expect(report.checks[0]?.failure).toMatchObject({ errorCode: "ECONNREFUSED" });
    expect(report.checks[0]?.reason).toContain("nothing listens on 127.0.0.1:");
  });

  test("because the server closes the connection is explained", async () => {
    await using server = await serve((request) => request.socket.destroy());
    const report = await runChecks(one({ request: { path: "/" } }), server);
    expect(report.checks[0]?.failure).toMatchObject({ errorCode: "ECONNRESET" });
    expect(report.checks[0]?.reason).toContain("closed the connection before it answered");
  });

  test("within the timeout is explained, also when the body stalls", async () => {
    await using silent = await serve(() => {});
    await using stalling = await serve((_request, response) => void response.write("begin"));
    for (const server of [silent, stalling]) {
      const report = await runChecks(check, server);
      expect(report.checks[0]?.failure?.errorCode).toBe("TIMEOUT");
      expect(report.checks[0]?.reason).toMatch(/^connected to .*, but got no complete answer within 50 ms$/);
    }
  });

  test("in HTTP is explained, in both directions of confusion", async () => {
    await using plain = await serve(json(200, {}));
    const https = await runChecks(one({ request: { path: "/" } }), { baseUrl: plain.baseUrl.replace("http", "https") });
    expect(https.checks[0]?.reason).toContain("does not speak TLS there; is it an http address?");

    const server = createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const ssh = await runChecks(one({ request: { path: "/" } }), { baseUrl: `http://127.0.0.1:${port}` });
    server.close();
    expect(ssh.checks[0]?.reason).toContain("is not HTTP");
  });

  test("that can be trusted is explained", async () => {
    const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
    const server = createTlsServer({ key: fixture("self-signed.key"), cert: fixture("self-signed.crt") });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const report = await runChecks(one({ request: { path: "/" } }), { baseUrl: `https://127.0.0.1:${port}` });
    server.close();
    expect(report.checks[0]?.failure?.errorCode).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(report.checks[0]?.reason).toContain("NODE_EXTRA_CA_CERTS");
  });
});

describe("a repeated check", () => {
  test("passes exactly when k of n requests pass, whatever their order and concurrency", async () => {
    // By path, because a request that a decided run gave up may still arrive during the next run.
    const patterns: { answers: boolean[]; next: number }[] = [];
    await using server = await serve((request, response) => {
      const pattern = patterns[Number(request.url?.slice(1))]!;
      response.writeHead(pattern.answers[pattern.next++] === true ? 200 : 500).end();
    });
    const scenario = fc
      .array(fc.boolean(), { minLength: 1, maxLength: 20 })
      .chain((answers) =>
        fc.tuple(fc.constant(answers), fc.integer({ min: 1, max: answers.length }), fc.integer({ min: 1, max: 5 })),
      );
    await fc.assert(
      fc.asyncProperty(scenario, async ([answers, atLeast, concurrency]) => {
        const path = `/${patterns.push({ answers, next: 0 }) - 1}`;
        const times = answers.length;
        const spec = one({ request: { path }, repeat: { times, atLeast, concurrency } });
        const report = await runChecks(spec, server);
        const good = answers.filter((answer) => answer).length;
        const [result] = report.checks;
        expect(report.outcome).toBe(good >= atLeast ? "passed" : "failed");
        // All are sent unless so many fail that the rest cannot matter; then the count says how far it got.
        const bad = Math.min(times - good, times - atLeast + 1);
        const { passed, finished } = result!.requests;
        expect(finished - passed).toBe(bad);
        expect(passed).toBeLessThanOrEqual(good);
        expect(finished === times || good < atLeast).toBe(true);
      }),
      { numRuns: 60, seed },
    );
  });

  test("sends no more than its concurrency at once", async () => {
    let open = 0;
    let most = 0;
    await using server = await serve((_request, response) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        response.end();
      }, 5);
    });
    await runChecks(one({ request: { path: "/" }, repeat: { times: 12, concurrency: 3 } }), server);
    expect(most).toBe(3);
  });
});

describe("a retried check", () => {
  test("passes on the attempt that passes, waiting longer each time", async () => {
    let requests = 0;
    await using server = await serve((_request, response) => void response.writeHead(++requests < 4 ? 503 : 200).end());
    const waits: number[] = [];
    const retry = { attempts: 5, backoff: { initial: "10ms", factor: 3, max: "50ms" } };
    const onProgress = (event: CheckProgress) => {
      if (event.type === "attemptFailed") waits.push(event.retryInMs);
    };
    const report = await runChecks(one({ request: { path: "/" }, retry }), { baseUrl: server.baseUrl, onProgress });
    expect(report.checks[0]).toMatchObject({ status: "passed", attempts: 4 });
    expect(waits).toEqual([10, 30, 50]);
  });

  test("reports the last attempt when all fail", async () => {
    let requests = 0;
    await using server = await serve((_request, response) => void response.writeHead(500 + requests++).end());
    const spec = one({ request: { path: "/" }, retry: { attempts: 3, backoff: { initial: "1ms" } } });
    const report = await runChecks(spec, server);
    expect(report.checks[0]).toMatchObject({ status: "failed", attempts: 3, failure: { response: { status: 502 } } });
    expect(report.checks[0]?.reason).toBe("status is 502, not 2xx (attempt 3 of 3)");
  });
});

describe("dependencies", () => {
  test("leave a check not run when one it needs fails, and the whole fails", async () => {
    await using server = await serve(
      (request, response) => void response.writeHead(request.url === "/a" ? 500 : 200).end(),
    );
    const check = (name: string, ...dependsOn: string[]) => ({ name, dependsOn, request: { path: `/${name}` } });
    const spec = parseChecks({ checks: [check("c", "b"), check("b", "a"), check("a"), check("d")] });
    const report = await runChecks(spec, server);
    expect(report.outcome).toBe("failed");
    expect(report.counts).toEqual({ total: 4, passed: 1, failed: 1, notRun: 2 });
    expect(report.checks.map(({ name, status, reason }) => [name, status, reason])).toEqual([
      ["a", "failed", "status is 500, not 2xx"],
      ["b", "notRun", "depends on a, which failed"],
      ["c", "notRun", "depends on b, which did not run"],
      ["d", "passed", "1 of 1 request passed"],
    ]);
    expect(server.requests.map(({ url }) => url)).toEqual(["/a", "/d"]);
  });
});

describe("the total deadline", () => {
  test("cuts off a check that hangs and leaves the rest not run", async () => {
    await using server = await serve(() => {});
    const checks = ["a", "b"].map((name) => ({ name, request: { path: "/" } }));
    const report = await runChecks(parseChecks({ deadline: "50ms", checks }), server);
    expect(report.outcome).toBe("deadline");
    expect(report.checks.map(({ status, reason }) => [status, reason])).toEqual([
      ["failed", "the deadline of 50 ms passed during attempt 1 of 1; 0 of 1 request passed (stopped after 0)"],
      ["notRun", "the deadline of 50 ms passed before this check began"],
    ]);
  });

  test("is not waited out when the next attempt would come too late", async () => {
    await using server = await serve(json(503, {}));
    const retry = { attempts: 2, backoff: { initial: "30m", max: "30m" } };
    const report = await runChecks(one({ request: { path: "/" }, retry }, { deadline: "1m" }), server);
    expect(report.outcome).toBe("deadline");
    expect(report.checks[0]?.reason).toBe(
      "status is 503, not 2xx; the deadline of 1 m would pass before attempt 2 of 2",
    );
  });

  test("does not hide that a check failed by itself", async () => {
    await using server = await serve((request, response) => {
      if (request.url === "/bad") response.writeHead(500).end();
    });
    const checks = ["bad", "hangs"].map((name) => ({ name, request: { path: `/${name}` } }));
    const report = await runChecks(parseChecks({ deadline: "50ms", checks }), server);
    expect(report.outcome).toBe("failed");
  });
});

describe("an abort signal", () => {
  test("ends a running request and reports everything unfinished as not run", async () => {
    const interrupt = new AbortController();
    await using server = await serve(() => interrupt.abort());
    const checks = ["a", "b"].map((name) => ({ name, request: { path: "/" } }));
    const report = await runChecks(parseChecks({ checks }), { baseUrl: server.baseUrl, signal: interrupt.signal });
    expect(report.outcome).toBe("interrupted");
    expect(report.checks.map(({ status, reason }) => [status, reason])).toEqual([
      ["notRun", "interrupted while this check ran"],
      ["notRun", "interrupted before this check began"],
    ]);
  });

  test("ends the wait between attempts", async () => {
    const interrupt = new AbortController();
    await using server = await serve(json(503, {}));
    const spec = one({ request: { path: "/" }, retry: { attempts: 2, backoff: { initial: "50s", max: "50s" } } });
    const report = await runChecks(spec, {
      baseUrl: server.baseUrl,
      signal: interrupt.signal,
      onProgress: (event) => event.type === "attemptFailed" && interrupt.abort(),
    });
    expect(report.outcome).toBe("interrupted");
  });
});

describe("the base URL", () => {
  test.each(["myapp:80", "ftp://x", "", "http://x/?a=1"])("%j is refused before anything is sent", async (baseUrl) => {
    await expect(runChecks(one({ request: { path: "/" } }), { baseUrl })).rejects.toThrow(/base URL/);
  });

  test("shows its credentials to the server and to nobody else", async () => {
    await using server = await serve(json(503, {}));
    const baseUrl = server.baseUrl.replace("http://", "http://user:secret@");
    const report = await runChecks(one({ request: { path: "/" } }), { baseUrl });
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${btoa("user:secret")}`);
    expect(JSON.stringify(report)).not.toContain("secret");
  });
});
