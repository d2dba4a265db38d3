import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { observe, resources, waitUntil, WaitTimeout, type Kube } from "../src/index.ts";
import { FakeApiServer, statusBody } from "./fake-api-server.ts";

let fake: FakeApiServer;
let kube: Kube;
let stop: AbortController;

beforeEach(async () => {
  fake = await FakeApiServer.start();
  kube = await fake.connect();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await fake.down();
});

const maps = { resource: resources.ConfigMap };

describe("the changes of an observation", () => {
  test("begin when every source has been listed", async () => {
    fake.put("a", {});
    const state = observe(kube, { one: maps, two: maps }, stop.signal);
    expect(state.latest).toBeUndefined();
    const { value } = await state.changes().next();
    expect(value?.one.map(({ metadata }) => metadata.name)).toEqual(["a"]);
    expect(value?.two).toEqual(value?.one);
  });

  test("that come while the consumer is busy come as one, the last", async () => {
    const state = observe(kube, { maps }, stop.signal);
    const changes = state.changes();
    await changes.next();
    for (let n = 1; n <= 50; n += 1) fake.put("a", { n: String(n) });
    await vi.waitFor(() => expect(state.latest?.maps[0]?.data).toEqual({ n: "50" }), { interval: 5 });
    const { value } = await changes.next();
    expect(value?.maps[0]?.data).toEqual({ n: "50" });
    fake.remove("a");
    expect((await changes.next()).value?.maps).toEqual([]);
  });

  test("reach every consumer", async () => {
    const state = observe(kube, { maps }, stop.signal);
    const [one, two] = [state.changes(), state.changes()];
    await Promise.all([one.next(), two.next()]);
    fake.put("a", {});
    for (const { value } of await Promise.all([one.next(), two.next()])) expect(value?.maps).toHaveLength(1);
  });

  test("end with the signal, and with the error that ended a watch", async () => {
    const state = observe(kube, { maps }, stop.signal);
    const changes = state.changes();
    await changes.next();
    stop.abort();
    expect(await changes.next()).toEqual({ done: true, value: undefined });

    fake.fail("GET", { status: 403, body: statusBody(403, "Forbidden", "no") });
    const refused = observe(kube, { maps }, new AbortController().signal);
    await expect(refused.changes().next()).rejects.toMatchObject({ status: 403 });
  });
});

describe("a wait", () => {
  test("ends with what the decision gives, and closes its watch", async () => {
    const decided = waitUntil(kube, { maps }, { what: "a", timeoutMs: 10_000 }, (state) => state.maps[0]?.data?.["n"]);
    await vi.waitFor(() => expect(fake.watching).toBe(1), { interval: 5 });
    fake.put("a", { n: "7" });
    expect(await decided).toBe("7");
    await vi.waitFor(() => expect(fake.watching).toBe(0), { interval: 5 });
  });

  test("that is in vain says what it was for and what it saw", async () => {
    fake.put("a", {});
    fake.put("b", {});
    const state = observe(kube, { maps, more: maps }, stop.signal);
    await state.changes().next();
    const error: unknown = await state
      .until({ what: "c to appear", timeoutMs: 100 }, () => undefined)
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(WaitTimeout);
    expect(error).toMatchObject({
      what: "c to appear",
      message: "waited 0.1 s for c to appear; last seen: maps: a, b; more: a, b",
    });
    const describe = ({ maps }: { maps: readonly unknown[] }) => `${maps.length} maps`;
    const described = state.until({ what: "c", timeoutMs: 100, describe }, () => undefined);
    await expect(described).rejects.toThrow("waited 0.1 s for c; last seen: 2 maps");
  });

  test("that never got a list says so", async () => {
    fake.fail("GET", "silence");
    const inVain = waitUntil(kube, { maps }, { what: "a", timeoutMs: 200 }, () => undefined);
    await expect(inVain).rejects.toThrow("last seen: nothing yet of maps");
  });

  test("during which the server went away says so", async () => {
    const state = observe(kube, { maps }, stop.signal);
    await state.changes().next();
    await vi.waitFor(() => expect(fake.watching).toBe(1), { interval: 5 });
    await fake.down();
    const inVain = state.until({ what: "a", timeoutMs: 1000 }, () => undefined);
    await expect(inVain).rejects.toThrow(/last seen: maps: none \(and since then: nothing listens/);
  });

  test("ends with the signal's reason", async () => {
    const reason = new Error("interrupted");
    const waiting = waitUntil(kube, { maps }, { what: "a", timeoutMs: 10_000, signal: stop.signal }, () => undefined);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  test("ends with the error of its decision", async () => {
    const failing = waitUntil(kube, { maps }, { what: "a", timeoutMs: 10_000 }, () => {
      throw new RangeError("bad state");
    });
    await expect(failing).rejects.toBeInstanceOf(RangeError);
  });
});
