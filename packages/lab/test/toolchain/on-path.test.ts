import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { catalog } from "../../src/toolchain/catalog.ts";
import { findOnPath, isInRange } from "../../src/toolchain/on-path.ts";

describe("isInRange", () => {
  it.each([
    ["v3.22.0", true],
    ["v3.21.9", false],
    ["v4.0.4+g1234567", false],
    ["v4.0.5+g1234567", true],
    ["v4.1.0", false],
    ["v4.1.4+g05fa379", false],
    ["v4.1.5", true],
    ["v4.3.1", true],
    ["v5.0.0", false],
    ["", false],
    ["not a version", false],
  ])("helm %j: %s", (output, expected) => {
    expect(isInRange(output, catalog.helm.onPath.range)).toBe(expected);
  });

  it.each([
    ["Client Version: v1.33.9\nKustomize Version: v5.7.1", false],
    ["Client Version: v1.34.0\nKustomize Version: v5.7.1", true],
    ["Client Version: v1.35.2-gke.100\nKustomize Version: v5.7.1", true],
    ["Client Version: v1.36.1\nKustomize Version: v5.7.1", true],
    ["Client Version: v1.37.0\nKustomize Version: v5.7.1", false],
  ])("kubectl %j: %s", (output, expected) => {
    expect(isInRange(output, catalog.kubectl.onPath.range)).toBe(expected);
  });

  it("k6 from 1.0 on", () => {
    expect(isInRange("k6 v0.57.0 (go1.24.0, linux/amd64)", catalog.k6.onPath.range)).toBe(false);
    expect(isInRange("k6 v1.8.1 (go1.26.8, linux/amd64)", catalog.k6.onPath.range)).toBe(true);
  });
});

describe("findOnPath", () => {
  let directory: string;
  const cache = () => path.join(directory, "cache");
  const environment = () => ({ PATH: [path.join(directory, "bin"), "/usr/bin", "/bin"].join(":") });

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "on-path-"));
    mkdirSync(path.join(directory, "bin"));
    mkdirSync(cache());
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function helmSaying(file: string, words: string): string {
    writeFileSync(file, `#!/bin/sh\n${words}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  it("takes a helm of a supported version", async () => {
    const helm = helmSaying(path.join(directory, "bin/helm"), "echo v4.3.0+gabc");
    expect(await findOnPath(catalog.helm, environment(), cache())).toBe(helm);
  });

  it("leaves one that is too old, and one that does not tell", async () => {
    helmSaying(path.join(directory, "bin/helm"), "echo v3.14.0");
    expect(await findOnPath(catalog.helm, environment(), cache())).toBeUndefined();
    helmSaying(path.join(directory, "bin/helm"), "exit 1");
    expect(await findOnPath(catalog.helm, environment(), cache())).toBeUndefined();
  });

  it("does not take the cache's own binary for the person's", async () => {
    symlinkSync(helmSaying(path.join(cache(), "helm"), "echo v4.3.1"), path.join(directory, "bin/helm"));
    expect(await findOnPath(catalog.helm, environment(), cache())).toBeUndefined();
  });

  it("never looks for a tool that only the lab uses", async () => {
    helmSaying(path.join(directory, "bin/pause"), "echo v1.0.0");
    expect(await findOnPath(catalog.pause, environment(), cache())).toBeUndefined();
  });
});
