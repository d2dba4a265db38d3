import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import type { Report } from "../src/index.ts";
import * as words from "../src/words.ts";
import * as fixtures from "./fixtures/reports.ts";

interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string | string[];
  enum?: string[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
  definitions?: Record<string, Schema>;
}

const schema = JSON.parse(readFileSync(new URL("../report.schema.json", import.meta.url), "utf8")) as Schema;
const accepts = new Ajv({ allowUnionTypes: true, allErrors: true }).compile(schema);
const page = readFileSync(new URL("../../../docs/report.md", import.meta.url), "utf8").replaceAll(
  /^```.*?^```$/gms,
  "",
);

/** The type with every optional field required, at every depth. */
type Whole<T> = T extends (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Whole<Exclude<T[Key], undefined>> }
    : T;

/** The type without its optional fields, at every depth; a field that the type has as optional does not compile. */
type Bare<T> = T extends (infer Item)[]
  ? Bare<Item>[]
  : T extends object
    ? { [Key in keyof T as undefined extends T[Key] ? never : Key]: Bare<T[Key]> }
    : T;

const at = "2025-10-28T07:12:04.5Z";

const whole: Whole<Report> = {
  schemaVersion: 1,
  kind: "deploy",
  release: "myapp",
  namespace: "default",
  cluster: "lab",
  startedAt: at,
  endedAt: at,
  startedBy: "ada",
  verdict: { result: "restored", summary: "It failed.", because: "So it was.", exit: 5, code: "ReleaseFailed" },
  changes: [{ what: "flag", name: "FEATURE_NEW", from: null, to: "true" }],
  versions: [
    {
      version: "1",
      role: "stable",
      image: "a:1",
      digest: "sha256:1",
      configMap: "a-config-1",
      flags: { FEATURE_NEW: "true" },
      schema: "1",
      chart: "myapp-0.1.0",
      helmRevision: 1,
    },
  ],
  strategy: {
    kind: "canary",
    router: "traefik",
    steps: [{ text: "weight 10 %", state: "failed", startedAt: at, endedAt: at }],
  },
  timeline: [{ at, kind: "decision", text: "Aborted", outcome: "bad", mark: "aborted" }],
  weights: [{ at, weight: 10 }],
  figures: {
    detectionSeconds: 1,
    restoreSeconds: 2,
    requests: 3,
    failedRequests: 4,
    requestsByVersion: [{ version: "v2", role: "new", requests: 3, failedRequests: 4 }],
    uncounted: "",
  },
  rejectedBy: {
    version: "v2",
    by: "ledger entry 1",
    checks: [{ name: "healthz", outcome: "failed", detail: "500" }],
  },
  fault: { kind: "CrashLoop", subject: "Pod/a", message: "exit code 1" },
  analysis: [
    {
      name: "errorRatio",
      phase: "Failed",
      deciding: true,
      condition: "few errors",
      unit: "ratio",
      threshold: { max: 0.05, min: 0 },
      provider: "Prometheus",
      query: "up",
      message: "failed",
      measurements: [{ at, value: 0.2, phase: "Failed", message: "too many" }],
    },
  ],
  traffic: {
    source: "Prometheus",
    times: [1],
    series: [{ version: "1", role: "stable", metric: "errorRatio", query: "up", values: [null] }],
    thresholds: [{ metric: "errorRatio", name: "errorRatio", max: 0.05, min: 0 }],
  },
  podEvents: [{ at, subject: "Pod/a", type: "Warning", reason: "BackOff", message: "again", count: 2 }],
  logs: [
    { pod: "a", container: "app", version: "1", previous: true, lines: ["failed"], matters: [0], truncated: true },
  ],
  restored: { version: "1", items: [{ what: "traffic", to: "100 %" }] },
  verification: { version: "v1", by: "Job/a-verify", checks: [{ name: "healthz", outcome: "passed", detail: "200" }] },
  next: [{ command: "ctl history", why: "See" }],
};

/** Each part that is optional as a whole, bare. */
const bareParts: { [Key in keyof Whole<Report>]?: Bare<Whole<Report>[Key]> | Bare<Exclude<Report[Key], undefined>> } = {
  verdict: { result: "verified", summary: "It runs." },
  changes: [{ what: "image" }],
  versions: [{ version: "1", role: "new" }],
  strategy: { kind: "rolling" },
  timeline: [{ at, kind: "note", text: "a" }],
  weights: [{ at, weight: 0 }],
  figures: {},
  fault: { kind: "CrashLoop", subject: "Pod/a", message: "exit code 1" },
  rejectedBy: { checks: [{ name: "a", outcome: "notRun" }] },
  analysis: [{ name: "a", phase: "Running" }],
  traffic: {
    source: "Prometheus",
    times: [],
    series: [{ version: "1", role: "new", metric: "requestRate", values: [] }],
  },
  podEvents: [{ at, subject: "Pod/a", type: "Normal", reason: "Pulled", message: "there" }],
  logs: [{ pod: "a", lines: [] }],
  restored: { version: "1", items: [{ what: "pods", to: "3" }] },
  verification: { checks: [{ name: "a", outcome: "notRun" }] },
  next: [{ command: "ctl status", why: "See" }],
};

