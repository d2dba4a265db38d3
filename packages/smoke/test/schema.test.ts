import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckSpecError, parseChecks } from "../src/index.ts";
import { seed } from "./seed.ts";

const schema = JSON.parse(readFileSync(new URL("../checks.schema.json", import.meta.url), "utf8")) as object;
const acceptedBySchema = new Ajv({ allowUnionTypes: true }).compile(schema);

function acceptedByParser(document: object): boolean {
  try {
    parseChecks(document);
    return true;
  } catch (error) {
    if (error instanceof CheckSpecError) return false;
    throw error;
  }
}

/** Values that are right in some places and wrong in others; no two in one document break a rule that spans fields. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1,
    -1,
    0.5,
    2,
    99,
    100,
    200,
    599,
    600,
    1_001,
    10_001,
    3_600_001,
    "",
    "a",
  ),
  fc.constantFrom<unknown>(
    "/",
    "/a b",
    "//a",
    "/a?b=1",
    "GET",
    "get",
    "POST",
    "HEAD",
    "2xx",
    "6xx",
    "5s",
    "1m30s",
    "0s",
  ),
  fc.constantFrom<unknown>("5", "5 s", "0.5ms", [], [200], ["2xx", 404], [""], ["a"], [[]], {}, { a: 1 }, { a: "b" }),
  fc.constantFrom<unknown>({ "x y": "1" }, { "x-a": "/b/" }, { "a..b": 1 }, { "a[0].b": null }, { '["x y"]': [] }),
  fc.constantFrom<unknown>({ json: 1 }, { text: "a" }, { text: 1 }, { json: 1, text: "a" }, { a: "ä€" }, { a: "ü" }),
);

const PLACES = [
  ["deadline"],
  ["checks"],
  ["other"],
  ["checks", 0],
  ["checks", 0, "name"],
  ["checks", 0, "other"],
  ["checks", 0, "request"],
  ...["method", "path", "headers", "body", "timeout", "followRedirects", "other"].map((key) => [
    "checks",
    0,
    "request",
    key,
  ]),
  ["checks", 0, "expect"],
  ...["status", "headers", "json", "jsonPath", "bodyContains", "latencyMs", "other"].map((key) => [
    "checks",
    0,
    "expect",
    key,
  ]),
  ["checks", 0, "repeat"],
  ...["times", "concurrency", "other"].map((key) => ["checks", 0, "repeat", key]),
  ["checks", 0, "retry"],
  ...["attempts", "backoff", "other"].map((key) => ["checks", 0, "retry", key]),
  ...["initial", "factor", "max", "other"].map((key) => ["checks", 0, "retry", "backoff", key]),
];

function valid(method: string): object {
  return {
    deadline: "10s",
    checks: [
      {
        name: "a",
        request: { method, path: "/", headers: { "x-a": 1 } },
        expect: { status: "2xx", headers: { "x-b": "c" } },
        repeat: { times: 2 },
        retry: { attempts: 2, backoff: { initial: "1s" } },
        dependsOn: [],
      },
    ],
  };
}

function put(document: object, place: (string | number)[], value: unknown): void {
  const parent = place
    .slice(0, -1)
    .reduce<Record<string | number, unknown>>(
      (at, key) => at[key] as Record<string | number, unknown>,
      document as Record<string, unknown>,
    );
  parent[place.at(-1)!] = value;
}

describe("the JSON schema for editors", () => {
  test("accepts what the parser accepts and refuses what it refuses, one wrong or changed value at a time", () => {
    fc.assert(
      fc.property(fc.constantFrom("GET", "POST"), fc.constantFrom(...PLACES), value, (method, place, changed) => {
        const document = structuredClone(valid(method));
        put(document, place, changed);
        expect({ accepted: acceptedBySchema(document) }).toEqual({ accepted: acceptedByParser(document) });
      }),
      { numRuns: 5_000, seed },
    );
  });

  test("knows every key that the parser knows", () => {
    const full = {
      deadline: "10s",
      checks: [
        {
          name: "a",
          request: {
            method: "POST",
            path: "/",
            headers: { a: "b" },
            body: { json: {} },
            timeout: "1s",
            followRedirects: true,
          },
          expect: {
            status: [200],
            headers: { a: "/b/" },
            json: {},
            jsonPath: { a: 1 },
            bodyContains: ["a"],
            latencyMs: 5,
          },
          repeat: { times: 3, atLeast: 2, concurrency: 2 },
          retry: { attempts: 2, backoff: { initial: "1s", factor: 2, max: "2s" } },
          dependsOn: [],
        },
      ],
    };
    expect(acceptedBySchema(full)).toBe(true);
    expect(acceptedByParser(full)).toBe(true);
  });
});
