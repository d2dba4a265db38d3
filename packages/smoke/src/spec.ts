/** A status code, or a class of them such as "2xx". */
export type StatusPattern = number | `${1 | 2 | 3 | 4 | 5}xx`;

/** What a header or a value inside a JSON body must be: this very value, or text that matches. */
export type Expected = { equals: unknown } | { matches: RegExp };

export interface CheckRequest {
  method: string;
  /** Begins with "/"; appended to the base URL. */
  path: string;
  headers: Record<string, string>;
  /** Already encoded; its content type is in `headers`. */
  body?: string;
  /** For the whole exchange, connecting and reading the body included. */
  timeoutMs: number;
  followRedirects: boolean;
}

export interface Expectation {
  /** One of these must match. Never empty. */
  status: StatusPattern[];
  /** By header name in lower case. */
  headers: Record<string, Expected>;
  /** The JSON body must contain this; undefined asserts nothing. */
  json?: unknown;
  /** By path in the JSON body, such as `items[0].name`. */
  jsonPath: Record<string, Expected>;
  bodyContains: string[];
  /** Longest time an answer may take, body included. */
  latencyMs?: number;
}

export interface Check {
  name: string;
  request: CheckRequest;
  expect: Expectation;
  /** `times` requests are sent, `concurrency` of them at once; at least `atLeast` must pass. */
  repeat: { times: number; atLeast: number; concurrency: number };
  /** The whole repetition is tried up to `attempts` times; before try n+1 it waits min(max, initial * factor^(n-1)). */
  retry: { attempts: number; initialMs: number; factor: number; maxMs: number };
  dependsOn: string[];
}

/** Checks as they run: valid, every default filled in, dependencies before their dependents. */
export interface CheckSpec {
  /** For all checks together. */
  deadlineMs: number;
  checks: Check[];
}

export interface SpecProblem {
  /** Where in the document, such as `checks[2].expect.status`; empty for the document itself. */
  path: string;
  message: string;
}

/** The document cannot be used. Lists every problem in it. */
export class CheckSpecError extends Error {
  override readonly name = "CheckSpecError";
  readonly problems: SpecProblem[];

  constructor(problems: SpecProblem[]) {
    const lines = problems.map(({ path, message }) => `  ${path === "" ? "" : `${path}: `}${message}`);
    super(
      `The checks cannot be used (${problems.length} ${problems.length === 1 ? "problem" : "problems"}):\n${lines.join("\n")}`,
    );
    this.problems = problems;
  }
}
