import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import type * as Dockerfiles from "../../src/images/dockerfile-image.ts";
import { pushImage, writeLayer } from "../../src/images/oci-image.ts";
import { Registry } from "../../src/images/registry.ts";
import { readMounts } from "../../src/node/mounts.ts";
import { startRegistry } from "./registry-server.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let cache: string;
let context: string;
let server: Awaited<ReturnType<typeof startRegistry>>;
let registry: Registry;
let dockerfiles: typeof Dockerfiles;
const realPath = process.env["PATH"];
const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");

beforeAll(async () => {
  cache = mkdtempSync(path.join(tmpdir(), "dockerfile-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  dockerfiles = await import("../../src/images/dockerfile-image.ts");
  server = await startRegistry();
  registry = new Registry(server.address);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});
beforeEach(() => {
  context = mkdtempSync(path.join(cache, "context-"));
  writeFileSync(path.join(context, "Dockerfile"), "FROM scratch\nARG NOTE\nLABEL note=$NOTE\nCOPY file /file\n");
  writeFileSync(path.join(context, "file"), "one");
});

it("numbers a changed image up, and gives an unchanged one the tag that it has", async () => {
  const build = async () =>
    await dockerfiles.buildDockerfile(registry, "registry.local/counted", { directory: context });
  expect(await build()).toBe(`registry.local/counted:${day}.1`);
  expect(await build()).toBe(`registry.local/counted:${day}.1`);
  writeFileSync(path.join(context, "file"), "two");
  expect(await build()).toBe(`registry.local/counted:${day}.2`);
  expect((await registry.tags("counted")).toSorted()).toEqual([`${day}.1`, `${day}.2`]);
});

it("does not run a build again whose files, arguments and base are the same", async () => {
  // Without a PATH there is no builder: only what needs none succeeds.
  const build = async (o: { tag?: string; note: string }) =>
    await dockerfiles.buildDockerfile(registry, "registry.local/known", {
      directory: context,
      base: "sha256:base",
      buildArgs: { NOTE: o.note },
      ...(o.tag === undefined ? {} : { tag: o.tag }),
    });
  const first = await build({ note: "a" });
  vi.stubEnv("PATH", "/nonexistent");
  try {
    expect(await build({ note: "a" })).toBe(first);
    await expect(build({ note: "b" })).rejects.toThrow("could not be started");
    await expect(build({ note: "a", tag: "other" })).rejects.toThrow("could not be started");
    writeFileSync(path.join(context, "file"), "changed");
    await expect(build({ note: "a" })).rejects.toThrow("could not be started");
  } finally {
    vi.stubEnv("PATH", realPath);
  }
});

it("pushes under the tag that is asked for, even where the image has another", async () => {
  const build = async (tag: string, note: string) =>
    await dockerfiles.buildDockerfile(registry, "registry.local/tagged", {
      directory: context,
      tag,
      buildArgs: { NOTE: note },
    });
  await build("v1", "same");
  await build("v2", "same");
  await build("v3", "other");
  const digest = async (tag: string) => (await registry.manifest({ repository: "tagged", tag }))?.digest;
  expect(await digest("v1")).toMatch(/^sha256:/);
  expect(await digest("v2")).toBe(await digest("v1"));
  expect(await digest("v3")).not.toBe(await digest("v1"));
});

it("builds on an image of the lab's registry", async () => {
  await dockerfiles.buildDockerfile(registry, "registry.local/base", { directory: context, tag: "1" });
  writeFileSync(path.join(context, "Dockerfile"), "ARG BASE\nFROM ${BASE}\nCOPY file /second\n");
  const buildArgs = { BASE: "registry.local/base:1" };
  await dockerfiles.buildDockerfile(registry, "registry.local/derived", { directory: context, tag: "1", buildArgs });
  const base = await registry.manifest({ repository: "base", tag: "1" });
  const derived = await registry.manifest({ repository: "derived", tag: "1" });
  expect(derived?.manifest.layers[0]?.digest).toBe(base?.manifest.layers[0]?.digest);
  expect(derived?.manifest.layers).toHaveLength(2);
});

it("gives the same files the same digest, in a registry that has held them and in a new one", async () => {
  const files = mkdtempSync(path.join(cache, "files-"));
  writeFileSync(path.join(files, "file"), "of the base");
  const layer = await writeLayer(path.join(cache, "layer.tar"), ["--directory", files, "file"]);
  writeFileSync(path.join(context, "Dockerfile"), "FROM registry.local/uncompressed:1\nCOPY file /second\n");
  const digestIn = async (where: Registry) => {
    const image = { layer, config: { User: "0:0" }, architecture: "amd64", content: "base" } as const;
    await pushImage(where, { repository: "uncompressed", tag: "1" }, image);
    await dockerfiles.buildDockerfile(where, "registry.local/same", { directory: context, tag: "1" });
    return (await where.manifest({ repository: "same", tag: "1" }))?.digest;
  };
  await using another = await startRegistry();
  const first = await digestIn(registry);
  expect(first).toMatch(/^sha256:/);
  expect(await digestIn(new Registry(another.address))).toBe(first);
});

it("keeps an image for another registry until it is pushed there", async () => {
  const repository = `${registry.address}/elsewhere`;
  const reference = await dockerfiles.buildDockerfile(registry, repository, { directory: context });
  expect(reference).toBe(`${repository}:${day}.1`);
  expect(await registry.tags("elsewhere")).toEqual([]);
  await expect(dockerfiles.pushBuilt(registry, "registry.local/never-built:1")).rejects.toThrow("no image");
});

it("shows the builder's own words when a build fails, and leaves nothing behind", async () => {
  writeFileSync(path.join(context, "Dockerfile"), "FROM scratch\nCOPY missing /missing\n");
  const build = dockerfiles.buildDockerfile(registry, "registry.local/broken", { directory: context });
  await expect(build).rejects.toThrow(/missing/);
  expect(await registry.tags("broken")).toEqual([]);
  expect(readdirSync(path.join(cache, "safe-deploy/buildah")).filter((name) => name.startsWith("work-"))).toEqual([]);
});

it("leaves no mount on the machine", async () => {
  await dockerfiles.buildDockerfile(registry, "registry.local/mounts", { directory: context });
  expect(readMounts().filter((mount) => mount.target.startsWith(cache))).toEqual([]);
});

it("names the Dockerfile that is not there", async () => {
  rmSync(path.join(context, "Dockerfile"));
  const build = dockerfiles.buildDockerfile(registry, "registry.local/none", { directory: context });
  await expect(build).rejects.toThrow(`there is no ${path.join(context, "Dockerfile")}`);
});
