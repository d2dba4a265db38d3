import { styleText } from "node:util";
import { formatDuration } from "./duration.ts";
import type { CheckProgress, CheckReport, CheckResult, FailedRequest } from "./report.ts";

const MARKS = { passed: "ok", failed: "FAILED", notRun: "not run" } as const;
const COLOURS = { passed: "green", failed: "red", notRun: "yellow" } as const;

export interface TextOptions {
  /** Default: no colour. */
  colour?: boolean;
}

/** The report for people. */
export function renderText(report: CheckReport, options: TextOptions = {}): string {
  const lines = report.checks.flatMap((result) => [checkLine(result, options), ...failureLines(result.failure)]);
  return `${[...lines, summaryLine(report)].join("\n")}\n`;
}

/** One line about something that happened while the checks run. */
export function renderProgress(event: CheckProgress, options: TextOptions = {}): string {
  if (event.type === "checkFinished") return checkLine(event.result, options);
  const { check, attempt, attempts, reason, retryInMs } = event;
  return printable(`${check}: attempt ${attempt} of ${attempts}: ${reason}; again in ${formatDuration(retryInMs)}`);
}

function checkLine({ name, status, reason, durationMs }: CheckResult, { colour = false }: TextOptions): string {
  const mark = MARKS[status].padEnd(7);
  const shown = colour ? styleText(COLOURS[status], mark, { validateStream: false }) : mark;
  return `${shown} ${printable(`${name}: ${reason}`)} (${formatDuration(durationMs)})`;
}

function failureLines(failure: FailedRequest | undefined): string[] {
  if (failure === undefined) return [];
  const { method, url, response } = failure;
  const request = `${method} ${url}`;
  if (response === undefined) return [`        ${printable(request)}: no answer`];
  const headers = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`);
  const body = response.body.split("\n");
  return [
    `${request}: status ${response.status} in ${formatDuration(response.latencyMs)}`,
    ...headers.map((line) => `  ${line}`),
    ...(response.body === "" ? ["  (empty body)"] : body.map((line) => `  | ${line}`)),
    ...(response.bodyTruncated ? ["  (the body goes on)"] : []),
  ].map((line) => `        ${printable(line)}`);
}

function summaryLine({ outcome, counts, durationMs, deadlineMs, baseUrl }: CheckReport): string {
  const outcomes = {
    passed: "passed",
    failed: "FAILED",
    deadline: `FAILED: the deadline of ${formatDuration(deadlineMs)} passed`,
    interrupted: "interrupted",
  };
  const numbers = [`${counts.passed} of ${counts.total} checks passed`];
  if (counts.failed > 0) numbers.push(`${counts.failed} failed`);
  if (counts.notRun > 0) numbers.push(`${counts.notRun} not run`);
  return `${outcomes[outcome]}: ${numbers.join(", ")} against ${baseUrl} in ${formatDuration(durationMs)}`;
}

/** What a server sent must not steer the terminal: control characters other than tab become a visible sign. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, (character) => (character === "\t" ? character : "�"));
}
