import { load, YAMLException } from "js-yaml";
import { findCycles, inDependencyOrder } from "./dependencies.ts";
import { parseJsonPath } from "./json-path.ts";
import { type Fields, join, kind, Reader } from "./reader.ts";
import {
  type Check,
  type CheckRequest,
  type CheckSpec,
  CheckSpecError,
  type Expectation,
  type Expected,
  type StatusPattern,
} from "./spec.ts";

const DEFAULT_DEADLINE_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_BACKOFF = { initialMs: 500, factor: 2, maxMs: 10_000 };
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const MAX_TIMES = 10_000;
const MAX_CONCURRENCY = 100;
const MAX_ATTEMPTS = 1_000;

/**
 * Checks from YAML or JSON text, or from an already parsed document.
 * @throws {CheckSpecError} with every problem of the document.
 */
export function parseChecks(source: string | object): CheckSpec {
  const document = typeof source === "string" ? parseText(source) : source;
  const reader = new Reader();
  const spec = readSpec(reader, document);
  if (spec === undefined || reader.problems.length > 0) throw new CheckSpecError(reader.problems);
  return { ...spec, checks: inDependencyOrder(spec.checks) };
}

function parseText(text: string): unknown {
  let document: unknown;
  try {
    document = load(text);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const at = error.mark ? `line ${error.mark.line + 1}, column ${error.mark.column + 1}: ` : "";
    throw new CheckSpecError([{ path: "", message: `not valid YAML or JSON: ${at}${error.reason}` }]);
  }
  try {
    JSON.stringify(document);
  } catch {
    throw new CheckSpecError([{ path: "", message: "an alias refers to something that contains it" }]);
  }
  return document;
}

function readSpec(reader: Reader, document: unknown): CheckSpec | undefined {
  const fields = reader.object(document, "", ["deadline", "checks"]);
  if (fields === undefined) return undefined;
  const deadlineMs = fields.deadline === undefined ? DEFAULT_DEADLINE_MS : reader.duration(fields.deadline, "deadline");
  const list = reader.list(fields.checks, "checks");
  if (list?.length === 0) reader.problem("checks", "is empty, so nothing would be checked; declare at least one check");
  const checks = (list ?? []).map((value, i) => readCheck(reader, value, `checks[${i}]`));
  refuseBadNames(reader, list ?? []);
  return { deadlineMs: deadlineMs ?? DEFAULT_DEADLINE_MS, checks: checks.filter((check) => check !== undefined) };
}

function readCheck(reader: Reader, value: unknown, path: string): Check | undefined {
  const fields = reader.object(value, path, ["name", "request", "expect", "repeat", "retry", "dependsOn"]);
  if (fields === undefined) return undefined;
  const name = reader.text(fields.name, `${path}.name`);
  const request = readRequest(reader, fields.request, `${path}.request`);
  const expect = readExpectation(reader, orDefault(fields.expect, {}), `${path}.expect`);
  const repeat = readRepeat(reader, orDefault(fields.repeat, {}), `${path}.repeat`);
  const retry = readRetry(reader, orDefault(fields.retry, {}), `${path}.retry`);
  const dependsOn = readTexts(reader, orDefault(fields.dependsOn, []), `${path}.dependsOn`);
  if (request?.method === "HEAD" && expect !== undefined && assertsBody(expect)) {
    reader.problem(`${path}.expect`, "asserts a body, but the answer to HEAD has none");
  }
  if (name === undefined || request === undefined || expect === undefined) return undefined;
  if (repeat === undefined || retry === undefined || dependsOn === undefined) return undefined;
  return { name, request, expect, repeat, retry, dependsOn };
}

