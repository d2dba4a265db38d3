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
  "prometheus-operator": { User: "65534:65534" },
  "prometheus-config-reloader": { User: "65534:65534" },
  traefik: { User: "65532:65532" },
  "kube-state-metrics": { User: "65534:65534" },
  "metrics-server": { User: "65534:65534" },
  "rollouts-controller": { User: "999:999", WorkingDir: "/" },
  podinfo: { User: "65532:65532" },
} as const satisfies Partial<Record<ToolName, Omit<RuntimeConfig, "Entrypoint">>>;

export type ProgramName = keyof typeof programs;

/**
 * Where a program's image is, how it runs and a hash of what is in it. Its tag changes with its content, so that a
 * node never takes an older one for it; pause and podinfo have a fixed tag, because others refer to them.
 */
export async function programImage(
  name: ProgramName,
): Promise<{ reference: Reference; config: RuntimeConfig; content: string }> {
  const { key, version } = await makeRecipe(name, hostArchitecture());
  const config: RuntimeConfig = { ...programs[name], Entrypoint: [`/bin/${name}`] };
  const content = createHash("sha256")
    .update(JSON.stringify([key, config]))
    .digest("hex");
  const fixed: Partial<Record<ProgramName, string>> = { pause: "1", podinfo: "6.9.2" };
  const tag = fixed[name] ?? `${version}-${content.slice(0, 8)}`;
  return { reference: { repository: name, tag }, config, content };
}

/** Pushes an image FROM scratch that holds one static binary in /bin, unless the registry has it. Returns its name. */
export async function ensureProgramImage(
  registry: Registry,
  name: ProgramName,
  binary: Promise<string>,
): Promise<string> {
  const { reference, config, content } = await programImage(name);
  if (await isPushed(registry, reference, content)) return formatReference(reference);
  const file = await binary;
  const archive = path.join(cacheDirectory, "layers", `${name}-${content.slice(0, 16)}-${process.pid}.tar`);
  try {
    const place = ["--transform=s,^,bin/,", "--directory", path.dirname(file)];
    const layer = await writeLayer(archive, [...place, path.basename(file)]);
    await pushImage(registry, reference, { layer, config, architecture: hostArchitecture(), content });
  } finally {
    rmSync(archive, { force: true });
  }
  return formatReference(reference);
}
