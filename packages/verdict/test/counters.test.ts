import * as fc from "fast-check";
import { expect, test } from "vitest";
import { count, type Counters, type CountOptions } from "../src/counters.ts";
import type { Sample } from "../src/observation.ts";
import type { Rule } from "../src/policy.ts";
import { seed } from "./seed.ts";

const errors: Rule = { name: "errors", bad: { kind: "errors" }, source: "app", absolute: { p0: 0.01, p1: 0.05 } };
const since = 1_000_000;

function options(changes: Partial<CountOptions> = {}): CountOptions {
  return { rules: [errors], since, now: since + 60_000, warmUpMs: 0, staleMs: 30_000, align: false, ...changes };
}

/** @param at seconds since the attempt began. */
function sample(series: string, at: number, requests: number, bad: number, changes: Partial<Sample> = {}): Sample {
  const version = series.startsWith("s") ? "stable" : "canary";
  return {
    series,
    version,
    source: "app",
    at: since + at * 1000,
    startedAt: version === "canary" ? since : since - 1,
    requests,
    errors: bad,
    ...changes,
  };
}

const empty = (): Counters => ({ series: {} });
const canaryOf = (counters: Counters, samples: Sample[], changes?: Partial<CountOptions>, gone: string[] = []) =>
  count(counters, samples, gone, options(changes)).increments[0]!.canary;
const stableOf = (counters: Counters, samples: Sample[]) =>
  count(counters, samples, [], options()).increments[0]!.stable;

test("a series that is born at 15 counts 15", () => {
  expect(canaryOf(empty(), [sample("c1", 5, 15, 3)])).toMatchObject({ requests: 15, bad: 3 });
});

test("a series that is older than the attempt counts from its first sample", () => {
  const counters = empty();
  expect(stableOf(counters, [sample("s1", 5, 1000, 40)])).toMatchObject({ requests: 0, bad: 0 });
  expect(stableOf(counters, [sample("s1", 10, 1100, 41)])).toMatchObject({ requests: 100, bad: 1 });
  expect(stableOf(empty(), [sample("s2", 5, 70, 7, { startedAt: undefined! })])).toMatchObject({ requests: 0 });
});

test("a counter that falls was reset: what it shows now is new", () => {
  const counters = empty();
  canaryOf(counters, [sample("c1", 5, 100, 10)]);
  expect(canaryOf(counters, [sample("c1", 10, 30, 2)])).toMatchObject({ requests: 30, bad: 2 });
  expect(canaryOf(counters, [sample("c1", 15, 40, 2)])).toMatchObject({ requests: 10, bad: 0 });
});

test("the same sample served again says nothing new, nor does an older one", () => {
  const counters = empty();
  canaryOf(counters, [sample("c1", 5, 100, 10)]);
  expect(canaryOf(counters, [sample("c1", 5, 100, 10), sample("c1", 4, 90, 10)])).toMatchObject({
    requests: 0,
    bad: 0,
  });
});

test("samples that come late and out of order within one look are put in order", () => {
  const both = [sample("c1", 10, 30, 2), sample("c1", 5, 20, 1)];
  expect(canaryOf(empty(), both)).toMatchObject({ requests: 30, bad: 2 });
});

test("the canary counts only up to the oldest last sample of stable", () => {
  const counters = empty();
  const changes = { align: true };
  expect(canaryOf(counters, [sample("c1", 4, 40, 4)], changes)).toMatchObject({ requests: 0 });
  const later = [sample("s1", 5, 10, 0), sample("s2", 3, 10, 0), sample("c1", 9, 90, 9)];
  expect(canaryOf(counters, later, changes)).toMatchObject({ requests: 0 });
  expect(canaryOf(counters, [sample("s2", 8, 20, 0)], changes)).toMatchObject({ requests: 40, bad: 4 });
  expect(canaryOf(counters, [sample("s1", 10, 30, 0), sample("s2", 13, 30, 0)], changes)).toMatchObject({
    requests: 50,
    bad: 5,
  });
});

test("a stable pod that is gone, or silent for too long, holds nobody up", () => {
  const changes = { align: true, staleMs: 10_000 };
  const first = [sample("s1", 5, 10, 0), sample("s2", 5, 10, 0)];
  const second = [sample("s1", 14, 20, 0), sample("c1", 14, 50, 5)];
  for (const gone of [["s2"], []]) {
    const counters = empty();
    canaryOf(counters, first, changes);
    const early = canaryOf(counters, second, changes, gone);
    expect(early.requests).toBe(gone.length === 0 ? 0 : 50);
    const late = canaryOf(counters, [sample("s1", 16, 30, 0)], changes);
    expect(early.requests + late.requests).toBe(50);
  }
});

test("of a canary's pod that is gone, what was scraped still counts", () => {
  const counters = empty();
  const changes = { align: true };
  canaryOf(counters, [sample("s1", 1, 10, 0), sample("c1", 5, 50, 5)], changes);
  expect(canaryOf(counters, [sample("s1", 2, 10, 0)], changes, ["c1"])).toMatchObject({ requests: 50, bad: 5 });
});

