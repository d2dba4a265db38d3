import { describe, expect, test } from "vitest";
import { parseChecks } from "../src/index.ts";
import { CheckSpecError } from "../src/spec.ts";

function problemsOf(source: string | object): Record<string, string> {
  try {
    parseChecks(source);
  } catch (error) {
    if (error instanceof CheckSpecError) {
      return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]));
    }
    throw error;
  }
  return {};
}

describe("a valid document", () => {
  test("gets every default filled in", () => {
    expect(parseChecks("checks: [{ name: up, request: { path: /healthz } }]")).toEqual({
      deadlineMs: 60_000,
      checks: [
        {
          name: "up",
          request: { method: "GET", path: "/healthz", headers: {}, timeoutMs: 10_000, followRedirects: false },
          expect: { status: ["2xx"], headers: {}, jsonPath: {}, bodyContains: [] },
          repeat: { times: 1, atLeast: 1, concurrency: 1 },
          retry: { attempts: 1, initialMs: 500, factor: 2, maxMs: 10_000 },
          dependsOn: [],
        },
      ],
    });
  });

  test("means the same as YAML, as JSON and as a parsed document", () => {
    const document = {
      deadline: "1m30s",
      checks: [
        {
          name: "create",
          request: { method: "POST", path: "/notes", body: { json: { text: "a" } }, headers: { "X-Trace": "7" } },
          expect: { status: [201, "3xx"], headers: { Location: "/^\\/notes\\//i" }, json: { id: 1 } },
        },
      ],
    };
    const yaml = `
deadline: 1m30s
checks:
  - name: create
    request:
      method: POST
      path: /notes
      headers: { X-Trace: 7 }
      body: { json: { text: a } }
    expect:
      status: [201, 3xx]
      headers: { Location: '/^\\/notes\\//i' }
      json: { id: 1 }
`;
    expect(parseChecks(yaml)).toEqual(parseChecks(document));
    expect(parseChecks(JSON.stringify(document, null, "\t"))).toEqual(parseChecks(document));
    expect(parseChecks(document).deadlineMs).toBe(90_000);
  });

  test("is put in the order of its dependencies, and otherwise left as declared", () => {
    const check = (name: string, dependsOn: string[]) => ({ name, dependsOn, request: { path: "/" } });
    const spec = parseChecks({ checks: [check("c", ["a", "b"]), check("b", ["a"]), check("a", []), check("d", [])] });
    expect(spec.checks.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
  });
});

describe("a document that cannot be used", () => {
  test("is reported with every problem at once, each with its path", () => {
    const problems = problemsOf(`
deadlne: 5s
deadline: soon
checks:
  - name: a
    request: { method: get, path: healthz, timeout: 5, header: {} }
    expect: { status: 2, headers: { "x y": 1 }, jsonPath: { "a..b": 1, c: "/[/" }, latencyMs: -1, bodyContains: [3] }
    repeat: { times: 3, atLeast: 4, concurrency: 0 }
    retry: { attempts: 0, backoff: { initial: 1, factor: 0.5, jitter: 1 } }
    dependsOn: [b]
  - name: ""
    request: { path: //elsewhere/, body: { json: 1, text: a } }
  - 3
  - { name: a, request: { path: /x, body: { text: 1 } }, expect: { status: [] } }
  - { name: head, request: { method: HEAD, path: / }, expect: { bodyContains: ok } }
`);
    expect(Object.keys(problems).sort()).toEqual(
      [
        "deadlne",
        "deadline",
        "checks[0].request.method",
        "checks[0].request.path",
        "checks[0].request.timeout",
        "checks[0].request.header",
        "checks[0].expect.status",
        'checks[0].expect.headers["x y"]',
        'checks[0].expect.jsonPath["a..b"]',
        "checks[0].expect.jsonPath.c",
        "checks[0].expect.latencyMs",
        "checks[0].expect.bodyContains[0]",
        "checks[0].repeat.concurrency",
        "checks[0].retry.attempts",
        "checks[0].retry.backoff.initial",
        "checks[0].retry.backoff.factor",
        "checks[0].retry.backoff.jitter",
        "checks[0].dependsOn",
        "checks[1].name",
        "checks[1].request.path",
        "checks[1].request.body",
        "checks[2]",
        "checks[3].name",
        "checks[3].request.body",
        "checks[3].request.body.text",
        "checks[3].expect.status",
        "checks[4].expect",
      ].sort(),
    );
  });

  test("is refused when it would check nothing", () => {
    expect(problemsOf("checks: []")).toEqual({
      checks: "is empty, so nothing would be checked; declare at least one check",
    });
    expect(problemsOf({})).toEqual({ checks: "must be a list, not missing" });
    expect(problemsOf("")).toHaveProperty("", expect.stringContaining("not valid YAML or JSON"));
    expect(problemsOf([])).toEqual({ "": "must be an object, not a list" });
  });

  test("names the place of a syntax error and of a key given twice", () => {
    expect(problemsOf("checks:\n  - name: [a\n")[""]).toMatch(/^not valid YAML or JSON: line \d+, column \d+: /);
    expect(problemsOf('{"checks": [], "checks": []}')[""]).toContain("duplicated mapping key");
  });

  test("may not ask for more passes than requests", () => {
    const check = { name: "a", request: { path: "/" }, repeat: { times: 3, atLeast: 4 } };
    expect(problemsOf({ checks: [check] })).toEqual({
      "checks[0].repeat.atLeast": "is 4, more than the 3 requests of times",
    });
  });

  test("may not depend on itself, in a circle or on what is not there", () => {
    const check = (name: string, ...dependsOn: string[]) => ({ name, dependsOn, request: { path: "/" } });
    const checks = [
      check("a", "b"),
      check("b", "c"),
      check("c", "a"),
      check("d", "d"),
      check("e", "f"),
      check("g", "a"),
    ];
    const problems = problemsOf({ checks });
    expect(problems).toEqual({
      "checks[0].dependsOn": "closes a circle, so none of it could run: a -> b -> c -> a",
      "checks[3].dependsOn": "closes a circle, so none of it could run: d -> d",
      "checks[4].dependsOn": expect.stringContaining('names "f", but no check is called so'),
    });
  });

  test("may not use one name twice", () => {
    const check = { name: "a", request: { path: "/" } };
    expect(problemsOf({ checks: [check, check] })).toEqual({
      "checks[1].name": 'is "a", which checks[0] is called already',
    });
  });

  test("may not contain itself", () => {
    expect(problemsOf("checks: &all [ { name: a, request: { path: / }, expect: { json: *all } } ]")).toEqual({
      "": "an alias refers to something that contains it",
    });
  });
});
