import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseChecks } from "@safe-deploy/smoke";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CHART, HELM_VERSIONS, refusal, render, renderText, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  anyOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

const root = JSON.parse(readFileSync(join(CHART, "values.schema.json"), "utf8")) as Schema;
const defaults = parse(readFileSync(join(CHART, "values.yaml"), "utf8")) as Values;

function resolve(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : root.$defs![schema.$ref.replace("#/$defs/", "")]!;
}

/** Values with an unknown key in every closed map, and the paths of those maps as Helm names them. */
function unknownKeys(): { values: Values; paths: string[] } {
  const paths: string[] = [];
  const visit = (reference: Schema, path: string): unknown => {
    const schema = resolve(reference);
    if (schema.items !== undefined) return [visit(schema.items, `${path}/0`)];
    if (schema.properties === undefined) return undefined;
    const children = Object.entries(schema.properties).map(([key, child]) => [key, visit(child, `${path}/${key}`)]);
    const filled = Object.fromEntries(children.filter(([, value]) => value !== undefined));
    if (schema.additionalProperties !== false) return filled;
    paths.push(path);
    return { ...filled, unknownKey: 1 };
  };
  return { values: visit(root, "") as Values, paths };
}

test.each(HELM_VERSIONS)("an unknown key is refused at every level (Helm %i)", async (helm) => {
  const { values, paths } = unknownKeys();
  expect(paths.length).toBeGreaterThan(60);
  expect(paths).toEqual(
    expect.arrayContaining([
      "",
      "/image",
      "/probes/startup/httpGet",
      "/checks/0/expect",
      "/networkPolicy/egress/database",
    ]),
  );
  const message = await refusal(values, { helm });
  const missed = paths.filter(
    (path) => !message.includes(`at '${path}': additional properties 'unknownKey' not allowed`),
  );
  expect(missed).toEqual([]);
});

test("only what is free by nature is open", () => {
  const open: string[] = [];
  const visit = (reference: Schema, path: string) => {
    const schema = resolve(reference);
    if (schema.items !== undefined) visit(schema.items, `${path}[]`);
    for (const option of schema.anyOf ?? []) visit(option, path);
    const isMap = [schema.type].flat().includes("object");
    if (isMap && (schema.additionalProperties === undefined || schema.additionalProperties === true)) open.push(path);
    for (const [key, child] of Object.entries(schema.properties ?? {}))
      visit(child, path === "" ? key : `${path}.${key}`);
  };
  visit(root, "");
  expect(open.sort()).toEqual([
    // Whole objects of the Kubernetes API, which the cluster itself validates.
    "affinity.nodeAffinity",
    "affinity.podAffinity",
    "affinity.podAntiAffinity",
    "autoscaling.behavior.scaleDown",
    "autoscaling.behavior.scaleUp",
    "autoscaling.metrics[]",
    // A path in somebody's JSON.
    "checks[].expect.jsonPath",
    "extraEnv[].valueFrom.configMapKeyRef",
    "extraEnv[].valueFrom.fieldRef",
    "extraEnv[].valueFrom.fileKeyRef",
    "extraEnv[].valueFrom.resourceFieldRef",
    "extraEnv[].valueFrom.secretKeyRef",
    "extraVolumes[]",
    // A parent chart's.
    "global",
    "initContainers[]",
    "sidecars[]",
  ]);
});

test("every value of values.yaml is in the schema, and every one of the schema in values.yaml", () => {
  expect(
    Object.keys(root.properties!)
      .filter((key) => key !== "global")
      .sort(),
  ).toEqual(Object.keys(defaults).sort());
});

test.each(HELM_VERSIONS)("several wrong types are reported at once with their paths (Helm %i)", async (helm) => {
  const message = await refusal(
    withImages({ replicaCount: "3", image: { tag: 20251120 }, mode: "statefulset", typo: 1 }),
    { helm },
  );
  for (const path of ["/replicaCount", "/image/tag", "/mode", "''"]) expect(message).toContain(path);
});

