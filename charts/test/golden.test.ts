import { readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { kubeconform } from "./support/kubeconform.ts";
import { CHART, IMAGES, Rendered, type Values, render, renderText, sorted } from "./support/helm.ts";

const GOLDEN = join(import.meta.dirname, "golden");
const files = readdirSync(join(CHART, "ci")).filter((name) => name.endsWith("-values.yaml"));

/** What has to be added to a file that leaves the images to its user. */
const extra: Record<string, Values> = { "lab-values.yaml": IMAGES };

test("there is a value file for each supported combination", () => {
  expect(files.length).toBeGreaterThanOrEqual(14);
});

describe.each(files)("%s", (ci) => {
  const values = extra[ci] ?? {};

  test("renders what was reviewed (UPDATE_GOLDEN=1 writes it anew)", async () => {
    const path = join(GOLDEN, ci.replace("-values.yaml", ".yaml"));
    const text = await renderText(values, { ci });
    if (process.env["UPDATE_GOLDEN"] === "1") {
      await mkdir(GOLDEN, { recursive: true });
      await writeFile(path, text);
    }
    expect(text).toBe(await readFile(path, "utf8"));
  });

  test("renders the same objects with Helm 3 and Helm 4", async () => {
    const [three, four] = await Promise.all([render(values, { ci, helm: 3 }), render(values, { ci, helm: 4 })]);
    expect(sorted(three.objects)).toEqual(sorted(four.objects));
    expect(three.podTemplateText).toBe(four.podTemplateText);
  });

  test("is what the Kubernetes API defines, field by field", async () => {
    const text = await renderText(values, { ci });
    const report = await kubeconform(text);
    expect(report.resources.filter(({ status }) => status !== "statusValid")).toEqual([]);
    expect(report.resources).toHaveLength(new Rendered(text).objects.length);
  });

  test("sets no field to null and renders no Go value", async () => {
    const { text, objects } = await render(values, { ci });
    expect(text).not.toMatch(/<nil>|<no value>|map\[|%!/);
    expect(nulls(objects, "")).toEqual([]);
  });

  test("names the release's namespace in every object", async () => {
    const { objects } = await render(values, { ci, namespace: "elsewhere" });
    expect(new Set(objects.map((object) => object.metadata.namespace))).toEqual(new Set(["elsewhere"]));
  });
});

test("the schemas refuse an unknown field and a wrong type", async () => {
  const text = await renderText();
  const wrong = text.replace("  replicas: 3", "  replicas: three\n  replikas: 3");
  const report = await kubeconform(wrong);
  const invalid = report.resources.filter(({ status }) => status !== "statusValid");
  expect(invalid.map(({ kind }) => kind)).toEqual(["Deployment"]);
  expect(invalid[0]!.msg).toMatch(/replikas/);
  expect(invalid[0]!.msg).toMatch(/replicas/);
});

function nulls(value: unknown, path: string): string[] {
  if (value === null) return [path];
  if (typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, child]) => nulls(child, `${path}.${key}`));
}
