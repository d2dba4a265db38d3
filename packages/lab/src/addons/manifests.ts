import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import type { Deployment, KubeObject } from "@safe-deploy/kube";
import { loadAll } from "js-yaml";
import { LabError } from "../errors.ts";
import { toolOf, type ToolName } from "../toolchain/catalog.ts";
import { goEnvironment, moduleDirectory } from "../toolchain/recipe.ts";
import type { Addon, Changes } from "./catalog.ts";

/** Files of packages/lab/addons, files of a Go module in the version that the tool `of` is built from, or a namespace. */
export type ManifestSource =
  | { own: string }
  | { module: string; of: ToolName; files: readonly string[] }
  | { namespace: string };

/** Every object of an add-on as it is to be in the cluster; its container runs `image`. */
export async function readManifests(addon: Addon, image: string): Promise<KubeObject[]> {
  const sources = await Promise.all(addon.manifests.map(readSource));
  const objects = sources.flat();
  const config = objects.filter((object) => ["ConfigMap", "Secret"].includes(object.kind));
  const hash = createHash("sha256").update(JSON.stringify(config)).digest("hex").slice(0, 16);
  return objects.map((object) => adapt(object, addon, { image, config: hash }));
}

async function readSource(source: ManifestSource): Promise<KubeObject[]> {
  if ("namespace" in source) {
    return [{ apiVersion: "v1", kind: "Namespace", metadata: { name: source.namespace } }];
  }
  if ("own" in source) return parse(path.resolve(import.meta.dirname, "../../addons", source.own));
  const directory = await sourceOf(source.module, source.of);
  return source.files.flatMap((file) => parse(path.join(directory, file)));
}

function parse(file: string): KubeObject[] {
  return loadAll(readFileSync(file, "utf8")).filter(
    (document) => document !== null && document !== undefined,
  ) as KubeObject[];
}

/** Where Go keeps the module's source, fetched if it is not there. */
async function sourceOf(module: string, tool: ToolName): Promise<string> {
  const cwd = moduleDirectory(toolOf(tool).module);
  try {
    const options = { cwd, env: goEnvironment() };
    const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", module], options);
    return (JSON.parse(stdout) as { Dir: string }).Dir;
  } catch (cause) {
    throw new LabError(`the manifests of ${module} could not be fetched: ${(cause as Error).message}`, {
      hint: "Check that the Go module proxy can be reached (go env GOPROXY).",
      cause,
    });
  }
}

/** Kinds that upstream's manifests leave to the installer to put into a namespace. */
const namespaced = new Set(["ConfigMap", "Deployment", "Secret", "Service", "ServiceAccount"]);

/**
 * One of upstream's objects as the lab wants it; the object itself is not changed.
 * `config` changes with the add-on's ConfigMaps and Secrets, which its program reads only when it starts.
 */
export function adapt(object: KubeObject, addon: Addon, o: { image: string; config: string }): KubeObject {
  const changes = addon.changes;
  let adapted = structuredClone(object);
  if (namespaced.has(adapted.kind)) adapted.metadata.namespace ??= addon.namespace;
  if (adapted.kind === "ClusterRoleBinding") adapted = withSubjectNamespace(adapted, addon.namespace);
  const labels = changes?.commonLabels;
  if (labels) {
    adapted.metadata.labels = { ...adapted.metadata.labels, ...labels };
    if (adapted.kind === "Service") {
      adapted["spec"] = withSelector(adapted["spec"] as Record<string, unknown>, labels);
    }
  }
  return adapted.kind === "Deployment" ? adaptDeployment(adapted as Deployment, changes, o) : adapted;
}

/** Accounts that upstream's manifests put into "default" are where the lab installs them. */
function withSubjectNamespace(binding: KubeObject, namespace: string): KubeObject {
  const subjects = (binding["subjects"] as { kind: string; namespace?: string }[]).map((subject) =>
    subject.kind === "ServiceAccount" && subject.namespace === "default" ? { ...subject, namespace } : subject,
  );
  return { ...binding, subjects };
}

function withSelector(spec: Record<string, unknown>, labels: Record<string, string>): Record<string, unknown> {
  return { ...spec, selector: { ...(spec["selector"] as object | undefined), ...labels } };
}

function adaptDeployment(
  deployment: Deployment,
  changes: Changes | undefined,
  o: { image: string; config: string },
): Deployment {
  const { spec } = deployment;
  const [container, ...others] = spec.template.spec.containers;
  if (!container || others.length > 0) throw new Error(`${deployment.metadata.name} has not exactly one container`);
  // The image never changes under its name; asking the registry at every start would only slow it down.
  Object.assign(container, { image: o.image, imagePullPolicy: "IfNotPresent" });
  const labels = changes?.commonLabels ?? {};
  const metadata = spec.template.metadata ?? {};
  spec.selector = { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, ...labels } };
  spec.template.metadata = {
    ...metadata,
    labels: { ...metadata.labels, ...labels },
    annotations: { ...metadata.annotations, ...changes?.podAnnotations, "safe-deploy.dev/config": o.config },
  };
  if (!changes) return deployment;
  container.resources = changes.resources;
  if (changes.args) container.args = mergeArgs(container.args ?? [], changes.args);
  if (changes.readinessProbe) container.readinessProbe = changes.readinessProbe;
  return deployment;
}

/** A flag given in `more` takes the place of the same flag in `args`. */
export function mergeArgs(args: readonly string[], more: readonly string[]): string[] {
  const flag = (argument: string) => argument.split("=", 1)[0];
  const replaced = new Set(more.map(flag));
  return [...args.filter((argument) => !replaced.has(flag(argument))), ...more];
}
