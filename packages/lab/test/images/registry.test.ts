import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isPushed, pushImage, readLayer, writeLayer } from "../../src/images/oci-image.ts";
import { listImages } from "../../src/images/images.ts";
import { Registry } from "../../src/images/registry.ts";

const exec = promisify(execFile);
let directory: string;
let server: ChildProcess;
let registry: Registry;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "registry-"));
  const address = `127.0.0.1:${await freePort()}`;
  const config = path.join(directory, "config.yaml");
  writeFileSync(
    config,
    `version: "0.1"\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: ${directory}/data}}\nhttp: {addr: "${address}"}\n`,
  );
  server = spawn("docker-registry", ["serve", config], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: server.stderr! })) {
    if (line.includes("listening on")) break;
  }
  server.stderr!.resume();
  registry = new Registry(address);
});

afterAll(async () => {
  const ended = once(server, "exit");
  server.kill();
  await ended;
  rmSync(directory, { recursive: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

async function layerOf(content: string) {
  const files = mkdtempSync(path.join(directory, "files-"));
  writeFileSync(path.join(files, "program"), content, { mode: 0o755 });
  return await writeLayer(path.join(files, "../layer.tar"), ["--directory", files, "program"]);
}

const config = { User: "65532:65532", Entrypoint: ["/program"] };
const image = (layer: Awaited<ReturnType<typeof layerOf>>, content: string) =>
  ({ layer, config, architecture: "amd64", content }) as const;

it("pushes an image that other clients read and verify", async () => {
  const reference = { repository: "team/program", tag: "1" };
  const layer = await layerOf("#!/bin/sh\necho hello\n");
  await pushImage(registry, reference, image(layer, "first"));

  // skopeo checks each digest and size, and that the configuration's layers are the archives'.
  const copy = path.join(directory, "copy");
  await exec("skopeo", [
    "copy",
    "--src-tls-verify=false",
    "--override-arch=amd64",
    `docker://${registry.address}/team/program:1`,
    `dir:${copy}`,
  ]);
  const { stdout } = await exec("skopeo", ["inspect", "--config", `dir:${copy}`]);
  expect(JSON.parse(stdout)).toMatchObject({ architecture: "amd64", os: "linux", config });
  const blob = path.join(copy, layer.digest.slice("sha256:".length));
  const listing = await exec("tar", ["--list", "--verbose", "--numeric-owner", "--file", blob]);
  expect(listing.stdout).toMatch(/^-rwxr-xr-x 0\/0 .* program\n$/);
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
