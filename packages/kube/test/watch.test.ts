import * as fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { resources, type ConfigMap, type KubeError, type WatchEvent } from "../src/index.ts";
import { FakeApiServer, statusBody } from "./fake-api-server.ts";

const list = "GET /api/v1/namespaces/test/configmaps?limit";
const watches = "GET /api/v1/namespaces/test/configmaps?watch";

describe("a watch", () => {
  test("gives what there is, then every change", async () => {
    const { fake, next } = await watching((fake) => fake.put("a", { n: "1" }));
    expect(await next()).toEqual("sync a=1");
    fake.put("b", { n: "1" });
    fake.put("a", { n: "2" });
    fake.remove("b");
    expect([await next(), await next(), await next()]).toEqual(["added b=1", "modified a=2", "deleted b=1"]);
  });

  test("gives what changes between the list and the watch", async () => {
    const { next } = await watching((fake) => {
      fake.onRequest = (request) => {
        if (request.startsWith(watches)) fake.put("between", { n: "1" });
        fake.onRequest = request.startsWith(watches) ? () => undefined : fake.onRequest;
      };
    });
    expect([await next(), await next()]).toEqual(["sync ", "added between=1"]);
  });

  test("goes on after a broken connection with what was missed, and repeats nothing", async () => {
    const { fake, next } = await watching((fake) => fake.put("a", { n: "1" }));
    await next();
    fake.put("b", { n: "1" });
    await next();
    fake.drop();
    fake.put("c", { n: "1" });
    expect(await next()).toEqual("added c=1");
    expect(fake.requests.filter((request) => request.startsWith(list))).toHaveLength(1);
  });

  test("leaves out half an event, and gives the whole one later", async () => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    fake.say('{"type":"ADDED","object":{"metadata":{"name":"half');
    fake.drop();
    fake.put("whole", { n: "1" });
    expect(await next()).toEqual("added whole=1");
  });

  test("joins an event that comes in pieces, also within a character", async () => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    const object = { metadata: { name: "pieces", resourceVersion: "9" }, data: { n: "süß" } };
    const bytes = Buffer.from(`${JSON.stringify({ type: "ADDED", object })}\n`);
    for (const byte of bytes) fake.say(Buffer.from([byte]) as unknown as string);
    expect(await next()).toEqual("added pieces=süß");
  });

  test("resumes at the version of the last bookmark", async () => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    fake.bookmark();
    const { version } = fake;
    fake.compact();
    fake.put("a", { n: "1" });
    await next();
    fake.drop();
    fake.put("b", { n: "1" });
    expect(await next()).toEqual("added b=1");
    expect(fake.requests.at(-1)).toContain(`resourceVersion=${version + 1}`);
  });

  test.for(["as an answer", "as an event"])("lists again when its version is forgotten: 410 %s", async (how) => {
    const { fake, next } = await watching((fake) => fake.put("a", { n: "1" }));
    await next();
    await open(fake);
    if (how === "as an event") fake.error(410, "Expired");
    else fake.drop();
    fake.remove("a");
    fake.put("b", { n: "1" });
    fake.compact();
    expect(await next()).toEqual("sync b=1");
  });

  test.for([
    "this is no JSON\n",
    "{}\n",
    '{"type":"ADDED","object":{}}\n',
    '{"type":"NEWS","object":{"metadata":{}}}\n',
  ])("lists again after a line that it cannot read: %j", async (line) => {
    const { fake, next } = await watching((fake) => fake.put("a", { n: "1" }));
    await next();
    await open(fake);
    fake.say(line);
    expect(await next()).toEqual("sync a=1");
  });

  test("outlives a server that is down for a while, and tells of it", async () => {
    const troubles: string[] = [];
    const { fake, next } = await watching(
      (fake) => fake.put("a", { n: "1" }),
      (error) => troubles.push(error?.reason ?? "over"),
    );
    await next();
    await open(fake);
    await fake.down();
    await vi.waitFor(() => expect(troubles).toContain("Unreachable"));
    fake.put("b", { n: "1" });
    await fake.up();
    expect(await next()).toEqual("added b=1");
    expect(troubles.at(-1)).toEqual("over");
  });

  test.for([503, 500, 429])("outlives answers of %i", async (code) => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    fake.fail(watches, { status: code }, { status: code });
    fake.drop();
    fake.put("b", { n: "1" });
    expect(await next()).toEqual("added b=1");
  });

  test("waits as long as the server asks for", async () => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    const times: number[] = [];
    fake.onRequest = () => times.push(performance.now());
    fake.fail(watches, { status: 429, headers: { "Retry-After": "1" } });
    fake.drop();
    fake.put("b", { n: "1" });
    await next();
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(999);
  });

  test("bears a refusal for a while once it has worked", async () => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    const starting = { status: 403, body: statusBody(403, "Forbidden", "roles are not loaded yet") };
    fake.fail(watches, starting, starting);
    fake.drop();
    fake.put("b", { n: "1" });
    expect(await next()).toEqual("added b=1");
  });

  test("bears a refusal by a server that has just come back, even if it never was open before", async () => {
    const { fake, next } = await watching((fake) => {
      fake.fail(watches, "reset", { status: 403, body: forbidden }, { status: 403, body: forbidden });
    });
    await next();
    await open(fake);
    fake.put("a", { n: "1" });
    expect(await next()).toEqual("added a=1");
  });

  test("ends with the refusal that lasts", async () => {
    const { fake, next } = await watching();
    await next();
    await open(fake);
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    fake.onRequest = () => vi.advanceTimersByTime(6000);
    const refusal = { status: 403, body: forbidden };
    fake.fail(watches, refusal, refusal, refusal);
    fake.drop();
    await expect(next()).rejects.toMatchObject({ status: 403, reason: "Forbidden" });
    expect(fake.requests.slice(-3)).toEqual([1, 2, 3].map(() => expect.stringContaining(watches)));
  });

  test("ends with the refusal when it comes first", async () => {
    const { next } = await watching((fake) => fake.fail(list, { status: 403, body: forbidden }));
    await expect(next()).rejects.toMatchObject({ status: 403, hint: expect.stringContaining('verbs: ["list"]') });
  });

  test("ends when the server cannot be reached in the first place", async () => {
    const fake = await FakeApiServer.start();
    const kube = await fake.connect();
    await fake.down();
    const events = kube.watch(resources.ConfigMap, { signal: new AbortController().signal });
    await expect(events.next()).rejects.toMatchObject({ reason: "Unreachable" });
  });

  test("ends without an error when its signal aborts, whatever it is doing", async () => {
    const { fake, next, stop } = await watching();
    await next();
    await open(fake);
    const pending = next();
    stop();
    expect(await pending).toBeUndefined();
    await vi.waitFor(() => expect(fake.watching).toBe(0));
  });

  test("ends without an error when its signal aborts while the server is away", async () => {
    const { fake, next, stop } = await watching();
    await next();
    await fake.down();
    const pending = next();
    stop();
    expect(await pending).toBeUndefined();
  });

  test("lets go of the connection when its consumer stops", async () => {
    await using fake = await FakeApiServer.start();
    fake.put("a", { n: "1" });
    const kube = await fake.connect();
    fake.onRequest = (request) => {
      if (request.startsWith(watches)) fake.put("a", { n: "2" });
    };
    const { signal } = new AbortController();
    for await (const event of kube.watch(resources.ConfigMap, { signal })) if (event.type === "modified") break;
    await vi.waitFor(() => expect(fake.watching).toBe(0));
  });

  test("ends with the same objects as the server, whatever changes and breaks", { timeout: 60_000 }, async () => {
    const name = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ put: name, n: fc.nat(99) }) },
      { weight: 2, arbitrary: fc.record({ remove: name }) },
      { weight: 4, arbitrary: fc.constant("open") },
      fc.constantFrom("drop", "end", "compact", "bookmark", "garbage", "half", "410", "500"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await using fake = await FakeApiServer.start();
        const kube = await fake.connect();
        const stop = new AbortController();
        const known = new Map<string, ConfigMap>();
        const done = (async () => {
          for await (const event of kube.watch(resources.ConfigMap, { signal: stop.signal })) {
            replay(known, event);
            if (known.get("last") !== undefined) return;
          }
        })();
        for (const action of steps) {
          if (typeof action === "object") {
            if ("put" in action) fake.put(action.put, { n: String(action.n) });
            else fake.remove(action.remove);
          } else if (action === "garbage") fake.say("garbage\n");
          else if (action === "half") {
            fake.say('{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"99999"');
            fake.drop();
          } else if (action === "410") fake.error(410, "Expired");
          else if (action === "500") fake.fail("configmaps", { status: 500 });
          else if (action === "open") await open(fake);
          else fake[action]();
        }
        fake.put("last", {});
        await done;
        stop.abort();
        expect(Object.fromEntries(known)).toEqual(Object.fromEntries(fake.objects));
      }),
      { numRuns: 60, seed: Number(process.env["SEED"] ?? 7) },
    );
  });
});

