import { expect, test } from "vitest";
import { readConfig } from "../src/cluster/config.ts";
import { bucketGrowth, percentile95Ms, readCounters, sumBuckets } from "../src/cluster/exposition.ts";

const { metrics: names } = readConfig({ ROLLOUT: "myapp" });

const text = `# HELP http_requests_total Requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",route="/version",status="200"} 90
http_requests_total{method="GET",route="/say \\"status=\\\\\\"",status="503"} 7
http_requests_total{method="GET",route="/x",status="404"} 3
http_request_duration_seconds_bucket{le="0.1",status="200"} 80
http_request_duration_seconds_bucket{le="+Inf",status="200"} 90
http_request_duration_seconds_bucket{le="0.1",status="503"} 7
http_request_duration_seconds_bucket{le="+Inf",status="503"} 10
http_request_duration_seconds_sum{status="200"} 9
process_cpu_seconds_total 12.5
process_resident_memory_bytes 5.24288e+07
process_start_time_seconds 1700000000
other_total 5 1700000000000
`;

test("requests, errors, buckets and resources are read out of what a pod tells", () => {
  expect(readCounters(text, names)).toEqual({
    requests: 100,
    bad: 7,
    buckets: [
      { le: 0.1, count: 87 },
      { le: Infinity, count: 100 },
    ],
    cpuSeconds: 12.5,
    memoryBytes: 52_428_800,
    startedAt: 1_700_000_000_000,
  });
});

test("a pod that had no request yet has none, and no histogram", () => {
  const reading = readCounters("# TYPE http_requests_total counter\n", names);
  expect(reading).toMatchObject({ requests: 0, bad: 0, buckets: [], cpuSeconds: undefined });
  expect(percentile95Ms(reading.buckets)).toBeUndefined();
});

test.each([
  ["up 1\n", "it does not export http_requests_total"],
  ['http_requests_total{code="500"} 5\n', "it does not export http_requests_total with a label status"],
])("%j tells nothing to judge by", (own, words) => {
  expect(() => readCounters(own, names)).toThrow(words);
});

test("other names of a service are followed", () => {
  const { metrics } = readConfig({
    ROLLOUT: "shop",
    REQUESTS_METRIC: "http_server_requests_seconds_count",
    STATUS_LABEL: "outcome",
    ERROR_STATUS: "SERVER_ERROR",
  });
  const spring = `http_server_requests_seconds_count{outcome="SUCCESS"} 5\nhttp_server_requests_seconds_count{outcome="SERVER_ERROR"} 2\n`;
  expect(readCounters(spring, metrics)).toMatchObject({ requests: 7, bad: 2 });
});

test("the 95th percentile is read off straight within its bucket, and never beyond the last finite bound", () => {
  const of = (...counts: [number, number][]) => percentile95Ms(counts.map(([le, count]) => ({ le, count })));
  expect(of([0.1, 90], [0.2, 100], [Infinity, 100])).toBeCloseTo(150, 6);
  expect(of([0.1, 100], [Infinity, 100])).toBeCloseTo(95, 6);
  expect(of([0.1, 50], [0.2, 50], [Infinity, 100])).toBe(200);
  expect(of([0.1, 0], [Infinity, 0])).toBeUndefined();
});

test("what grew between two readings counts, all of it after a reset, nothing of a pod just met", () => {
  const reading = (...counts: number[]) => ({
    ...readCounters(text, names),
    buckets: counts.map((count, i) => ({ le: i === counts.length - 1 ? Infinity : i + 1, count })),
  });
  const counts = (buckets: { count: number }[]) => buckets.map(({ count }) => count);
  expect(counts(bucketGrowth(reading(5, 10), reading(8, 20)))).toEqual([3, 10]);
  expect(counts(bucketGrowth(reading(5, 10), reading(1, 2)))).toEqual([1, 2]);
  expect(bucketGrowth(undefined, reading(1, 2))).toEqual([]);
  expect(counts(sumBuckets([reading(1, 2).buckets, [], reading(3, 4).buckets]))).toEqual([4, 6]);
});

test("the environment is read with its defaults", () => {
  expect(readConfig({ ROLLOUT: "myapp" })).toMatchObject({
    mode: "advise",
    ownAbort: "advises",
    stepSeconds: 10,
    maxSteps: 100,
    sloLatencyMs: 200,
  });
  expect(
    readConfig({ ROLLOUT: "a", STEP_INTERVAL: "5", MAX_STEPS: "20", SLO_LATENCY: "80.5", MODE: "steer" }),
  ).toMatchObject({
    stepSeconds: 5,
    maxSteps: 20,
    sloLatencyMs: 80.5,
    mode: "steer",
  });
});

test("every variable that cannot be read is named at once", () => {
  expect(() =>
    readConfig({
      STEP_INTERVAL: "soon",
      MAX_STEPS: "",
      SLO_LATENCY: "-1",
      MODE: "drive",
      ERROR_STATUS: "(",
      METRICS_PORT: "0",
    }),
  ).toThrow(
    /ROLLOUT is not set[\s\S]*MODE is drive; want advise or steer[\s\S]*STEP_INTERVAL is soon[\s\S]*MAX_STEPS is ; want[\s\S]*SLO_LATENCY is -1[\s\S]*METRICS_PORT is 0[\s\S]*ERROR_STATUS: /,
  );
});
