import type { Answer } from "./http.ts";
import { parseJsonPath, valueAt } from "./json-path.ts";
import { show, subsetDifferences } from "./json-subset.ts";
import type { Expectation, Expected, StatusPattern } from "./spec.ts";

/** Everything in an answer that is not as expected, in plain words; nothing when the answer passes. */
export function judge(expect: Expectation, answer: Answer): string[] {
  return [
    ...judgeStatus(expect.status, answer.status),
    ...Object.entries(expect.headers).flatMap(([name, expected]) => judgeHeader(name, expected, answer.headers[name])),
    ...judgeBody(expect, answer),
    ...judgeLatency(expect.latencyMs, answer.latencyMs),
  ];
}

function judgeStatus(patterns: StatusPattern[], status: number): string[] {
  const fits = patterns.some((pattern) =>
    typeof pattern === "number" ? pattern === status : Math.floor(status / 100) === Number(pattern[0]),
  );
  return fits ? [] : [`status is ${status}, not ${patterns.join(" or ")}`];
}

function judgeHeader(name: string, expected: Expected, actual: string | undefined): string[] {
  if (actual === undefined) return [`header ${name} is missing`];
  return fits(expected, actual) ? [] : [`header ${name} is ${show(actual)}, ${instead(expected)}`];
}

function judgeBody({ bodyContains, json, jsonPath }: Expectation, { body, bodyTruncated }: Answer): string[] {
  const paths = Object.entries(jsonPath);
  const needsJson = json !== undefined || paths.length > 0;
  if (bodyTruncated && (needsJson || bodyContains.length > 0)) {
    return ["the body is larger than 1 MiB, too large to be judged"];
  }
  const problems = bodyContains
    .filter((text) => !body.includes(text))
    .map((text) => `the body does not contain ${show(text)}`);
  if (!needsJson) return problems;

  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return [...problems, body === "" ? "the body is empty, not JSON" : "the body is not valid JSON"];
  }
  if (json !== undefined) problems.push(...subsetDifferences(json, document));
  for (const [path, expected] of paths) {
    const actual = valueAt(document, parseJsonPath(path)!);
    if (actual === undefined) problems.push(`${path} is missing`);
    else if (!fits(expected, actual)) problems.push(`${path} is ${show(actual)}, ${instead(expected)}`);
  }
  return problems;
}

function judgeLatency(limitMs: number | undefined, latencyMs: number): string[] {
  if (limitMs === undefined || latencyMs <= limitMs) return [];
  return [`the answer took ${Math.ceil(latencyMs)} ms, more than ${limitMs} ms`];
}

function fits(expected: Expected, actual: unknown): boolean {
  if ("equals" in expected) return sameJson(expected.equals, actual);
  return expected.matches.test(typeof actual === "string" ? actual : JSON.stringify(actual));
}

function instead(expected: Expected): string {
  return "equals" in expected ? `not ${show(expected.equals)}` : `which does not match ${String(expected.matches)}`;
}

function sameJson(expected: unknown, actual: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return expected === actual;
  if (typeof actual !== "object" || actual === null || Array.isArray(expected) !== Array.isArray(actual)) return false;
  const keys = Object.keys(expected);
  return (
    keys.length === Object.keys(actual).length &&
    keys.every((key) => Object.hasOwn(actual, key) && sameJson(expected[key as never], actual[key as never]))
  );
}