const forbidden = statusBody(
  403,
  "Forbidden",
  'configmaps is forbidden: User "me" cannot list resource "configmaps" in API group "" in the namespace "test"',
);

/** A watch of a fake server's ConfigMaps whose events come as text; all of it ends with the test. */
async function watching(
  prepare: (fake: FakeApiServer) => void = () => undefined,
  onTrouble: (error: KubeError | undefined) => void = () => undefined,
) {
  const fake = await FakeApiServer.start();
  prepare(fake);
  const kube = await fake.connect();
  const stop = new AbortController();
  const events = kube.watch(resources.ConfigMap, { signal: stop.signal, onTrouble });
  onTestFinished(async () => {
    stop.abort();
    await fake.down();
  });
  // Read ahead, as a program does, so that the watch is open while the test goes on.
  const ended = (async () => {
    for await (const event of events) arrived(inWords(event));
    arrived(undefined);
  })();
  let failure: unknown;
  ended.catch((error: unknown) => {
    failure = error;
    wake.resolve();
  });
  const queue: (string | undefined)[] = [];
  let wake = Promise.withResolvers<void>();
  function arrived(event: string | undefined): void {
    queue.push(event);
    wake.resolve();
  }
  const next = async () => {
    while (queue.length === 0) {
      if (failure !== undefined) throw failure;
      wake = Promise.withResolvers();
      await wake.promise;
    }
    return queue.shift();
  };
  return { fake, next, stop: () => stop.abort() };
}

async function open(fake: FakeApiServer): Promise<void> {
  await vi.waitFor(() => expect(fake.watching).toBe(1), { interval: 5, timeout: 5000 });
}

function inWords(event: WatchEvent<ConfigMap>): string {
  const word = (object: ConfigMap) => `${object.metadata.name}=${object.data?.["n"]}`;
  return event.type === "sync" ? `sync ${event.items.map(word).join(" ")}` : `${event.type} ${word(event.object)}`;
}

function replay(known: Map<string, ConfigMap>, event: WatchEvent<ConfigMap>): void {
  if (event.type === "sync") {
    known.clear();
    for (const object of event.items) known.set(object.metadata.name, object);
  } else if (event.type === "deleted") known.delete(event.object.metadata.name);
  else known.set(event.object.metadata.name, event.object);
}