function readRequest(reader: Reader, value: unknown, path: string): CheckRequest | undefined {
  const known = ["method", "path", "headers", "body", "timeout", "followRedirects"];
  const fields = reader.object(value, path, known);
  if (fields === undefined) return undefined;
  const method = readMethod(reader, orDefault(fields.method, "GET"), `${path}.method`);
  const target = readPath(reader, fields.path, `${path}.path`);
  const headers = readRequestHeaders(reader, orDefault(fields.headers, {}), `${path}.headers`);
  const timeoutMs =
    fields.timeout === undefined ? DEFAULT_TIMEOUT_MS : reader.duration(fields.timeout, `${path}.timeout`);
  const followRedirects = reader.boolean(orDefault(fields.followRedirects, false), `${path}.followRedirects`);
  const body = fields.body === undefined ? undefined : readBody(reader, fields.body, `${path}.body`);
  if (fields.body !== undefined && (method === "GET" || method === "HEAD")) {
    reader.problem(`${path}.body`, `is not possible with ${method}; set method to POST, PUT, PATCH or DELETE`);
  }
  if (method === undefined || target === undefined || headers === undefined) return undefined;
  if (timeoutMs === undefined || followRedirects === undefined) return undefined;
  if (body === undefined) return { method, path: target, headers, timeoutMs, followRedirects };
  const typed = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  return {
    method,
    path: target,
    headers: typed ? headers : { ...headers, "content-type": body.contentType },
    body: body.encoded,
    timeoutMs,
    followRedirects,
  };
}

function readMethod(reader: Reader, value: unknown, path: string): string | undefined {
  if (typeof value === "string" && METHODS.includes(value)) return value;
  return reader.problem(path, `must be one of ${METHODS.join(", ")}, not ${kind(value)}`);
}

function readPath(reader: Reader, value: unknown, path: string): string | undefined {
  const text = reader.text(value, path);
  if (text === undefined) return undefined;
  // "//host/x" would be resolved to another host.
  if (!/^\/(?!\/)[!-~]*$/.test(text)) {
    return reader.problem(
      path,
      `must begin with a single "/" and hold no spaces (percent-encode them), not ${kind(text)}`,
    );
  }
  return text;
}

function readRequestHeaders(reader: Reader, value: unknown, path: string): Record<string, string> | undefined {
  const fields = reader.map(value, path);
  if (fields === undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const [name, content] of Object.entries(fields)) {
    const at = join(path, name);
    checkHeaderName(reader, name, at);
    const text = typeof content === "number" ? String(content) : reader.text(content, at);
    if (text === undefined) continue;
    if (!/^[\t -~\u0080-\u00FF]*$/.test(text)) reader.problem(at, "holds a character that a header cannot carry");
    headers[name] = text;
  }
  return headers;
}

function readBody(reader: Reader, value: unknown, path: string): { encoded: string; contentType: string } | undefined {
  const fields = reader.object(value, path, ["json", "text"]);
  if (fields === undefined) return undefined;
  const { json, text } = fields;
  if ((json === undefined) === (text === undefined)) return reader.problem(path, "must have either json or text");
  if (json !== undefined) return { encoded: JSON.stringify(json), contentType: "application/json" };
  if (typeof text !== "string") return reader.problem(`${path}.text`, `must be text, not ${kind(text)}`);
  return { encoded: text, contentType: "text/plain; charset=utf-8" };
}

function readExpectation(reader: Reader, value: unknown, path: string): Expectation | undefined {
  const known = ["status", "headers", "json", "jsonPath", "bodyContains", "latencyMs"];
  const fields = reader.object(value, path, known);
  if (fields === undefined) return undefined;
  const status = readStatus(reader, orDefault(fields.status, "2xx"), `${path}.status`);
  const headers = readExpectedHeaders(reader, orDefault(fields.headers, {}), `${path}.headers`);
  const jsonPath = readExpectedPaths(reader, orDefault(fields.jsonPath, {}), `${path}.jsonPath`);
  const bodyContains =
    typeof fields.bodyContains === "string"
      ? readTexts(reader, [fields.bodyContains], `${path}.bodyContains`)
      : readTexts(reader, orDefault(fields.bodyContains, []), `${path}.bodyContains`);
  const latencyMs =
    fields.latencyMs === undefined ? undefined : reader.number(fields.latencyMs, `${path}.latencyMs`, 1, 3_600_000);
  if (status === undefined || headers === undefined || jsonPath === undefined || bodyContains === undefined) {
    return undefined;
  }
  return {
    status,
    headers,
    jsonPath,
    bodyContains,
    ...(fields.json === undefined ? {} : { json: fields.json }),
    ...(latencyMs === undefined ? {} : { latencyMs }),
  };
}

