import { describe, expect, it } from "vitest";
import { catalog, toolNames } from "../../src/toolchain/catalog.ts";
import { buildFlags, cacheKey, makeRecipe, versionIn } from "../../src/toolchain/recipe.ts";

describe("cacheKey", () => {
  const inputs = {
    files: { "go.mod": "module a", "go.sum": "h1:x" },
    package: ".",
    flags: ["-trimpath"],
    go: "go1.26.8",
    arch: "amd64" as const,
  };

  it("is the same for the same inputs, in whatever order the files were read", () => {
    expect(cacheKey({ ...inputs, files: { "go.sum": "h1:x", "go.mod": "module a" } })).toBe(cacheKey(inputs));
  });

  it.each([
    ["a module file", { files: { ...inputs.files, "go.sum": "h1:y" } }],
    ["the package", { package: "./cmd/b" }],
    ["a flag", { flags: ["-trimpath", "-tags=x"] }],
    ["the compiler", { go: "go1.26.9" }],
    ["the architecture", { arch: "arm64" as const }],
  ])("changes with %s", (_, change) => {
    expect(cacheKey({ ...inputs, ...change })).not.toBe(cacheKey(inputs));
  });
});

describe("versionIn", () => {
  const goMod =
    "module a\n\ngo 1.26.0\n\nrequire example.org/one v1.2.3\n\nrequire (\n\texample.org/two/v2 v2.0.1 // indirect\n)\n";

  it("reads a required version, on a line of its own or in a block", () => {
    expect(versionIn(goMod, "example.org/one")).toBe("v1.2.3");
    expect(versionIn(goMod, "example.org/two/v2")).toBe("v2.0.1");
  });

  it("gives a module of the lab's own a version, and refuses one that is not required", () => {
    expect(versionIn(goMod, "a")).toBe("v1.0.0");
    expect(() => versionIn(goMod, "example.org/three")).toThrow("example.org/three");
  });
});

describe("buildFlags", () => {
  it("stamps the version that go.mod has into Kubernetes' binaries", () => {
    const flags = buildFlags(catalog.kube, "v1.35.4").join("\n");
    expect(flags).toContain("-X k8s.io/component-base/version.gitVersion=v1.35.4");
    expect(flags).toContain("-X k8s.io/component-base/version.gitMinor=35");
  });

  it("names Prometheus by its program's version, not its library's", () => {
    expect(buildFlags(catalog.prometheus, "v0.315.2").join("\n")).toContain("version.Version=3.15.2");
  });
});

describe("the committed modules", () => {
  it.each(toolNames)("%s: go.mod requires what is compiled, and the lock file is there", async (name) => {
    const recipe = await makeRecipe(name, "arm64");
    expect(recipe.version).toMatch(/^v\d+\.\d+\.\d+/);
    expect(recipe.key).toMatch(/^[0-9a-f]{16}$/);
  });
});
