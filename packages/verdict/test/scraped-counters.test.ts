import { expect, test } from "vitest";
import type { Metric } from "../src/simulator/rollout-plan.ts";
import { ScrapedCounters } from "../src/simulator/scraped-counters.ts";
import { metric } from "./argo-metric.ts";

/** Scrapes 5 s apart, of counters that grow by so many in each interval. */
function scraped(samples: [canary: number, canaryBad: number, stable: number, stableBad: number][]) {
  const counters = new ScrapedCounters(5);
  const sum = { canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } };
  for (const [index, [canary, canaryBad, stable, stableBad]] of samples.entries()) {
    sum.canary.requests += canary;
    sum.canary.bad += canaryBad;
    sum.stable.requests += stable;
    sum.stable.bad += stableBad;
    counters.scrape(5 * index, structuredClone(sum));
  }
  return counters;
}

const repeat = (count: number, sample: [number, number, number, number]) => Array.from({ length: count }, () => sample);
const growth: Metric = { ...metric, of: "canary", read: "growth", windowSeconds: 20 };

test("a rate over a covered window is the share of it", () => {
  const counters = scraped(repeat(20, [10, 1, 90, 0]));
  expect(counters.ask(metric, 95)).toBeCloseTo(0.01, 9);
  expect(counters.ask({ ...metric, of: "canary" }, 95)).toBeCloseTo(0.1, 9);
  expect(counters.ask({ ...metric, value: "successRatio" }, 95)).toBeCloseTo(0.99, 9);
});

test("a rate does not see what a series is born with; growth does", () => {
  const counters = scraped([...repeat(10, [0, 0, 100, 0]), [50, 50, 100, 0], [0, 0, 100, 0]]);
  expect(counters.ask(metric, 55)).toBe(0);
  expect(counters.ask(growth, 55)).toBe(1);
});

test("growth within a window is the difference of two samples", () => {
  const counters = scraped([...repeat(10, [10, 10, 0, 0]), ...repeat(4, [10, 1, 0, 0])]);
  expect(counters.ask(growth, 65)).toBeCloseTo(0.1, 9);
  expect(counters.ask({ ...growth, forgive: 3, failsOnly: true }, 65)).toBeCloseTo(1 / 40, 9);
});

test("no series, no bad request without a zero, and too few requests are no answer", () => {
  const none = scraped(repeat(5, [0, 0, 0, 0]));
  expect(none.ask(metric, 20)).toBe("empty");
  const good = scraped(repeat(5, [1, 0, 9, 0]));
  expect(good.ask(metric, 20)).toBe(0);
  expect(good.ask({ ...metric, orZero: false }, 20)).toBe("empty");
  expect(good.ask({ ...growth, minRequests: 6 }, 20)).toBe("empty");
  expect(new ScrapedCounters(5).ask(metric, 0)).toBe("empty");
});

test("too few requests answer when enough of them are bad and some were forgiven", () => {
  const counters = scraped(repeat(3, [2, 2, 9, 0]));
  const failing = { ...growth, minRequests: 50, failure: { operator: ">=", limit: 0.05 } } as const;
  expect(counters.ask({ ...failing, forgive: 4 }, 10)).toBeCloseTo(2 / 6, 9);
  expect(counters.ask(failing, 10)).toBe("empty");
});

test("a count of errors is their growth, once there are enough requests", () => {
  const counters = scraped(repeat(6, [10, 2, 90, 0]));
  const count = { ...growth, value: "errorCount" } as const;
  expect(counters.ask({ ...count, minRequests: 40 }, 25)).toBe(8);
  expect(counters.ask({ ...count, minRequests: 41 }, 25)).toBe("empty");
  expect(scraped(repeat(6, [10, 0, 90, 0])).ask(count, 25)).toBe(0);
});

test("between its two bounds a ratio is NaN: bad ones are forgiven before it fails, and added before it passes", () => {
  const bounds = {
    ...growth,
    windowSeconds: 100,
    minRequests: 50,
    forgive: 4,
    doubt: 2,
    success: { operator: "<", limit: 0.025 },
    failure: { operator: ">=", limit: 0.025 },
  } as const;
  const answer = (requests: number, bad: number, changes = {}) =>
    scraped([[requests, bad, 0, 0]]).ask({ ...bounds, ...changes }, 5);
  // Fails with more than 4 + 0.025 n bad ones, passes with fewer than 0.025 n - 2.
  expect(answer(300, 12)).toBeCloseTo(8 / 300, 9);
  expect(answer(300, 11)).toBeNaN();
  expect(answer(300, 5)).toBeCloseTo(7 / 300, 9);
  expect(answer(81, 0)).toBeCloseTo(2 / 81, 9);
  expect(answer(80, 0)).toBeNaN();
  expect(answer(49, 0)).toBe("empty");
  expect(answer(5, 5)).toBeCloseTo(1 / 5, 9);
  // In the background it only fails: what is not bad is no reason to wait.
  expect(answer(49, 0, { failsOnly: true, success: undefined })).toBe(0);
  expect(answer(300, 11, { failsOnly: true, success: undefined })).toBeCloseTo(7 / 300, 9);
});

test("a sample older than five minutes is no answer", () => {
  const counters = scraped(repeat(3, [10, 0, 90, 0]));
  expect(counters.ask(growth, 310)).not.toBe("empty");
  expect(counters.ask(growth, 311)).toBe("empty");
});