function assertsBody(expect: Expectation): boolean {
  return expect.json !== undefined || Object.keys(expect.jsonPath).length > 0 || expect.bodyContains.length > 0;
}

function readStatus(reader: Reader, value: unknown, path: string): StatusPattern[] | undefined {
  if (!Array.isArray(value)) {
    const pattern = readStatusPattern(reader, value, path);
    return pattern === undefined ? undefined : [pattern];
  }
  if (value.length === 0) return reader.problem(path, "is an empty list, which no answer can match");
  const patterns = value.map((element, i) => readStatusPattern(reader, element, `${path}[${i}]`));
  return patterns.filter((pattern) => pattern !== undefined);
}

function readStatusPattern(reader: Reader, value: unknown, path: string): StatusPattern | undefined {
  if (typeof value === "number" && Number.isInteger(value) && value >= 100 && value <= 599) return value;
  if (typeof value === "string" && /^[1-5]xx$/.test(value)) return value as StatusPattern;
  return reader.problem(path, `must be a status code such as 200, or a class such as "2xx", not ${kind(value)}`);
}

function readExpectedHeaders(reader: Reader, value: unknown, path: string): Record<string, Expected> | undefined {
  const fields = reader.map(value, path);
  if (fields === undefined) return undefined;
  const headers: Record<string, Expected> = {};
  for (const [name, content] of Object.entries(fields)) {
    const at = join(path, name);
    checkHeaderName(reader, name, at);
    const text = typeof content === "number" ? String(content) : content;
    if (typeof text !== "string") {
      reader.problem(at, `must be text or a /regular expression/, not ${kind(content)}`);
      continue;
    }
    const lower = name.toLowerCase();
    if (Object.hasOwn(headers, lower)) reader.problem(at, "is asserted twice; header names do not differ by case");
    const expected = readExpected(reader, text, at);
    if (expected !== undefined) headers[lower] = expected;
  }
  return headers;
}

function checkHeaderName(reader: Reader, name: string, path: string): void {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) reader.problem(path, "is no header name");
}

function readExpectedPaths(reader: Reader, value: unknown, path: string): Record<string, Expected> | undefined {
  const fields = reader.map(value, path);
  if (fields === undefined) return undefined;
  const paths: Record<string, Expected> = {};
  for (const [name, content] of Object.entries(fields)) {
    const at = join(path, name);
    if (parseJsonPath(name) === undefined) {
      reader.problem(at, 'is no path into a JSON body; write it like db.status, items[0].id or labels["a.b/c"]');
    }
    const expected = readExpected(reader, content, at);
    if (expected !== undefined) paths[name] = expected;
  }
  return paths;
}

/** Text written /like this/ (flags i, s, m, u may follow) is a regular expression; everything else stands for itself. */
function readExpected(reader: Reader, value: unknown, path: string): Expected | undefined {
  const match = typeof value === "string" ? /^\/(.+)\/([a-z]*)$/s.exec(value) : null;
  if (match === null) return { equals: value };
  const [, source, flags] = match;
  if (!/^[ismu]*$/.test(flags!)) return reader.problem(path, `has the flags "${flags}"; possible are i, s, m and u`);
  try {
    return { matches: new RegExp(source!, flags) };
  } catch (error) {
    return reader.problem(path, (error as SyntaxError).message);
  }
}

