import type http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { defaultPolicy, start } from "@safe-deploy/verdict";
import { afterEach, expect, test } from "vitest";
import { answerRequests, type ServerOptions } from "../src/answer-requests.ts";
import type { Standing } from "../src/judge-rollouts.ts";
import { OwnMetrics } from "../src/own-metrics.ts";
import { newPath } from "../src/path.ts";
import type { Answer, AttemptRecord } from "../src/record.ts";

const servers: http.Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Told {
  status: number;
  type: string | undefined;
  body: { [field: string]: unknown };
}

async function serverOf(standing: () => Standing, o: Partial<ServerOptions> = {}): Promise<number> {
  const judge: ServerOptions["judge"] = {
    standing,
    lastRecord: async () => {
      const now = standing();
      return now.kind === "judged" ? now.record : now.kind === "idle" ? now.last : undefined;
    },
    nextAnswer: async (ms) => await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 5))),
  };
  const server = answerRequests({ judge, metrics: new OwnMetrics(), isReady: () => true, ...o });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function ask(port: number, target: string): Promise<Told> {
  const response = await fetch(`http://127.0.0.1:${port}${target}`);
  const text = await response.text();
  expect(text).not.toBe("");
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? undefined,
    body: JSON.parse(text) as Told["body"],
  };
}

const question = "/v1/verdict?namespace=shop&rollout=myapp&hash=new";

function answer(more: Partial<Answer> = {}): Answer {
  return {
    ...{ verdict: "pass", reason: "good so far", rule: "errors", statistic: -3.2, boundary: -3, n: 210, k: 0 },
    ...{ missing: 0, spent: { bad: 0 }, attempt: "u-1/new/1", at: Date.now(), weight: 10, source: "pods" },
    ...more,
  };
}

function record(given: Answer | null, more: Partial<AttemptRecord> = {}): AttemptRecord {
  const plan = { pollSeconds: 1, scrapeSeconds: 1, horizonSeconds: 600, gateSeconds: 30 };
  return {
    ...{ schemaVersion: 1, rolloutUid: "u-1", canary: "new", stable: "old", number: 1, startedAt: Date.now() },
    ...{ ended: null, endings: {}, state: start("u-1/new/1", defaultPolicy, plan, Date.now()), answer: given },
    ...{ path: newPath() },
    ...more,
  };
}

const judged =
  (given: Answer | null, more: Partial<AttemptRecord> = {}) =>
  (): Standing => ({
    kind: "judged",
    record: record(given, more),
    everySeconds: 1,
  });

test("a gate is told the verdict with all that it rests on", async () => {
  const given = answer();
  const told = await ask(await serverOf(judged(given)), question);
  expect(told).toEqual({ status: 200, type: "application/json", body: given });
});

test("a gate about a weight passes on evidence of that weight alone, and fails whatever the weight", async () => {
  const port = await serverOf(judged(answer()));
  expect((await ask(port, `${question}&weight=10`)).body).toMatchObject({ verdict: "pass" });
  const later = (await ask(port, `${question}&weight=50`)).body;
  expect(later).toMatchObject({ verdict: "continue" });
  expect(later["reason"]).toContain("the gate is about weight 50, and at the last look the new version had 10");
  const failed = await serverOf(judged(answer({ verdict: "fail" })));
  expect((await ask(failed, `${question}&weight=50`)).body).toMatchObject({ verdict: "fail" });
});

test("an answer from long ago is no answer, unless it is a failure", async () => {
  const at = Date.now() - 60_000;
  const old = (await ask(await serverOf(judged(answer({ at }))), question)).body;
  expect(old).toMatchObject({ verdict: "blind", rule: "blind" });
  expect(old["reason"]).toContain("the last look was 60 s ago");
  const failed = await serverOf(judged(answer({ at, verdict: "fail" })));
  expect((await ask(failed, question)).body).toMatchObject({ verdict: "fail" });
});

test("settings that cannot be kept make it blind, with the reason", async () => {
  const port = await serverOf(() => ({ kind: "refused", canary: "new", problem: "policy: alpha: must lie between" }));
  expect((await ask(port, question)).body).toMatchObject({
    verdict: "blind",
    reason: "policy: alpha: must lie between",
  });
});

