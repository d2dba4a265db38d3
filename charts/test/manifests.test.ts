import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Rendered } from "./support/helm.ts";

const run = promisify(execFile);
const COMMAND = join(import.meta.dirname, "../manifests.ts");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "manifests-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function manifests(...args: string[]): Promise<Rendered> {
  const { stdout } = await run(process.execPath, [COMMAND, ...args], {
    env: { ...process.env, HELM: inject("helm")[4] },
  });
  return new Rendered(stdout);
}

async function failure(helm: string, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const env = { ...process.env, HELM: helm };
  const outcome = await run(process.execPath, [COMMAND, ...args], { env }).catch((error: unknown) => error);
  return outcome as { code: number; stderr: string };
}

const image = ["--set-string", "image.tag=v1"];

describe("the plain manifests", () => {
  test("hold the service and no hook, whatever the values say of hooks", async () => {
    const database = [
      "--set",
      "verify.enabled=true,migrations.enabled=true,networkPolicy.enabled=true",
      "--set",
      "secrets.DB_DSN=a",
    ];
    const rendered = await manifests(...image, ...database);
    expect(rendered.ids().map((id) => id.replace(/-[0-9a-f]{10}$/, ""))).toEqual([
      "ConfigMap/myapp-config",
      "Deployment/myapp",
      "NetworkPolicy/myapp",
      "PodDisruptionBudget/myapp",
      "Secret/myapp-secret",
      "Service/myapp",
      "ServiceAccount/myapp",
    ]);
    expect(rendered.hookObjects).toEqual([]);
  });

  test("name the namespace and the release in every object", async () => {
    const rendered = await manifests(...image, "--release", "shop", "-n", "market");
    for (const { metadata } of rendered.objects) {
      expect(metadata.namespace).toBe("market");
      expect(metadata.labels["app.kubernetes.io/instance"]).toBe("shop");
    }
  });

  test("are the same again, and change no object that cannot be changed", async () => {
    const [first, again, changed] = await Promise.all([
      manifests(...image, "--set", "config.A=1"),
      manifests(...image, "--set", "config.A=1"),
      manifests(...image, "--set", "config.A=2"),
    ]);
    expect(again.text).toBe(first.text);
    const fixed = (rendered: Rendered) =>
      rendered.objects.filter((object) => object.immutable).map((o) => o.metadata.name);
    expect(fixed(first)).toHaveLength(2);
    expect(fixed(changed).filter((name) => fixed(first).includes(name))).toEqual([]);
    expect(changed.deployment.spec.selector).toEqual(first.deployment.spec.selector);
  });

  test("put first what the workload needs", async () => {
    const kinds = (await manifests(...image)).objects.map((object) => object.kind);
    for (const kind of ["ServiceAccount", "ConfigMap", "Secret"]) {
      expect(kinds.indexOf(kind)).toBeLessThan(kinds.indexOf("Deployment"));
    }
  });

  test("take values files, and go to a file", async () => {
    const valuesFile = join(folder, "values.yaml");
    const output = join(folder, "out.yaml");
    await writeFile(valuesFile, "image: { tag: v7 }\nreplicaCount: 5\n");
    await manifests("-f", valuesFile, "-o", output);
    const rendered = new Rendered(await readFile(output, "utf8"));
    expect(rendered.deployment.spec.replicas).toBe(5);
    expect(rendered.container.image).toBe("registry.local/myapp:v7");
  });
});

describe("the command", () => {
  test("passes on what Helm says of wrong values, and writes nothing", async () => {
    const { code, stderr } = await failure(inject("helm")[4], "-o", join(folder, "never.yaml"));
    expect(code).toBe(1);
    expect(stderr).toContain("image: neither tag nor digest is set");
    await expect(readFile(join(folder, "never.yaml"))).rejects.toThrow(/ENOENT/);
  });

  test("says how to use it when an option is wrong", async () => {
    const { code, stderr } = await failure(inject("helm")[4], "--nonsense");
    expect(code).toBe(2);
    expect(stderr).toMatch(/--nonsense[\s\S]*--namespace NAME/);
  });

  test("says what to do without Helm", async () => {
    const { code, stderr } = await failure("/nowhere/helm", ...image);
    expect(code).toBe(1);
    expect(stderr).toContain("Set HELM");
  });
});