function readRepeat(reader: Reader, value: unknown, path: string): Check["repeat"] | undefined {
  const fields = reader.object(value, path, ["times", "atLeast", "concurrency"]);
  if (fields === undefined) return undefined;
  const times = reader.integer(orDefault(fields.times, 1), `${path}.times`, 1, MAX_TIMES);
  const atLeast =
    fields.atLeast === undefined ? times : reader.integer(fields.atLeast, `${path}.atLeast`, 1, MAX_TIMES);
  const concurrency = reader.integer(orDefault(fields.concurrency, 1), `${path}.concurrency`, 1, MAX_CONCURRENCY);
  if (times === undefined || atLeast === undefined || concurrency === undefined) return undefined;
  if (atLeast > times) {
    return reader.problem(`${path}.atLeast`, `is ${atLeast}, more than the ${times} requests of times`);
  }
  return { times, atLeast, concurrency };
}

function readRetry(reader: Reader, value: unknown, path: string): Check["retry"] | undefined {
  const fields = reader.object(value, path, ["attempts", "backoff"]);
  if (fields === undefined) return undefined;
  const attempts = reader.integer(orDefault(fields.attempts, 1), `${path}.attempts`, 1, MAX_ATTEMPTS);
  const backoff = readBackoff(reader, orDefault(fields.backoff, {}), `${path}.backoff`);
  return attempts === undefined || backoff === undefined ? undefined : { attempts, ...backoff };
}

function readBackoff(reader: Reader, value: unknown, path: string): typeof DEFAULT_BACKOFF | undefined {
  const fields: Fields | undefined = reader.object(value, path, ["initial", "factor", "max"]);
  if (fields === undefined) return undefined;
  const initialMs =
    fields.initial === undefined ? DEFAULT_BACKOFF.initialMs : reader.duration(fields.initial, `${path}.initial`);
  const factor =
    fields.factor === undefined ? DEFAULT_BACKOFF.factor : reader.number(fields.factor, `${path}.factor`, 1, 100);
  const maxMs = fields.max === undefined ? DEFAULT_BACKOFF.maxMs : reader.duration(fields.max, `${path}.max`);
  return initialMs === undefined || factor === undefined || maxMs === undefined
    ? undefined
    : { initialMs, factor, maxMs };
}

function readTexts(reader: Reader, value: unknown, path: string): string[] | undefined {
  const list = reader.list(value, path);
  const texts = list?.map((element, i) => reader.text(element, `${path}[${i}]`));
  return texts?.filter((text) => text !== undefined);
}

/** Names and dependencies are judged on the raw document, so that a check with another problem still counts as known. */
function refuseBadNames(reader: Reader, list: unknown[]): void {
  const raw = list.map((value) => (typeof value === "object" && value !== null ? (value as Fields) : {}));
  const firstWith = new Map<string, number>();
  const graph = new Map<string, string[]>();
  for (const [i, { name }] of raw.entries()) {
    if (typeof name !== "string" || name === "") continue;
    const first = firstWith.get(name);
    if (first === undefined) firstWith.set(name, i);
    else reader.problem(`checks[${i}].name`, `is ${JSON.stringify(name)}, which checks[${first}] is called already`);
  }
  for (const [i, { name, dependsOn }] of raw.entries()) {
    if (!Array.isArray(dependsOn)) continue;
    const names = dependsOn.filter((dependency) => typeof dependency === "string" && dependency !== "");
    for (const unknown of new Set(names.filter((dependency) => !firstWith.has(dependency)))) {
      const known = [...firstWith.keys()].filter((other) => other !== name);
      const hint = known.length === 0 ? "there is no other check" : `the others are ${known.join(", ")}`;
      reader.problem(`checks[${i}].dependsOn`, `names ${JSON.stringify(unknown)}, but no check is called so; ${hint}`);
    }
    if (typeof name === "string" && firstWith.get(name) === i) graph.set(name, names);
  }
  for (const cycle of findCycles(graph)) {
    const first = firstWith.get(cycle[0]!);
    reader.problem(`checks[${first}].dependsOn`, `closes a circle, so none of it could run: ${cycle.join(" -> ")}`);
  }
}

/** Only what is missing has a default: a key without a value is more likely a slip of indentation, so it is read and refused. */
function orDefault(value: unknown, fallback: unknown): unknown {
  return value === undefined ? fallback : value;
}
