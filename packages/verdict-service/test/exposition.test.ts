import { defaultPolicy } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { CounterReader } from "../src/exposition.ts";
import type { EventMatch, MetricNames } from "../src/release-settings.ts";

const names: MetricNames = {
  requests: "http_requests_total",
  statusLabel: "status",
  errorStatus: "5..",
  routeLabel: "route",
  durationBucket: "http_request_duration_seconds_bucket",
};

const slower = { ...defaultPolicy.rules[0]!, name: "slow", bad: { kind: "slower", than: 0.5 } as const };

function reader(events: Record<string, EventMatch> = {}, own: Partial<MetricNames> = {}): CounterReader {
  return new CounterReader({ names: { ...names, ...own }, events, policy: { ...defaultPolicy, rules: [slower] } });
}

const text = `# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1700000000.25
# HELP http_requests_total Requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",route="/a",status="200"} 90
http_requests_total{method="GET",route="/a",status="500"} 7
http_requests_total{method="GET",route="/b",status="503"} 2 1395066363000
http_requests_total{method="GET",route="/b",status="404"} 1
http_requests_total_of_others{status="500"} 1000
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.5",route="/a"} 80
http_request_duration_seconds_bucket{le="+Inf",route="/a"} 97
http_request_duration_seconds_bucket{le="0.5",route="/b"} 3
http_request_duration_seconds_bucket{le="+Inf",route="/b"} 3
http_request_duration_seconds_sum{route="/a"} 12
`;

test("requests, errors, buckets and the start are added up over all series of the process", () => {
  expect(reader().readText(text)).toEqual({
    requests: 100,
    errors: 9,
    buckets: [
      { le: 0.5, count: 83 },
      { le: Infinity, count: 100 },
    ],
    startedAt: 1_700_000_000_250,
  });
});

test("events count the requests whose status and route match as a whole", () => {
  const events = {
    clientErrors: { status: "4.." },
    ofB: { route: "/b" },
    serverErrorsOfB: { status: "5..", route: "/b" },
    none: { route: "/" },
  };
  expect(reader(events).readText(text).events).toEqual({ clientErrors: 1, ofB: 3, serverErrorsOfB: 2, none: 0 });
});

test("other names, as of another framework", () => {
  const spring = reader(
    {},
    { requests: "http_server_requests_seconds_count", statusLabel: "outcome", errorStatus: "SERVER_ERROR" },
  );
  const readout = spring.readText(
    'http_server_requests_seconds_count{outcome="SUCCESS"} 4.0\nhttp_server_requests_seconds_count{outcome="SERVER_ERROR"} 1.0\n',
  );
  expect(readout).toEqual({ requests: 5, errors: 1 });
});

test.each([
  ["# TYPE http_requests_total counter\n", undefined],
  ["# TYPE http_requests counter\n", undefined],
  ["# TYPE requests_total counter\nrequests_total 5\n", "http_requests_total"],
  ["process_start_time_seconds 5\n", "http_requests_total"],
  ["", "http_requests_total"],
])("%j: no request yet, and whether the counter is exported at all", (exported, missing) => {
  const readout = reader().readText(exported);
  expect(readout).toMatchObject({ requests: 0, errors: 0 });
  expect(readout.missing).toBe(missing);
});

test("a counter that tells no status is missed by whoever counts statuses, as nothing would ever be bad", () => {
  const exported = 'http_requests_total{code="500"} 5\n';
  const errors = new CounterReader({ names, events: {}, policy: defaultPolicy });
  expect(errors.readText(exported).missing).toBe("http_requests_total with a label status");
  expect(reader({ clientErrors: { status: "4.." } }).readText(exported).missing).toBe(
    "http_requests_total with a label status",
  );
  expect(reader({ ofB: { route: "/b" } }).readText(exported).missing).toBeUndefined();
});

test("a label may hold what ends it", () => {
  const odd = String.raw`http_requests_total{route="/a\"}\\ 9",status="500"} 3` + "\n";
  expect(reader().readText(odd)).toMatchObject({ requests: 3, errors: 3 });
});

test("a value that is no number is handed on, for the judgement to refuse", () => {
  expect(reader().readText('http_requests_total{status="200"} NaN\n').requests).toBeNaN();
});
