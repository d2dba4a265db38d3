import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Kube, KubeError, resources } from "../src/index.ts";
import { FakeApiServer, statusBody, type Fault } from "./fake-api-server.ts";
import { kubeconfig, temporaryFile } from "./kubeconfig-file.ts";

let fake: FakeApiServer;
let kube: Kube;

beforeEach(async () => {
  fake = await FakeApiServer.start();
  kube = await fake.connect();
  fake.put("a", { n: "1" });
});
afterEach(async () => {
  vi.useRealTimers();
  await fake.down();
});

const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } };
const busy: Fault = { status: 429, body: statusBody(429, "TooManyRequests", "busy"), headers: { "Retry-After": "0" } };

test("who connected is told of every request that is sent, also of those that are sent again", async () => {
  const told: string[] = [];
  const cluster = { "insecure-skip-tls-verify": true };
  const path = await temporaryFile(kubeconfig({ server: fake.url, cluster, user: { token: "my-secret-token" } }));
  const onRequest = ({ verb, resource }: { verb: string; resource: string }) => told.push(`${verb} ${resource}`);
  const listener = await Kube.connect({ kubeconfig: path, namespace: "test", onRequest });
  await listener.list(resources.ConfigMap);
  fake.fail("GET", busy);
  await listener.get(resources.ConfigMap, "a");
  expect(told).toEqual(["list configmaps", "get configmaps", "get configmaps"]);
});

describe("a read", () => {
  test.for<[string, Fault]>([
    ["its connection breaks", "reset"],
    ["the server is busy", busy],
    ["the server is not ready", { status: 503 }],
  ])("is tried again when %s", async ([, fault]) => {
    await kube.list(resources.ConfigMap);
    fake.fail("GET", fault, fault);
    expect((await kube.list(resources.ConfigMap)).items).toHaveLength(1);
  });

  test("is tried again while the server it has reached before is away", async () => {
    await kube.list(resources.ConfigMap);
    await fake.down();
    const reading = kube.list(resources.ConfigMap);
    await fake.up();
    expect((await reading).items).toHaveLength(1);
  });

  test("fails at once when the server was never reached", async () => {
    await fake.down();
    await expect(kube.list(resources.ConfigMap)).rejects.toMatchObject({
      status: 0,
      reason: "Unreachable",
      message: expect.stringContaining(fake.url),
      hint: expect.stringContaining("current context"),
    });
  });

  test("of a host name that is not known says so", async () => {
    const path = await temporaryFile(kubeconfig({ server: "https://no-such-host.invalid:6443" }));
    const stranger = await Kube.connect({ kubeconfig: path });
    await expect(stranger.list(resources.ConfigMap)).rejects.toMatchObject({
      reason: "Unreachable",
      message: expect.stringContaining("no-such-host.invalid"),
      hint: expect.stringContaining("VPN"),
    });
  });

  test("fails when no answer comes in time", async () => {
    await kube.list(resources.ConfigMap);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const asked = new Promise<void>((resolve) => {
      fake.onRequest = () => resolve();
    });
    fake.fail("GET", "silence");
    const outcome = kube.list(resources.ConfigMap).catch((error: unknown) => error);
    await asked;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await outcome).toMatchObject({
      status: 0,
      reason: "Timeout",
      message: expect.stringContaining("configmaps"),
    });
  });

  test("is not tried again after other errors", async () => {
    fake.fail("GET", { status: 500, body: statusBody(500, "InternalError", "etcd is ill") });
    await expect(kube.list(resources.ConfigMap)).rejects.toMatchObject({ status: 500, message: /etcd is ill$/ });
    expect(fake.requests).toHaveLength(1);
  });

  test("starts over when the version of its pages is forgotten", async () => {
    const page = {
      kind: "ConfigMapList",
      metadata: { resourceVersion: "1", continue: "more" },
      items: [{ metadata: { name: "from the first page" } }],
    };
    fake.fail("GET", { status: 200, body: JSON.stringify(page) });
    fake.fail("continue=more", { status: 410, body: statusBody(410, "Expired", "too old") });
    const { items } = await kube.list(resources.ConfigMap);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(["a"]);
  });
});

describe("a write", () => {
  const writes: Record<string, () => Promise<unknown>> = {
    create: () => kube.create(configMap),
    apply: () => kube.apply(configMap),
    patch: () => kube.patch(resources.ConfigMap, "b", {}),
    replace: () => kube.replace(configMap),
    delete: () => kube.delete(resources.ConfigMap, "b"),
  };

  test.for(Object.entries(writes))("is never sent twice: %s", async ([, write]) => {
    await kube.list(resources.ConfigMap);
    for (const fault of ["reset", busy, { status: 503 }] as Fault[]) {
      fake.requests.length = 0;
      fake.fail("/configmaps", fault);
      await expect(write()).rejects.toBeInstanceOf(KubeError);
      expect(fake.requests).toHaveLength(1);
    }
  });

  test.for(Object.entries(writes))("that could not be sent is tried again: %s", async ([, write]) => {
    await kube.list(resources.ConfigMap);
    await fake.down();
    fake.requests.length = 0;
    fake.fail("/configmaps", { status: 200, body: JSON.stringify(configMap) });
    const writing = write();
    await fake.up();
    await writing;
    expect(fake.requests).toHaveLength(1);
  });
});