test.each([
  ["/v1/verdict?rollout=myapp&hash=new", 400, "the parameter namespace is missing"],
  ["/v1/verdict?namespace=shop&rollout=&hash=new", 400, "the parameter rollout is missing"],
  ["/v1/verdict?namespace=shop&rollout=myapp", 400, "the parameter hash is missing"],
  [`${question}&weight=ten`, 400, "the parameter weight is no number: ten"],
  ["/v1/other", 404, "there is no /v1/other"],
  ["/v1/attempts/%E0%A4%A/x", 500, "URI malformed"],
])("%s is refused with %d and words", async (target, status, words) => {
  const told = await ask(await serverOf(judged(answer())), target);
  expect(told.status).toBe(status);
  expect(told.body["error"]).toContain(words);
});

test.each([
  [{ kind: "unknown" } as const, "there is no Rollout shop/myapp that this service may see"],
  [{ kind: "notAsking" } as const, "asks for no verdict"],
  [{ kind: "idle", last: undefined } as const, "is not in an update to the template new"],
  [{ kind: "judged", record: record(null), everySeconds: 1 } as const, "has not been looked at yet"],
  [{ kind: "judged", record: record(answer(), { canary: "newer" }), everySeconds: 1 } as const, "is not in an update"],
])("a version that is not judged is an error, never an answer (%#)", async (standing, words) => {
  const told = await ask(await serverOf(() => standing), question);
  expect(told.status).toBe(404);
  expect(told.body["error"]).toContain(words);
});

test("a question that comes before the first look waits for it", async () => {
  let looks = 0;
  const told = await ask(
    await serverOf(() => (++looks < 5 ? { kind: "idle", last: undefined } : judged(answer())())),
    question,
  );
  expect(told.body).toMatchObject({ verdict: "pass" });
});

test("before everything has been listed it is not ready, and tells no verdict", async () => {
  const port = await serverOf(judged(answer()), { isReady: () => false });
  for (const target of ["/ready", question]) expect((await ask(port, target)).status).toBe(503);
  expect((await ask(port, "/live")).status).toBe(200);
});

test("other methods than reading are refused", async () => {
  const port = await serverOf(judged(answer()));
  const response = await fetch(`http://127.0.0.1:${port}${question}`, { method: "POST", body: "{}" });
  expect(response.status).toBe(405);
});

test("the attempt is told with its policy, its totals and its looks", async () => {
  const port = await serverOf(judged(answer()));
  const { body } = await ask(port, "/v1/attempts/shop/myapp");
  expect(body).toMatchObject({ schemaVersion: 1, attempt: "u-1/new/1", number: 1, policy: defaultPolicy, path: [] });
  const unknown = await ask(await serverOf(() => ({ kind: "idle", last: undefined })), "/v1/attempts/shop/myapp");
  expect(unknown).toMatchObject({ status: 404, body: { error: "Rollout shop/myapp has had no attempt yet" } });
});

test("it tells of itself: looks, verdicts by kind, blind seconds, errors, requests to the API, open and blind attempts", async () => {
  const metrics = new OwnMetrics();
  metrics.follow({ open: 3, blind: 1 });
  const blind = answer({ verdict: "blind" });
  metrics.looked(blind, 2, undefined);
  metrics.looked({ ...blind, at: blind.at + 1_500 }, 0, blind);
  metrics.asked("watch", "pods");
  const port = await serverOf(judged(answer()), { metrics });
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  for (const line of [
    "verdict_looks_total 2",
    'verdict_verdicts_total{verdict="blind"} 2',
    'verdict_verdicts_total{verdict="pass"} 0',
    "verdict_blind_seconds_total 1.5",
    "verdict_scrape_errors_total 2",
    'verdict_api_requests_total{verb="watch",resource="pods"} 1',
    "verdict_open_attempts 3",
    "verdict_blind_attempts 1",
  ]) {
    expect(text).toContain(`${line}\n`);
  }
});

test("answers come over TLS with a certificate", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "verdict-tls-"));
  try {
    const [certFile, keyFile] = [path.join(folder, "tls.crt"), path.join(folder, "tls.key")];
    const subject = ["-subj", "/CN=verdict", "-addext", "subjectAltName=IP:127.0.0.1"];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    execFileSync("openssl", ["req", "-x509", ...kind, "-keyout", keyFile, "-out", certFile, ...subject], {
      stdio: "pipe",
    });
    const cert = readFileSync(certFile);
    const port = await serverOf(judged(answer()), { tls: { cert, key: readFileSync(keyFile) } });
    const status = await new Promise((resolve, reject) => {
      https
        .get({ host: "127.0.0.1", port, path: question, ca: cert }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on("error", reject);
    });
    expect(status).toBe(200);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
