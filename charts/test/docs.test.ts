import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { valueRows, withValuesTable } from "../readme.ts";
import { CHART, type Manifest, render, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

const read = (name: string) => readFileSync(join(CHART, name), "utf8");
const readme = read("README.md");
const values = read("values.yaml");

test("the README's table is that of values.yaml (pnpm --filter @safe-deploy/charts readme writes it anew)", () => {
  expect(readme).toBe(withValuesTable(readme, values));
});

describe("the table of values", () => {
  const rows = valueRows(values);

  test("has every value, itself or as part of a described one", () => {
    const described = rows.map(({ path }) => path);
    const uncovered = leaves(parse(values) as Values, []).filter(
      (leaf) => !described.some((path) => leaf === path || leaf.startsWith(`${path}.`)),
    );
    expect(uncovered).toEqual([]);
    expect(new Set(described).size).toBe(described.length);
  });

  test("refuses a value without description", () => {
    expect(() => valueRows("# -- One.\na: 1\nb: 2\n")).toThrow(/values\.yaml: b has no description/);
    expect(() => valueRows("a:\n  # -- One.\n  b: 1\n  c: {}\n")).toThrow(/values\.yaml: a\.c has no description/);
  });

  test("reads the default and the description", () => {
    expect(valueRows('a:\n  # -- One.\n  b: ["x"]\n# -- Two.\nc:\n  d: 1\n')).toEqual([
      { path: "a.b", fallback: '["x"]', description: "One." },
      { path: "c", fallback: '{"d":1}', description: "Two." },
    ]);
  });
});

test("the README lists the rights of the verify Job's role", async () => {
  const rules: Manifest[] = (await render(withImages({ mode: "rollout" }))).get("Role", "myapp-gate").rules;
  for (const { resources, verbs } of rules) {
    for (const resource of resources) {
      const line = readme
        .slice(readme.indexOf("## Rights"))
        .split("\n")
        .find((row) => row.startsWith("|") && new RegExp(`\\b${resource}\\b[^/]`).test(row));
      expect(line, resource).toContain(`| ${verbs.join(", ")} |`);
    }
  }
});

test("the README lists every type and field of a metric, and every preset", () => {
  const schema = JSON.parse(read("values.schema.json")) as { $defs: { metric: { properties: Manifest } } };
  const { type, ...fields } = schema.$defs.metric.properties;
  const cells = readme
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split(" | ")[0]);
  for (const name of [...type.enum, ...Object.keys(fields)]) {
    expect(
      cells.some((cell) => cell!.includes(`\`${name}\``)),
      name,
    ).toBe(true);
  }
  for (const name of readdirSync(join(CHART, "presets"))) expect(readme).toContain(`(presets/${name})`);
});

test("Chart.yaml announces the newest entries of the changelog", () => {
  const chart = parse(read("Chart.yaml")) as { version: string; annotations: Record<string, string> };
  const [, newest] = read("CHANGELOG.md").split(/^## /m);
  expect(newest!.split("\n")[0]).toBe(chart.version);
  const announced = parse(chart.annotations["artifacthub.io/changes"]!) as { kind: string; description: string }[];
  const listed = newest!
    .split(/^### /m)
    .slice(1)
    .flatMap((section) => {
      const [kind, ...lines] = section.split("\n");
      return lines
        .filter((line) => line.startsWith("- "))
        .map((line) => ({ kind: kind!.toLowerCase(), description: line.slice(2) }));
    });
  expect(announced).toEqual(listed);
});

function leaves(value: unknown, path: string[]): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
    return [path.join(".")];
  }
  return Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]));
}
