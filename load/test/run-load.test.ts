import { beforeAll, describe, expect, test } from "vitest";
import {
  compareWeight,
  countByVersion,
  type LoadResult,
  LoadUsageError,
  runLoad,
  TargetDownError,
} from "../run/index.ts";
import { findK6 } from "./k6.ts";
import { startTarget } from "./target.ts";

let k6: string;
// Compiling it takes minutes where neither PATH nor the cache has it.
beforeAll(async () => {
  k6 = await findK6();
}, 1_200_000);

/** The series summed up again, by "version status". */
function counted({ series }: LoadResult): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { version, status, count } of series) {
    const key = `${version} ${status}`;
    counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return counts;
}

describe("a run", () => {
  test("counts what the server saw, by version and status, in total and per second", async () => {
    await using target = await startTarget((n) => ({ version: n < 60 ? "1" : "2", status: n % 10 === 9 ? 500 : 200 }));
    const progress: number[] = [];
    const { result } = runLoad({
      scenario: "baseline",
      baseUrl: target.baseUrl,
      rate: 40,
      duration: "3s",
      k6,
      onProgress: ({ requests }) => progress.push(requests),
    });
    const load = await result;
    const answers = [...target.answered.values()].reduce((sum, count) => sum + count);
    expect(answers).toBeGreaterThanOrEqual(120);
    expect(counted(load)).toEqual(target.answered);
    expect(load.totals).toMatchObject({
      requests: answers,
      failed: (target.answered.get("1 500") ?? 0) + (target.answered.get("2 500") ?? 0),
      dropped: 0,
      byVersion: { 1: 60, 2: answers - 60 },
      failedByVersion: { 1: target.answered.get("1 500"), 2: target.answered.get("2 500") },
      errors: {},
    });
    const seconds = load.series.map(({ t }) => t);
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
    expect(new Set(seconds).size).toBeGreaterThanOrEqual(3);
    expect(seconds[0]).toBeGreaterThanOrEqual(Math.floor(Date.parse(load.startedAt) / 1000));
    expect(seconds.at(-1)).toBeLessThanOrEqual(Date.parse(load.endedAt) / 1000);
    expect(load.thresholds).toContainEqual({ metric: "failed_requests", condition: "rate<0.01", passed: false });
    expect(load).toMatchObject({ passed: false, stopped: false, rate: 40 });
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.length).toBeGreaterThan(0);
  });

  test("passes against a good service, over a connection per request, asking its paths in turn", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 204 }));
    const { result } = runLoad({
      scenario: "soak",
      baseUrl: target.baseUrl,
      rate: 20,
      duration: "1s",
      paths: ["/a", "/b?x=1"],
      k6,
    });
    const load = await result;
    expect(load).toMatchObject({ passed: true, totals: { failed: 0, dropped: 0 } });
    expect(target.connections.size).toBe(load.totals.requests);
    expect(new Set(target.paths)).toEqual(new Set(["/a", "/b?x=1"]));
  });

  test("keeps connections when asked to", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 200 }));
    const options = { scenario: "baseline", baseUrl: target.baseUrl, rate: 30, duration: "2s", k6 } as const;
    const load = await runLoad({ ...options, connections: "reuse" }).result;
    expect(target.connections.size).toBeLessThan(load.totals.requests);
  });

  test("shows a stalled server as dropped and unanswered requests", async () => {
    await using target = await startTarget((n) => (n < 10 ? { version: "1", status: 200 } : "stall"));
    const load = await runLoad({ scenario: "baseline", baseUrl: target.baseUrl, rate: 20, duration: "4s", k6 }).result;
    expect(load.totals.dropped).toBeGreaterThan(0);
    expect(load.totals.byStatus).toEqual({ 0: target.paths.length - 10, 200: 10 });
    expect(load.totals.failedByVersion).toEqual({ none: target.paths.length - 10 });
    expect(load.totals.errors).toEqual({ "request timeout": target.paths.length - 10 });
    expect(load.totals.requests + load.totals.dropped).toBeGreaterThanOrEqual(80);
    expect(load.thresholds).toContainEqual({ metric: "dropped_iterations", condition: "count<1", passed: false });
  });

  test("rises to five times its rate in a spike", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 200 }));
    const load = await runLoad({ scenario: "spike", baseUrl: target.baseUrl, rate: 10, duration: "10s", k6 }).result;
    const most = Math.max(...load.series.map(({ count }) => count));
    expect(most).toBeGreaterThan(30);
    expect(load.totals.dropped).toBe(0);
  });

  test("rises from a tenth of its rate to its rate in a ramp, over the new feature and the rest", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 200 }));
    const load = await runLoad({ scenario: "ramp", baseUrl: target.baseUrl, rate: 40, duration: "8s", k6 }).result;
    const counts = [...Map.groupBy(load.series, ({ t }) => t).values()].map((points) => points[0]!.count);
    // The first and the last second are not whole.
    expect(counts[1]).toBeLessThan(30);
    expect(Math.max(...counts)).toBeGreaterThan(30);
    // Half of the rate and its tenth on average for seven tenths of the time, and the rate for the rest.
    expect(load.totals.requests).toBeLessThan(40 * 8);
    expect(load.totals.dropped).toBe(0);
    expect(new Set(target.paths)).toEqual(new Set(["/version", "/feature/new"]));
  });

  test("goes through a router: to the host that it chooses by, counting what each version behind it answered", async () => {
    // A router that sends every fourth request to the canary, which fails every second one.
    let routed = 0;
    await using target = await startTarget((_, request) => {
      if (request.headers.host !== "myapp.example.com") return { version: "router", status: 404 };
      const n = routed++;
      return n % 4 === 3 ? { version: "canary", status: n % 8 === 7 ? 500 : 200 } : { version: "stable", status: 200 };
    });
    const load = await runLoad({
      scenario: "failure",
      baseUrl: target.baseUrl,
      rate: 40,
      duration: "3s",
      headers: { host: "myapp.example.com", "x-user": "7" },
      k6,
    }).result;
    expect(target.headers).toMatchObject({ host: "myapp.example.com", "x-user": "7" });
    expect(load.headers).toEqual({ host: "myapp.example.com", "x-user": "7" });
    const bad = target.answered.get("canary 500") ?? 0;
    expect(load.totals.failedByVersion).toEqual({ canary: bad });
    const answers = bad + (target.answered.get("canary 200") ?? 0);
    expect(countByVersion(load.series)["canary"]).toEqual({ requests: answers, failed: bad });
    const compared = compareWeight(load.series, { version: "canary", weight: 25 });
    expect(compared).toMatchObject({ answers: load.totals.requests, ofVersion: answers, agrees: true });
    expect(compareWeight(load.series, { version: "canary", weight: 75 }).agrees).toBe(false);
  });

  test("drives the new feature in the failure scenario", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 500 }));
    const load = await runLoad({ scenario: "failure", baseUrl: target.baseUrl, rate: 10, duration: "1s", k6 }).result;
    expect(new Set(target.paths)).toEqual(new Set(["/feature/new"]));
    expect(load.totals.failed).toBe(load.totals.requests);
  });

  test("counts answers without a version apart", async () => {
    await using target = await startTarget(() => ({ version: "", status: 200 }));
    const load = await runLoad({ scenario: "baseline", baseUrl: target.baseUrl, rate: 10, duration: "1s", k6 }).result;
    expect(load.totals.byVersion).toEqual({ unknown: load.totals.requests });
  });
});

