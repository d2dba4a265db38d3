import { describe, expect, test } from "vitest";
import { type CheckReport, renderJson, renderJunit, renderText } from "../src/index.ts";

const report: CheckReport = {
  schemaVersion: 1,
  outcome: "failed",
  baseUrl: "http://myapp/",
  startedAt: "2026-01-02T03:04:05.678Z",
  durationMs: 1_234,
  deadlineMs: 60_000,
  counts: { total: 3, passed: 1, failed: 1, notRun: 1 },
  checks: [
    {
      name: "healthz",
      status: "passed",
      reason: "3 of 3 requests passed",
      requests: { passed: 3, finished: 3, times: 3, needed: 3 },
      attempts: 1,
      durationMs: 12,
      latencyMs: { median: 2.5, max: 3.1 },
    },
    {
      name: 'new <feature> & "more"',
      status: "failed",
      reason: "status is 500, not 2xx",
      requests: { passed: 0, finished: 1, times: 1, needed: 1 },
      attempts: 1,
      durationMs: 7,
      latencyMs: { median: 6, max: 6 },
      failure: {
        method: "GET",
        url: "http://myapp/feature/new",
        problems: ["status is 500, not 2xx"],
        response: {
          status: 500,
          headers: { "x-app-version": "7" },
          body: "a ]]> <b>\n\u001B[2Jsecond \uD800 line\u0000",
          bodyTruncated: false,
          latencyMs: 6,
        },
      },
    },
    {
      name: "after",
      status: "notRun",
      reason: "depends on new, which failed",
      requests: { passed: 0, finished: 0, times: 1, needed: 1 },
      attempts: 0,
      durationMs: 0,
    },
  ],
};

describe("the text report", () => {
  test("shows each check, the answer that failed, and the sum", () => {
    expect(renderText(report)).toBe(
      [
        "ok      healthz: 3 of 3 requests passed (12 ms)",
        'FAILED  new <feature> & "more": status is 500, not 2xx (7 ms)',
        "        GET http://myapp/feature/new: status 500 in 6 ms",
        "          x-app-version: 7",
        "          | a ]]> <b>",
        "          | \uFFFD[2Jsecond \uD800 line\uFFFD",
        "not run after: depends on new, which failed (0 ms)",
        "FAILED: 1 of 3 checks passed, 1 failed, 1 not run against http://myapp/ in 1.2 s",
        "",
      ].join("\n"),
    );
  });

  test("lets nothing that a server sent steer the terminal, with colours of its own when asked", () => {
    expect(renderText(report)).not.toContain("\u001B");
    expect(renderText(report, { colour: true })).toContain("\u001B[31mFAILED ");
  });
});

describe("the JSON report", () => {
  test("is one document that holds the report as it is", () => {
    expect(JSON.parse(renderJson(report))).toEqual(JSON.parse(JSON.stringify(report)));
  });
});

describe("the JUnit report", () => {
  test("counts a check that did not run as an error, and is valid XML whatever the server sent", () => {
    expect(renderJunit(report)).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="smoke" tests="3" failures="1" errors="1" skipped="0" time="1.234">
  <testsuite name="smoke" tests="3" failures="1" errors="1" skipped="0" time="1.234" timestamp="2026-01-02T03:04:05.678Z" hostname="myapp">
    <testcase name="healthz" classname="smoke" time="0.012"/>
    <testcase name="new &lt;feature&gt; &amp; &quot;more&quot;" classname="smoke" time="0.007">
      <failure message="status is 500, not 2xx" type="failed">GET http://myapp/feature/new
status is 500, not 2xx
status 500 in 6 ms
x-app-version: 7

a ]]&gt; &lt;b&gt;
\uFFFD[2Jsecond \uFFFD line\uFFFD</failure>
    </testcase>
    <testcase name="after" classname="smoke" time="0.000">
      <error message="not run: depends on new, which failed" type="notRun"></error>
    </testcase>
  </testsuite>
</testsuites>
`,
    );
  });
});
