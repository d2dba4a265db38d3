import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration } from "./duration.ts";
import { type Answer, NoAnswerError, send, targetUrl, withoutCredentials } from "./http.ts";
import { judge } from "./judge.ts";
import type { CheckProgress, CheckReport, CheckResult, FailedRequest, Outcome } from "./report.ts";
import type { Check, CheckSpec } from "./spec.ts";

const BODY_EXCERPT_CHARACTERS = 500;
const TELLING_HEADERS = ["content-type", "location", "retry-after", "server", "via", "x-app-version", "x-request-id"];

export interface RunOptions {
  /** http or https; its path is put before the path of every check. */
  baseUrl: string;
  /** Ends the run; what has not finished is reported as not run. */
  signal?: AbortSignal;
  onProgress?: (event: CheckProgress) => void;
}

/** The base URL cannot be used. */
export class BaseUrlError extends Error {
  override readonly name = "BaseUrlError";
}

/**
 * Runs the checks one after the other, each after those it depends on, and reports on every one of them.
 * A failing check is a result and no exception.
 * @throws {BaseUrlError} before anything is sent.
 */
export async function runChecks(spec: CheckSpec, options: RunOptions): Promise<CheckReport> {
  const baseUrl = parseBaseUrl(options.baseUrl);
  const startedAt = new Date();
  const started = performance.now();
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), spec.deadlineMs);
  const run: Run = {
    baseUrl,
    deadlineAt: started + spec.deadlineMs,
    deadlineMs: spec.deadlineMs,
    deadline: deadline.signal,
    interrupt: options.signal ?? new AbortController().signal,
    report: options.onProgress ?? (() => {}),
  };
  const results: Ended[] = [];
  try {
    for (const check of spec.checks) {
      const ended = notRun(check, results, run) ?? (await runCheck(check, run));
      results.push(ended);
      run.report({ type: "checkFinished", result: ended.result });
    }
  } finally {
    clearTimeout(timer);
  }
  const checks = results.map(({ result }) => result);
  return {
    schemaVersion: 1,
    outcome: outcomeOf(results),
    baseUrl: withoutCredentials(baseUrl),
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - started),
    deadlineMs: spec.deadlineMs,
    counts: {
      total: checks.length,
      passed: checks.filter(({ status }) => status === "passed").length,
      failed: checks.filter(({ status }) => status === "failed").length,
      notRun: checks.filter(({ status }) => status === "notRun").length,
    },
    checks,
  };
}

interface Run {
  baseUrl: URL;
  deadlineAt: number;
  deadlineMs: number;
  deadline: AbortSignal;
  interrupt: AbortSignal;
  report: (event: CheckProgress) => void;
}

/** A check's result with what ended it: its own requests, the deadline, the caller, or a failed dependency. */
interface Ended {
  result: CheckResult;
  by: "itself" | "deadline" | "interrupt" | "dependency";
}

function outcomeOf(results: Ended[]): Outcome {
  if (results.some(({ by }) => by === "interrupt")) return "interrupted";
  if (results.some(({ by, result }) => by === "itself" && result.status === "failed")) return "failed";
  if (results.some(({ by }) => by === "deadline")) return "deadline";
  return "passed";
}

function parseBaseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new BaseUrlError(
      `The base URL ${JSON.stringify(text)} is no http or https address; write it like http://myapp:80`,
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new BaseUrlError(
      `The base URL ${withoutCredentials(url)} has a query or fragment; put it into the paths of the checks`,
    );
  }
  return url;
}

function notRun(check: Check, earlier: Ended[], run: Run): Ended | undefined {
  const empty = { passed: 0, finished: 0, times: check.repeat.times, needed: check.repeat.atLeast };
  const end = (by: Ended["by"], reason: string): Ended => ({
    by,
    result: { name: check.name, status: "notRun", reason, requests: empty, attempts: 0, durationMs: 0 },
  });
  const blocking = earlier.find(({ result }) => check.dependsOn.includes(result.name) && result.status !== "passed");
  if (run.interrupt.aborted) return end("interrupt", "interrupted before this check began");
  if (blocking !== undefined) {
    const { name, status } = blocking.result;
    return end("dependency", `depends on ${name}, which ${status === "failed" ? "failed" : "did not run"}`);
  }
  if (run.deadline.aborted) {
    return end("deadline", `the deadline of ${formatDuration(run.deadlineMs)} passed before this check began`);
  }
  return undefined;
}

