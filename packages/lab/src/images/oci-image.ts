import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "../command.ts";
import type { Architecture } from "../toolchain/recipe.ts";
import type { Manifest, Reference, Registry } from "./registry.ts";

/** What a container of the image runs as, in the words of the OCI image configuration. */
export type RuntimeConfig = {
  /** Numeric, so that runAsNonRoot can be checked. */
  User: string;
  Entrypoint?: readonly string[];
  Cmd?: readonly string[];
  Env?: readonly string[];
  WorkingDir?: string;
  StopSignal?: string;
};

/** A tar archive on disk. */
export type Layer = { file: string; digest: string; size: number };

/** Under which a manifest says what it was made from. */
const contentAnnotation = "safe-deploy.dev/content";

/**
 * Archives files as one layer, without compression: it travels only over loopback.
 * The same files give the same bytes. `files` are the arguments of tar that name them.
 */
export async function writeLayer(file: string, files: string[]): Promise<Layer> {
  mkdirSync(path.dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  try {
    const reproducible = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"];
    await run("tar", ["--create", ...reproducible, "--file", unfinished, ...files]);
    renameSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
  return await readLayer(file);
}

export async function readLayer(file: string): Promise<Layer> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return { file, digest: `sha256:${hash.digest("hex")}`, size: statSync(file).size };
}

/** Whether the registry has the image, made from what `content` is the hash of. */
export async function isPushed(registry: Registry, reference: Reference, content: string): Promise<boolean> {
  const found = await registry.manifest(reference);
  return found?.manifest.annotations?.[contentAnnotation] === content;
}

/** Makes an image of one layer and pushes it. */
export async function pushImage(
  registry: Registry,
  reference: Reference,
  image: { layer: Layer; config: RuntimeConfig; architecture: Architecture; content: string },
): Promise<void> {
  const { layer } = image;
  const config = Buffer.from(JSON.stringify(imageConfig(image)));
  const configDigest = `sha256:${createHash("sha256").update(config).digest("hex")}`;
  await Promise.all([
    pushMissing(registry, reference.repository, layer.digest, layer.file),
    pushMissing(registry, reference.repository, configDigest, config),
  ]);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: configDigest, size: config.length },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: layer.digest, size: layer.size }],
    annotations: { [contentAnnotation]: image.content },
  };
  await registry.pushManifest(reference, manifest);
}

async function pushMissing(
  registry: Registry,
  repository: string,
  digest: string,
  content: string | Buffer<ArrayBuffer>,
): Promise<void> {
  if (!(await registry.hasBlob(repository, digest))) await registry.pushBlob(repository, digest, content);
}

export function imageConfig(image: { layer: Layer; config: RuntimeConfig; architecture: Architecture }): object {
  return {
    architecture: image.architecture,
    os: "linux",
    config: image.config,
    rootfs: { type: "layers", diff_ids: [image.layer.digest] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "safe-deploy lab" }],
  };
}
