import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listImages } from "../../src/images/images.ts";
import { isPushed, pushImage, readLayer, writeLayer } from "../../src/images/oci-image.ts";
import { Registry } from "../../src/images/registry.ts";
import { freePort, startRegistry } from "./registry-server.ts";

const exec = promisify(execFile);
let directory: string;
let server: Awaited<ReturnType<typeof startRegistry>>;
let registry: Registry;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "images-"));
  server = await startRegistry();
  registry = new Registry(server.address);
}, 300_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

async function layerOf(content: string) {
  const files = mkdtempSync(path.join(directory, "files-"));
  writeFileSync(path.join(files, "program"), content, { mode: 0o755 });
  return await writeLayer(path.join(files, "../layer.tar"), ["--directory", files, "program"]);
}

const config = { User: "65532:65532", Entrypoint: ["/program"] };
const image = (layer: Awaited<ReturnType<typeof layerOf>>, content: string) =>
  ({ layer, config, architecture: "amd64", content }) as const;

it("pushes an image that other clients read and verify", { timeout: 60_000 }, async () => {
  const reference = { repository: "team/program", tag: "1" };
  const layer = await layerOf("#!/bin/sh\necho hello\n");
  await pushImage(registry, reference, image(layer, "first"));

  // buildah checks every digest and size, and that the configuration's layers are the archives'.
  const storage = [`--root=${directory}/storage`, `--runroot=${directory}/run`, "--storage-driver=vfs"];
  const buildah = async (...args: string[]) => (await exec("buildah", [...storage, ...args])).stdout.trim();
  const pulled = await buildah("pull", "--quiet", "--tls-verify=false", `docker://${registry.address}/team/program:1`);
  const { OCIv1 } = JSON.parse(await buildah("inspect", "--type=image", pulled)) as { OCIv1: object };
  expect(OCIv1).toMatchObject({ architecture: "amd64", os: "linux", config });
  const container = await buildah("from", pulled);
  const root = await buildah("mount", container);
  try {
    const { mode, uid } = statSync(path.join(root, "program"));
    expect([mode & 0o777, uid]).toEqual([0o755, 0]);
    expect(readFileSync(path.join(root, "program"), "utf8")).toContain("echo hello");
  } finally {
    await buildah("rm", container);
  }
});

it("knows by what an image was made from whether it is there", async () => {
  const reference = { repository: "program", tag: "2" };
  expect(await isPushed(registry, reference, "a")).toBe(false);
  await pushImage(registry, reference, image(await layerOf("one"), "a"));
  expect(await isPushed(registry, reference, "a")).toBe(true);
  expect(await isPushed(registry, reference, "b")).toBe(false);
  await pushImage(registry, reference, image(await layerOf("two"), "b"));
  expect(await isPushed(registry, reference, "a")).toBe(false);
  expect(await isPushed(registry, reference, "b")).toBe(true);
});

it("lists what was pushed, with its size", async () => {
  const layer = await layerOf("listed");
  await pushImage(registry, { repository: "listed", tag: "1" }, image(layer, "c"));
  const listed = await listImages(registry);
  expect(listed).toContainEqual({
    reference: "registry.local/listed:1",
    digest: expect.stringMatching(/^sha256:/),
    sizeBytes: layer.size,
  });
  expect(await registry.tags("never-pushed")).toEqual([]);
});

it("the same files give the same archive", async () => {
  const [first, second] = [await layerOf("same"), await layerOf("same")];
  expect(first.digest).toBe(second.digest);
  expect((await readLayer(first.file)).digest).toBe(first.digest);
  expect((await layerOf("other")).digest).not.toBe(first.digest);
});

it("a registry that is not there is named, with what to do", async () => {
  const nobody = new Registry(`127.0.0.1:${await freePort()}`);
  await expect(nobody.tags("x")).rejects.toThrow(`the registry at ${nobody.address} does not answer`);
});