async function runCheck(check: Check, run: Run): Promise<Ended> {
  const started = performance.now();
  const { retry } = check;
  let last: Round | undefined;
  for (let attempt = 1; ; attempt++) {
    const round = await runRound(check, run);
    const end = (by: Ended["by"], status: CheckResult["status"], reason: string, shown = round): Ended => ({
      by,
      result: {
        name: check.name,
        status,
        reason,
        requests: {
          passed: shown.passed,
          finished: shown.passed + shown.failed,
          times: check.repeat.times,
          needed: check.repeat.atLeast,
        },
        attempts: attempt,
        durationMs: Math.round(performance.now() - started),
        ...latencyOf(shown),
        ...(shown.failure === undefined ? {} : { failure: shown.failure }),
      },
    });
    if (run.interrupt.aborted) return end("interrupt", "notRun", "interrupted while this check ran");
    if (round.passed + round.failed === check.repeat.times && round.passed >= check.repeat.atLeast) {
      return end("itself", "passed", countsOf(check, round));
    }
    const deadline = `the deadline of ${formatDuration(run.deadlineMs)} passed`;
    if (run.deadline.aborted && !isDecided(check, round)) {
      const during = `${deadline} during attempt ${attempt} of ${retry.attempts}`;
      const before = last === undefined ? countsOf(check, round) : `the attempt before: ${reasonOf(check, last)}`;
      return end("deadline", "failed", `${during}; ${before}`, last ?? round);
    }
    last = round;
    if (attempt === retry.attempts) {
      const tried = attempt === 1 ? "" : ` (attempt ${attempt} of ${attempt})`;
      return end("itself", "failed", reasonOf(check, round) + tried);
    }
    const waitMs = Math.min(retry.maxMs, retry.initialMs * retry.factor ** (attempt - 1));
    if (performance.now() + waitMs >= run.deadlineAt) {
      const before = `${deadline.replace("passed", "would pass")} before attempt ${attempt + 1} of ${retry.attempts}`;
      return end("deadline", "failed", `${reasonOf(check, round)}; ${before}`);
    }
    const { attempts } = retry;
    const reason = reasonOf(check, round);
    run.report({ type: "attemptFailed", check: check.name, attempt, attempts, reason, retryInMs: waitMs });
    try {
      await sleep(waitMs, undefined, { signal: run.interrupt });
    } catch {
      return end("interrupt", "notRun", "interrupted while this check waited for its next attempt");
    }
  }
}

/** One repetition of a check's requests. */
interface Round {
  passed: number;
  failed: number;
  latencies: number[];
  failure?: FailedRequest;
}

/** Sends the requests until all are done, or so many have failed that the check cannot pass any more, or the run is over. */
async function runRound(check: Check, run: Run): Promise<Round> {
  const { times, concurrency } = check.repeat;
  const round: Round = { passed: 0, failed: 0, latencies: [] };
  const decided = new AbortController();
  const signal = AbortSignal.any([run.interrupt, run.deadline, decided.signal]);
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun < times && !signal.aborted) {
      begun++;
      const request = await sendOne(check, run.baseUrl, signal);
      // What ends after the decision or the end of the run says nothing about the server.
      if (request === undefined || signal.aborted) return;
      if (request.latencyMs !== undefined) round.latencies.push(request.latencyMs);
      if (request.failure === undefined) round.passed++;
      else {
        round.failed++;
        round.failure ??= request.failure;
      }
      if (isDecided(check, round)) decided.abort();
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, times) }, work));
  return round;
}

/** So many requests failed that the rest cannot save the check. */
function isDecided({ repeat }: Check, { failed }: Round): boolean {
  return failed > repeat.times - repeat.atLeast;
}

/** Undefined when the signal ended the request. */
async function sendOne(
  check: Check,
  baseUrl: URL,
  signal: AbortSignal,
): Promise<{ failure?: FailedRequest; latencyMs?: number } | undefined> {
  const url = targetUrl(baseUrl, check.request.path);
  const { method } = check.request;
  try {
    const answer = await send(check.request, url, signal);
    const problems = judge(check.expect, answer);
    if (problems.length === 0) return { latencyMs: answer.latencyMs };
    const failure = { method, url: answer.url, problems, response: excerpt(answer, check) };
    return { failure, latencyMs: answer.latencyMs };
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof NoAnswerError)) throw error;
    return { failure: { method, url: withoutCredentials(url), problems: [error.message], errorCode: error.code } };
  }
}

function excerpt(answer: Answer, check: Check): NonNullable<FailedRequest["response"]> {
  const names = new Set([...TELLING_HEADERS, ...Object.keys(check.expect.headers)]);
  const headers = Object.entries(answer.headers).filter(([name]) => names.has(name));
  return {
    status: answer.status,
    headers: Object.fromEntries(headers),
    body: answer.body.slice(0, BODY_EXCERPT_CHARACTERS),
    bodyTruncated: answer.bodyTruncated || answer.body.length > BODY_EXCERPT_CHARACTERS,
    latencyMs: rounded(answer.latencyMs),
  };
}

function reasonOf(check: Check, round: Round): string {
  const problems = round.failure?.problems.join("; ") ?? "";
  if (check.repeat.times === 1) return problems;
  return `${countsOf(check, round)}; first failure: ${problems}`;
}

function countsOf({ repeat }: Check, { passed, failed }: Round): string {
  const finished = passed + failed;
  const needed = repeat.atLeast === repeat.times ? "" : `, ${repeat.atLeast} needed`;
  const stopped = finished === repeat.times ? "" : ` (stopped after ${finished})`;
  return `${passed} of ${repeat.times} ${repeat.times === 1 ? "request" : "requests"} passed${needed}${stopped}`;
}

function latencyOf({ latencies }: Round): Pick<CheckResult, "latencyMs"> {
  if (latencies.length === 0) return {};
  const sorted = latencies.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!;
  return { latencyMs: { median: rounded(median), max: rounded(sorted.at(-1)!) } };
}

function rounded(ms: number): number {
  return Number(ms.toFixed(1));
}