test("a pod that warms up is counted, and marked", () => {
  const counters = empty();
  const changes = { warmUpMs: 10_000 };
  expect(canaryOf(counters, [sample("c1", 10, 50, 5)], changes)).toEqual({
    requests: 50,
    bad: 5,
    warmRequests: 50,
    warmBad: 5,
    samples: 1,
  });
  expect(canaryOf(counters, [sample("c1", 15, 90, 6)], changes)).toMatchObject({ requests: 40, warmRequests: 0 });
});

test("a pod that becomes the other version counts from then on", () => {
  const counters = empty();
  canaryOf(counters, [sample("c1", 5, 100, 10)]);
  expect(stableOf(counters, [sample("c1", 10, 200, 20, { version: "stable" })])).toMatchObject({ requests: 0 });
});

test("a scrape between a bad request's two counters never makes more bad ones than requests, and loses none", () => {
  const counters = empty();
  expect(canaryOf(counters, [sample("c1", 5, 10, 11)])).toMatchObject({ requests: 10, bad: 10 });
  expect(canaryOf(counters, [sample("c1", 10, 20, 11)])).toMatchObject({ requests: 10, bad: 1 });
});

test.each([
  ["not a number", sample("c1", 5, Number.NaN, 0), "rule errors cannot count NaN requests"],
  ["negative", sample("c1", 5, 10, -1), "rule errors cannot count -1 requests"],
  ["from the future", sample("c1", 500, 10, 1), "c1's sample is 440 s in the future"],
])("a sample that is %s is a problem and counts nothing", (_, bad, problem) => {
  const counted = count(empty(), [bad], [], options());
  expect(counted.problems).toHaveLength(1);
  expect(counted.problems[0]).toContain(problem);
  expect(counted.increments[0]!.canary.requests).toBe(0);
  expect(counted.seen.canary).toBeUndefined();
});

test("each rule counts its own: slow requests by the histogram, events by name, the router's by the router", () => {
  const rules: Rule[] = [
    errors,
    { ...errors, name: "slow", bad: { kind: "slower", than: 0.5 } },
    { ...errors, name: "4xx", bad: { kind: "event", name: "clientErrors" } },
    { ...errors, name: "router", source: "router" },
  ];
  const buckets = [
    { le: 0.5, count: 90 },
    { le: Infinity, count: 99 },
  ];
  const samples = [
    sample("c1", 5, 100, 3, { buckets, events: { clientErrors: 7 } }),
    sample("c", 5, 120, 12, { source: "router" }),
  ];
  const { increments } = count(empty(), samples, [], options({ rules }));
  expect(increments.map(({ canary }) => [canary.requests, canary.bad])).toEqual([
    [100, 3],
    [99, 9],
    [100, 7],
    [120, 12],
  ]);
});

test("a rule for latency without a histogram, or with another one, is a problem", () => {
  const rules: Rule[] = [{ ...errors, bad: { kind: "slower", than: 0.5 } }];
  const buckets = [{ le: Infinity, count: 10 }];
  const problems = (s: Sample) => count(empty(), [s], [], options({ rules })).problems;
  expect(problems(sample("c1", 5, 10, 0))[0]).toContain("needs a histogram");
  // One with labels appears with its first request.
  expect(problems(sample("c1", 5, 0, 0))).toEqual([]);
  expect(problems(sample("c1", 5, 10, 0, { buckets }))[0]).toContain("has no buckets");
});

test("however samples are spread over looks, scrapes, resets and restarts of the judge, each counted request is counted once", () => {
  const event = fc.record({
    pod: fc.constantFrom("c1", "c2", "s1", "s2"),
    requests: fc.integer({ min: 0, max: 50 }),
    bad: fc.integer({ min: 0, max: 50 }),
    reset: fc.boolean(),
    look: fc.boolean(),
    reload: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), fc.boolean(), (events, align) => {
      let counters = empty();
      const now: Record<string, [number, number]> = {};
      const truth = { canary: [0, 0], stable: [0, 0] };
      const got = { canary: [0, 0], stable: [0, 0] };
      let waiting: Sample[] = [];
      const look = () => {
        const { increments } = count(counters, waiting, [], options({ align, now: since + 1e9, staleMs: 1e9 }));
        for (const version of ["canary", "stable"] as const) {
          got[version][0]! += increments[0]![version].requests;
          got[version][1]! += increments[0]![version].bad;
        }
        waiting = [];
      };
      for (const pod of ["s1", "s2"]) waiting.push(sample(pod, 0, 0, 0));
      for (const [index, { pod, requests, bad, reset, look: looks, reload }] of events.entries()) {
        const before = now[pod] ?? [0, 0];
        const added: [number, number] = [requests + 1, Math.min(bad, requests)];
        // A process that begins anew and reaches as far as before looks as if it had gone on.
        const restarted = reset && added[0] < before[0];
        now[pod] = restarted ? added : [before[0] + added[0], before[1] + added[1]];
        const version = pod.startsWith("s") ? "stable" : "canary";
        truth[version][0]! += added[0];
        truth[version][1]! += added[1];
        waiting.push(sample(pod, index + 1, ...now[pod]));
        if (looks) look();
        if (reload) counters = JSON.parse(JSON.stringify(counters)) as Counters;
      }
      look();
      // Whatever stable's last samples left waiting is counted once they come.
      for (const pod of ["s1", "s2"]) waiting.push(sample(pod, 1000, ...(now[pod] ?? [0, 0])));
      look();
      expect(got).toEqual(truth);
    }),
    { seed },
  );
});
