import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { cacheDirectory } from "../identity.ts";
import type { ToolName } from "../toolchain/catalog.ts";
import { hostArchitecture, makeRecipe } from "../toolchain/recipe.ts";
import { isPushed, pushImage, writeLayer, type RuntimeConfig } from "./oci-image.ts";
import { formatReference, type Reference, type Registry } from "./registry.ts";

/** The programs that run in pods, each alone in its image: who they run as, and what they expect around them. */
const programs = {
  // The user of a pod that names none; its only file is the program.
  pause: { User: "65535:65535" },
  coredns: { User: "65532:65532" },
  prometheus: { User: "65534:65534", WorkingDir: "/" },
  traefik: { User: "65532:65532" },
  "kube-state-metrics": { User: "65534:65534" },
  "metrics-server": { User: "65534:65534" },
  "rollouts-controller": { User: "999:999", WorkingDir: "/" },
  podinfo: { User: "65532:65532" },
} as const satisfies Partial<Record<ToolName, Omit<RuntimeConfig, "Entrypoint">>>;

export type ProgramName = keyof typeof programs;

/**
 * Where the program's image is. Its tag changes with the program's build, so that a node never takes an older one
 * for it; pause and podinfo have a fixed tag, because others refer to them.
 */
export async function programReference(name: ProgramName): Promise<Reference> {
  if (name === "pause") return { repository: "pause", tag: "1" };
  const { key, version } = await makeRecipe(name, hostArchitecture());
  if (name === "podinfo") return { repository: "podinfo", tag: "6.9.2" };
  return { repository: name, tag: `${version}-${key.slice(0, 8)}` };
}

/** Pushes an image FROM scratch that holds one static binary, unless the registry has it. Returns its name. */
export async function ensureProgramImage(
  registry: Registry,
  name: ProgramName,
  binary: Promise<string>,
): Promise<string> {
  const architecture = hostArchitecture();
  const reference = await programReference(name);
  const config: RuntimeConfig = { ...programs[name], Entrypoint: [`/${name}`] };
  const { key } = await makeRecipe(name, architecture);
  const content = createHash("sha256")
    .update(JSON.stringify([key, config]))
    .digest("hex");
  if (await isPushed(registry, reference, content)) return formatReference(reference);
  const file = await binary;
  const archive = path.join(cacheDirectory, "layers", `${name}-${key}-${process.pid}.tar`);
  try {
    const layer = await writeLayer(archive, ["--directory", path.dirname(file), path.basename(file)]);
    await pushImage(registry, reference, { layer, config, architecture, content });
  } finally {
    rmSync(archive, { force: true });
  }
  return formatReference(reference);
}
