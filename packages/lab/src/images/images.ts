import path from "node:path";
import { LabError, exitCodes } from "../errors.ts";
import { checkout } from "../identity.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { ensureProgramImage } from "./binary-image.ts";
import { buildDockerfile, pushBuilt } from "./dockerfile-image.ts";
import { formatReference, parseReference, registryName, type Registry } from "./registry.ts";
import { ensureSystemImage } from "./system-image.ts";

/** The project's own images, by the folder of their Dockerfile. */
const dockerfiles = {
  app: { directory: "packages/app", repository: `${registryName}/myapp` },
  ctl: { directory: "packages/ctl", repository: `${registryName}/ctl` },
  verdict: { directory: "packages/verdict-service", repository: `${registryName}/verdict` },
  agent: { directory: "packages/agent", repository: `${registryName}/agent` },
} as const;

const madeHere = ["node", "postgres", "podinfo"] as const;

/** What `lab image build` knows by name. */
export const imageNames = [...madeHere, ...(Object.keys(dockerfiles) as (keyof typeof dockerfiles)[])];

export type ImageName = (typeof imageNames)[number];

export type BuildOptions = {
  /** Where the image goes, without a tag; default: its place in the lab's registry. */
  repository?: string;
  tag?: string;
  buildArgs?: Record<string, string>;
  onProgress?: (line: string) => void;
};

export function isImageName(name: string): name is ImageName {
  return (imageNames as readonly string[]).includes(name);
}

function hasDockerfile(name: ImageName): name is keyof typeof dockerfiles {
  return Object.hasOwn(dockerfiles, name);
}

/**
 * Builds one of the project's images; one for the lab's registry is pushed there as well. Returns its full name.
 * What has not changed is neither built nor pushed again.
 */
export async function buildImage(registry: Registry, name: ImageName, o: BuildOptions = {}): Promise<string> {
  if (hasDockerfile(name)) {
    const { directory, repository } = dockerfiles[name];
    const node = await ensureSystemImage(registry, "node");
    const base = (await registry.manifest(parseReference(node)))?.digest;
    return await buildDockerfile(registry, o.repository ?? repository, {
      directory: path.join(checkout, directory),
      buildArgs: { NODE_IMAGE: node, ...o.buildArgs },
      ...(o.tag === undefined ? {} : { tag: o.tag }),
      ...(base === undefined || o.buildArgs?.["NODE_IMAGE"] !== undefined ? {} : { base }),
    });
  }
  if (o.repository !== undefined || o.tag !== undefined || Object.keys(o.buildArgs ?? {}).length > 0) {
    throw new LabError(`the image ${name} has one name and no build arguments`, {
      hint: `Leave --repository, --tag and --build-arg out, or build ${Object.keys(dockerfiles).join(", ")}.`,
      exitCode: exitCodes.usage,
    });
  }
  if (name !== "podinfo") return await ensureSystemImage(registry, name);
  const tools = ensureTools(["podinfo"], o.onProgress ? { onProgress: o.onProgress } : {});
  return await ensureProgramImage(
    registry,
    "podinfo",
    tools.then((found) => found.podinfo),
  );
}

/** Pushes an image that was built here to the registry in its name. */
export async function pushImage(registry: Registry, reference: string): Promise<void> {
  if (isImageName(reference)) {
    await buildImage(registry, reference);
    return;
  }
  await pushBuilt(registry, reference);
}

export type ListedImage = { reference: string; digest: string; sizeBytes: number };

/** What the lab's registry holds, by name. */
export async function listImages(registry: Registry): Promise<ListedImage[]> {
  const listed: ListedImage[] = [];
  for (const repository of (await registry.repositories()).toSorted()) {
    for (const tag of (await registry.tags(repository)).toSorted()) {
      const found = await registry.manifest({ repository, tag });
      // A tag whose image was deleted stays in the registry's list.
      if (!found) continue;
      const sizeBytes = found.manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
      listed.push({ reference: formatReference({ repository, tag }), digest: found.digest, sizeBytes });
    }
  }
  return listed;
}

/** Builds any Dockerfile under the name and tag that are given, as `docker build --file FILE --tag REF DIRECTORY` does. */
export async function buildOther(
  registry: Registry,
  o: { file: string; reference: string; directory: string; buildArgs?: Record<string, string> },
): Promise<string> {
  const { repository, tag } = parseReference(o.reference);
  return await buildDockerfile(registry, `${registryName}/${repository}`, {
    directory: o.directory,
    file: o.file,
    tag,
    buildArgs: o.buildArgs ?? {},
  });
}
