import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, formatLimit, formatOffset, formatTime, formatValue } from "../src/format.ts";
import type { Report, Traffic } from "../src/index.ts";
import { plotsOf } from "../src/plots.ts";
import { weightAt } from "../src/weight.ts";
import { abortedCanary, plainDeploy } from "./fixtures/reports.ts";
import { seed } from "./seed.ts";

function withTraffic(traffic: Traffic): Report {
  return { ...abortedCanary(), traffic };
}

describe("plots", () => {
  test("are of request rate, error ratio and latency, the stable version first", () => {
    const plots = plotsOf(abortedCanary());
    expect(plots.map(({ id, views }) => [id, views.map(({ name }) => name)])).toEqual([
      ["requests", [""]],
      ["errors", [""]],
      ["latency", ["p95", "p99", "p50"]],
    ]);
    expect(plots[0]?.views[0]?.lines.map(({ label }) => label)).toEqual(["stable 20251028.1", "canary 20251028.2"]);
    expect(plots[1]?.views[0]?.limits).toEqual([{ value: 0.05, side: "max", label: "at most 5 %" }]);
  });

  test("carry the weights and what is marked in the timeline", () => {
    const [plot] = plotsOf(abortedCanary());
    expect(plot?.weights.map(([, weight]) => weight)).toEqual([0, 10, 0]);
    expect(plot?.marks.map(({ text, bad }) => [text, bad])).toEqual([
      ["aborted", true],
      ["verified", false],
    ]);
  });

  test("are none without traffic, and none of a metric without a series", () => {
    expect(plotsOf(plainDeploy())).toEqual([]);
    expect(plotsOf(withTraffic({ source: "Prometheus", times: [], series: [] }))).toEqual([]);
    const series: Traffic["series"] = [{ version: "1", role: "new", metric: "latencyP50", values: [0.1] }];
    const plots = plotsOf(withTraffic({ source: "Prometheus", times: [1], series }));
    expect(plots.map(({ id, views }) => [id, views.map(({ name }) => name)])).toEqual([["latency", ["p50"]]]);
  });

  test("show the percentile that has a limit first", () => {
    const { traffic } = abortedCanary();
    if (traffic === undefined) throw new Error("the fixture has traffic");
    const plots = plotsOf(withTraffic({ ...traffic, thresholds: [{ metric: "latencyP50", max: 0.1 }] }));
    expect(plots.at(-1)?.views.map(({ name }) => name)).toEqual(["p50", "p95", "p99"]);
  });

  test("keep no data apart from zero: null stays null, and what is missing at the end is null", () => {
    const value = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.nat(5), (values, missing) => {
        const times = Array.from({ length: values.length + missing }, (_, index) => index);
        const [plot] = plotsOf(
          withTraffic({
            source: "Prometheus",
            times,
            series: [{ version: "1", role: "new", metric: "requestRate", values }],
          }),
        );
        const line = plot?.views[0]?.lines[0];
        expect(line?.values).toEqual([...values, ...Array.from({ length: missing }, () => null)]);
        expect(line?.summary === "no data").toBe(values.every((one) => one === null));
      }),
      { seed },
    );
  });

  test("say in words when a line first went over its limit", () => {
    const [, errors] = plotsOf(abortedCanary());
    expect(errors?.views[0]?.lines.map(({ summary }) => summary)).toEqual([
      expect.not.stringContaining("limit"),
      expect.stringMatching(/^median 2\d(\.\d)? %, highest .* at 07:1.*; first over the limit at 07:12:44$/),
    ]);
  });
});

test("the weight is what the last change before the moment made it", () => {
  const weights: [number, number][] = [
    [10, 0],
    [20, 50],
  ];
  expect([9, 10, 19.9, 20, 99].map((at) => weightAt(weights, at))).toEqual([undefined, 0, 0, 50, 50]);
});

describe("numbers", () => {
  test.each([
    [0.2041, "ratio", "20.4 %"],
    [0.0021, "ratio", "0.21 %"],
    [0.00004, "ratio", "0.004 %"],
    [1, "ratio", "100 %"],
    [0, "ratio", "0 %"],
    [null, "ratio", "no data"],
    [0.0841, "seconds", "84.1 ms"],
    [2.5, "seconds", "2.5 s"],
    [9.887, "perSecond", "9.89/s"],
    [12_345.6, "count", "12,346"],
    [0, "count", "0"],
    [134_217_728, "bytes", "128 MiB"],
    [Number.NaN, "count", "NaN"],
  ] as const)("%s as %s is %s", (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });

  test.each([
    [0.04, "0 s"],
    [8.44, "8.4 s"],
    [59.96, "60 s"],
    [108, "1 min 48 s"],
    [3_600, "1 h"],
    [3_780, "1 h 3 min"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test("a limit names both its sides", () => {
    expect(formatLimit({ min: 0.95, max: 1 }, "ratio")).toBe("at least 95 %, at most 100 %");
  });

  test("times are in UTC, and what is no time stays as it is", () => {
    expect(formatTime("2025-10-28T07:12:04.900Z")).toBe("07:12:04");
    expect(formatTime(1_761_635_524)).toBe("07:12:04");
    expect(formatTime("soon")).toBe("soon");
    expect(formatOffset("2025-10-28T09:12:04Z", "2025-10-28T07:11:00Z")).toBe("+2:01:04");
    expect(formatOffset("2025-10-28T07:10:58Z", "2025-10-28T07:11:00Z")).toBe("−0:02");
  });
});