describe("stop", () => {
  test("ends a long run with the result so far", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 200 }));
    const reached = Promise.withResolvers<void>();
    const load = runLoad({
      scenario: "soak",
      baseUrl: target.baseUrl,
      duration: "1h",
      k6,
      onProgress: () => reached.resolve(),
    });
    await reached.promise;
    const result = await load.stop();
    expect(result.stopped).toBe(true);
    expect(result.totals.requests).toBeGreaterThan(0);
    expect(target.paths.length - result.totals.requests).toBeLessThanOrEqual(1);
    expect(await load.stop()).toBe(result);
  });

  test("ends a run that goes through a wrapper command", async () => {
    await using target = await startTarget(() => ({ version: "1", status: 200 }));
    const reached = Promise.withResolvers<void>();
    const load = runLoad({
      scenario: "soak",
      baseUrl: target.baseUrl,
      duration: "1h",
      k6,
      wrapper: ["env", "--chdir=/"],
      onProgress: () => reached.resolve(),
    });
    await reached.promise;
    const { stopped, totals } = await load.stop();
    expect(stopped).toBe(true);
    expect(totals.requests).toBeGreaterThan(0);
  });
});

describe("a run that cannot be", () => {
  test("fails fast when nothing answers, and says where", async () => {
    const down = await startTarget(() => "stall");
    await down[Symbol.asyncDispose]();
    const { result } = runLoad({ scenario: "baseline", baseUrl: down.baseUrl, k6 });
    const error = await result.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(TargetDownError);
    expect((error as Error).message).toMatch(
      new RegExp(
        `^nothing answers at ${down.baseUrl}/version: .*connection refused; start the service or correct BASE_URL$`,
      ),
    );
  });

  test("lists everything wrong with its options before it starts anything", () => {
    const start = () =>
      runLoad({ scenario: "baseline", baseUrl: "myapp", rate: 0.5, duration: "soon", paths: ["x"], k6: "/nowhere" });
    expect(start).toThrow(LoadUsageError);
    expect(start).toThrow(/BASE_URL is "myapp".*\n.*RATE is "0.5".*\n.*DURATION is "soon".*\n.*PATHS holds "x"/);
  });

  test("says how to get k6 when there is none", async () => {
    const { result } = runLoad({ scenario: "baseline", baseUrl: "http://127.0.0.1:9", k6: "/nowhere/k6" });
    await expect(result).rejects.toThrow(/cannot start \/nowhere\/k6: .*install k6 1\.0 or later/);
  });
});