describe("a refusal", () => {
  const denied: Fault = {
    status: 403,
    body: statusBody(
      403,
      "Forbidden",
      'User "me" cannot get resource "configmaps" in API group "" in the namespace "test"',
    ),
  };

  test("is final", async () => {
    await kube.list(resources.ConfigMap);
    fake.requests.length = 0;
    fake.fail("GET", denied);
    await expect(kube.get(resources.ConfigMap, "a")).rejects.toMatchObject({ status: 403 });
    expect(fake.requests).toHaveLength(1);
  });

  test("is not final while the server may be starting", async () => {
    await kube.list(resources.ConfigMap);
    fake.fail("GET", "reset", denied, denied);
    expect((await kube.list(resources.ConfigMap)).items).toHaveLength(1);
    fake.fail("POST", denied, { status: 201, body: JSON.stringify(configMap) });
    expect(await kube.create(configMap)).toEqual(configMap);
  });

  test("by an admission plugin is final even then", async () => {
    await kube.list(resources.ConfigMap);
    fake.fail("GET", "reset");
    await kube.list(resources.ConfigMap);
    fake.fail("POST", { status: 403, body: statusBody(403, "Forbidden", 'pods "p" is forbidden: exceeded quota: q') });
    await expect(kube.create(configMap)).rejects.toMatchObject({ hint: expect.stringContaining("ResourceQuota") });
  });

  test("of the whole path does not pass for a missing object", async () => {
    fake.fail("GET", { status: 404, body: "404 page not found" });
    await expect(kube.get(resources.ConfigMap, "a")).rejects.toMatchObject({ status: 404, reason: "NotServed" });
    fake.fail("DELETE", { status: 404, body: "404 page not found" });
    await expect(kube.delete(resources.ConfigMap, "a")).rejects.toMatchObject({ reason: "NotServed" });
    expect(await kube.get(resources.ConfigMap, "no-such")).toBeUndefined();
  });
});

describe("an error", () => {
  test("tells the Status's message and reason, without colours and control characters", async () => {
    fake.fail("GET", { status: 400, body: statusBody(400, "BadRequest", "\u001b[31mbad\u001b[0m\u0007 selector") });
    await expect(kube.list(resources.ConfigMap)).rejects.toMatchObject({
      reason: "BadRequest",
      message: 'cannot list configmaps in namespace "test": bad selector',
    });
  });

  test("of a proxy's page does not repeat the page", async () => {
    fake.fail("GET", { status: 502, body: "<html><body>Bad gateway</body></html>" });
    await expect(kube.list(resources.ConfigMap)).rejects.toMatchObject({
      status: 502,
      message: 'cannot list configmaps in namespace "test": HTTP 502',
    });
  });

  test("of refused credentials tells where they come from", async () => {
    fake.fail("GET", { status: 401, body: statusBody(401, "Unauthorized", "Unauthorized") });
    await expect(kube.list(resources.ConfigMap)).rejects.toMatchObject({
      status: 401,
      hint: expect.stringMatching(/user "fake" of context "fake".*token may have expired/),
    });
  });

  test("and the client itself never show the token", async () => {
    fake.fail("GET", { status: 403, body: statusBody(403, "Forbidden", "no") });
    const error: unknown = await kube.list(resources.ConfigMap).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(KubeError);
    expect(inspect([error, kube], { depth: 20, showHidden: true }) + JSON.stringify([error, kube])).not.toContain(
      "my-secret-token",
    );
  });

  test.for(["", ".", "..", "a/b"])("comes for the name %j before anything is sent", async (name) => {
    await expect(kube.delete(resources.ConfigMap, name)).rejects.toMatchObject({ reason: "BadRequest" });
    expect(fake.requests).toEqual([]);
  });
});

describe("a log that is followed", () => {
  test("goes on after a broken connection where it was, without a line twice or missing", async () => {
    const line = (n: number, text: string) => `2026-01-01T00:00:0${n}.${n}00000001+02:00 ${text}\n`;
    const text = [1, 2, 3, 4].map((n) => line(n, `line ${n}`));
    fake.fail("/log?", {
      status: 200,
      body: `${text[0]}${text[1]}2026-01-01T00:00:03.3000`,
      cut: true,
    });
    fake.fail("/log?", "reset");
    fake.fail("/log?", { status: 200, body: text.join("") });
    const { signal } = new AbortController();
    const seen: string[] = [];
    for await (const entry of kube.followLogs("p", { signal, container: "app", tailLines: 10 })) seen.push(entry);
    expect(seen).toEqual(["line 1", "line 2", "line 3", "line 4"]);
    expect(fake.requests[0]).toContain("tailLines=10");
    expect(fake.requests[2]).toContain(`sinceTime=${encodeURIComponent("2025-12-31T22:00:02.200Z")}`);
  });

  test("that cannot be read is an error", async () => {
    fake.fail("/log?", { status: 400, body: statusBody(400, "BadRequest", 'container "app" is waiting to start') });
    const { signal } = new AbortController();
    await expect(kube.followLogs("p", { signal }).next()).rejects.toMatchObject({ message: /waiting to start$/ });
  });
});

test("times are told by the server's clock", async () => {
  fake.fail("GET", {
    status: 200,
    body: '{"items":[],"metadata":{"resourceVersion":"1"}}',
    headers: { Date: "Thu, 01 Jan 2026 00:00:00 GMT" },
  });
  await kube.list(resources.ConfigMap);
  expect(Math.abs(kube.serverNow() - Date.parse("2026-01-01T00:00:00.5Z"))).toBeLessThan(10_000);
});