test.each<[string, Values, string]>([
  ["a tag that is a number, because 20251120.10 would become 20251120.1", { image: { tag: 20251120.1 } }, "/image/tag"],
  ["a tag with a space", { image: { tag: "a b" } }, "/image/tag"],
  ["a digest that is none", { image: { digest: "sha256:abc" } }, "/image/digest"],
  [
    "an environment variable that no process can have",
    { config: { "A B": "1" } },
    "at '/config': additional properties 'A B' not allowed",
  ],
  ["a port out of range", { ports: { http: 65536 } }, "/ports/http"],
  [
    "a port's name that is too long",
    { ports: { "a-name-that-is-too-long": 1 } },
    "at '/ports': additional properties 'a-name-that-is-too-long' not allowed",
  ],
  [
    "an unknown status",
    { checks: [{ name: "a", request: { path: "/" }, expect: { status: 700 } }] },
    "/checks/0/expect/status",
  ],
  ["a check without request", { checks: [{ name: "a" }] }, "/checks/0"],
  ["a check of another host", { checks: [{ name: "a", request: { path: "//host/" } }] }, "/checks/0/request/path"],
  ["a label's value that is too long", { podLabels: { a: "b".repeat(64) } }, "/podLabels/a"],
  [
    "an environment variable with value and source",
    { extraEnv: [{ name: "A", value: "1", valueFrom: { fieldRef: {} } }] },
    "/extraEnv/0",
  ],
  ["a volume without source", { extraVolumes: [{ name: "a" }] }, "/extraVolumes/0"],
  ["a map that templates need set to null", { probes: null }, "missing property 'probes'"],
  ["a ledger that cannot hold the last two", { ledger: { keep: 1 } }, "/ledger/keep"],
])("refused: %s", async (_, values, path) => {
  expect(await refusal(withImages(values))).toContain(path);
});

test("a parent chart may pass its globals", async () => {
  expect(await renderText(withImages({ global: { imageRegistry: "a" } }))).toBe(await renderText());
});

describe("checks mean the same to the chart and to the runner:", () => {
  const base = { name: "a", request: { path: "/" } };
  const good: Values[] = [
    { ...base, expect: { status: [200, "3xx"] } },
    {
      ...base,
      request: { path: "/a?b=%20c", method: "PUT", headers: { a: 1 }, body: { json: [1] }, timeout: "1m30s" },
    },
    { ...base, request: { path: "/", followRedirects: true }, retry: { attempts: 3, backoff: { initial: "1s" } } },
    {
      ...base,
      expect: { json: { a: null }, jsonPath: { "a[0].b": "/x/i" }, bodyContains: ["a", "b"], latencyMs: 1.5 },
    },
    { ...base, repeat: { times: 100, atLeast: 97, concurrency: 10 } },
  ];
  const bad: Values[] = [
    { ...base, name: "" },
    { ...base, request: { path: "no-slash" } },
    { ...base, request: { path: "/with space" } },
    { ...base, request: { path: "/", method: "get" } },
    { ...base, request: { path: "/", timeout: "5" } },
    { ...base, request: { path: "/", method: "POST", body: {} } },
    { ...base, expect: { status: "2XX" } },
    { ...base, expect: { status: [] } },
    { ...base, expect: { latencyMs: 0 } },
    { ...base, repeat: { times: 0 } },
    { ...base, retry: { attempts: 0 } },
    { ...base, retry: { backoff: { factor: 0.5 } } },
    { ...base, extra: 1 },
  ];

  test.each(good)("both take %j", async (check) => {
    const rendered = await render(withImages({ checks: [check] }));
    const spec = parseChecks(rendered.get("ConfigMap", "myapp-verify").data["checks.json"]);
    expect(spec.checks).toEqual(parseChecks({ checks: [check] }).checks);
  });

  test.each(bad)("both refuse %j", async (check) => {
    expect(() => parseChecks({ checks: [check] })).toThrow(/cannot be used/);
    expect(await refusal(withImages({ checks: [check] }))).toMatch(/at '\/checks\/0/);
  });
});
