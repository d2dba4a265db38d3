import type { CheckReport, CheckResult, FailedRequest } from "./report.ts";

/**
 * The report as JUnit XML.
 * A check that did not run is an error there and not "skipped", which most readers count as fine.
 */
export function renderJunit(report: CheckReport): string {
  const { counts, durationMs, startedAt, baseUrl, checks } = report;
  const totals = attributes({
    tests: counts.total,
    failures: counts.failed,
    errors: counts.notRun,
    skipped: 0,
    time: seconds(durationMs),
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="smoke" ${totals}>`,
    `  <testsuite name="smoke" ${totals} ${attributes({ timestamp: startedAt, hostname: new URL(baseUrl).hostname })}>`,
    ...checks.flatMap(testCase),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase({ name, status, reason, durationMs, failure }: CheckResult): string[] {
  const open = `    <testcase ${attributes({ name, classname: "smoke", time: seconds(durationMs) })}`;
  if (status === "passed") return [`${open}/>`];
  const element = status === "failed" ? "failure" : "error";
  const message = status === "failed" ? reason : `not run: ${reason}`;
  return [
    `${open}>`,
    `      <${element} ${attributes({ message, type: status })}>${escape(describe(failure))}</${element}>`,
    "    </testcase>",
  ];
}

function describe(failure: FailedRequest | undefined): string {
  if (failure === undefined) return "";
  const { method, url, problems, response } = failure;
  const lines = [`${method} ${url}`, ...problems];
  if (response !== undefined) {
    const headers = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`);
    lines.push(`status ${response.status} in ${response.latencyMs} ms`, ...headers, "", response.body);
  }
  return lines.join("\n");
}

function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${escape(String(value)).replaceAll("\n", "&#10;")}"`)
    .join(" ");
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

/** XML 1.0 has no way to write most control characters and half surrogates, not even escaped; they become U+FFFD. */
function escape(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "�")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