const bare: Bare<Report> = {
  schemaVersion: 1,
  kind: "rollback",
  release: "myapp",
  namespace: "default",
  startedAt: at,
  verdict: { result: "running", summary: "It goes on." },
  timeline: [],
};

/** Every way to a field of a document, with what has it. */
function* fieldsOf(
  value: unknown,
  path = "",
): Generator<{ path: string; owner: Record<string, unknown>; key: string }> {
  if (Array.isArray(value)) for (const item of value) yield* fieldsOf(item, `${path}[]`);
  else if (typeof value === "object" && value !== null)
    for (const key of Object.keys(value)) {
      const owner = value as Record<string, unknown>;
      yield { path: `${path}.${key}`, owner, key };
      yield* fieldsOf(owner[key], `${path}.${key}`);
    }
}

/** The same of the schema. */
function* fieldsOfSchema(part: Schema, path = ""): Generator<string> {
  const { $ref, allOf, properties = {}, items } = part;
  if ($ref !== undefined) yield* fieldsOfSchema(schema.definitions?.[$ref.split("/").at(-1) ?? ""] ?? {}, path);
  for (const one of allOf ?? []) yield* fieldsOfSchema(one, path);
  for (const [key, field] of Object.entries(properties)) {
    yield `${path}.${key}`;
    yield* fieldsOfSchema(field, `${path}.${key}`);
  }
  if (items !== undefined) yield* fieldsOfSchema(items, `${path}[]`);
}

function enumOf(name: string, key?: string): string[] | undefined {
  const definition = schema.definitions?.[name];
  return (key === undefined ? definition : definition?.properties?.[key])?.enum?.toSorted();
}

describe("the schema and the types", () => {
  test("have the same fields", () => {
    const ofTypes = new Set([...fieldsOf(whole)].map(({ path }) => path).filter((path) => !path.includes(".flags.")));
    expect([...ofTypes].toSorted()).toEqual([...new Set(fieldsOfSchema(schema))].toSorted());
    expect(accepts(whole), JSON.stringify(accepts.errors)).toBe(true);
  });

  test("require the same fields and no others", () => {
    expect(accepts(bare), JSON.stringify(accepts.errors)).toBe(true);
    const document = { ...bare, ...structuredClone(bareParts) };
    expect(accepts(document), JSON.stringify(accepts.errors)).toBe(true);
    const optional = new Set(Object.keys(bareParts).filter((key) => !(key in bare)));
    for (const { path, owner, key } of fieldsOf(document)) {
      if (owner === document && optional.has(key)) continue;
      const { [key]: value } = owner;
      delete owner[key];
      expect(accepts(document), `without ${path}`).toBe(false);
      owner[key] = value;
    }
  });

  test("refuse a field that is not known, everywhere", () => {
    for (const { path, owner } of fieldsOf(whole)) {
      if (path.includes(".flags.")) continue;
      owner["other"] = 1;
      expect(accepts(whole), `other beside ${path}`).toBe(false);
      delete owner["other"];
    }
  });

  test("know the same words", () => {
    expect(enumOf("verdict", "result")).toEqual(Object.keys(words.results).toSorted());
    expect(schema.properties?.["kind"]?.enum?.toSorted()).toEqual(Object.keys(words.kinds).toSorted());
    expect(enumOf("phase")).toEqual(Object.keys(words.phases).toSorted());
    expect(enumOf("check", "outcome")).toEqual(Object.keys(words.checkOutcomes).toSorted());
    expect(enumOf("step", "state")).toEqual(Object.keys(words.stepStates).toSorted());
    expect(enumOf("strategy", "kind")).toEqual(Object.keys(words.strategies).toSorted());
    expect(enumOf("change", "what")).toEqual(Object.keys(words.changed).toSorted());
    expect(enumOf("timelineEntry", "kind")).toEqual(Object.keys(words.entryKinds).toSorted());
    expect(enumOf("restoredItem", "what")).toEqual([...Object.keys(words.changed), "pods", "traffic"].toSorted());
  });

  test.each(Object.entries(fixtures))("agree on the document of %s", (_, make) => {
    expect(accepts(make()), JSON.stringify(accepts.errors)).toBe(true);
  });

  test.each([
    ["a time in another zone", { ...bare, startedAt: "2025-10-28T07:12:04+01:00" }],
    ["a weight above 100", { ...bare, weights: [{ at, weight: 101 }] }],
    [
      "a value that is no number",
      { ...bare, analysis: [{ name: "a", phase: "Failed", measurements: [{ at, value: "NaN", phase: "Failed" }] }] },
    ],
    ["another version of the schema", { ...bare, schemaVersion: 2 }],
  ])("refuse %s", (_, document) => {
    expect(accepts(document)).toBe(false);
  });
});

test("docs/report.md explains every field and every word of the schema", () => {
  const named = new Set([...page.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) => code.split(/[.[\],\s]+/)));
  const fields = [...fieldsOfSchema(schema)].map((path) => path.split(".").at(-1) ?? "");
  const values = [schema, ...Object.values(schema.definitions ?? {})].flatMap((part) =>
    [part, ...Object.values(part.properties ?? {})].flatMap((one) => one.enum ?? []),
  );
  expect([...fields, ...values].filter((name) => !named.has(name))).toEqual([]);
});
