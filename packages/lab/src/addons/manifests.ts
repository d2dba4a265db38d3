import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import type { Deployment, KubeObject } from "@safe-deploy/kube";
import { loadAll } from "js-yaml";
import { LabError } from "../errors.ts";
import { goEnvironment, moduleDirectory } from "../toolchain/recipe.ts";
import type { Addon, Changes } from "./catalog.ts";

/**
 * Files of packages/lab/addons; files of a Go module in the version that the toolchain's folder `of` requires, all
 * their objects or those of the names in `only`; or a namespace.
 */
export type ManifestSource =
  | { own: string }
  | { module: string; of: string; files: readonly string[]; only?: readonly string[] }
  | { namespace: string };

/** The images of an add-on's programs: of its Deployment's container, and by program what the manifests name. */
export type Images = { main?: string; others: Record<string, string> };

/** Every object of an add-on as it is to be in the cluster. */
export async function readManifests(addon: Addon, images: Images): Promise<KubeObject[]> {
  const sources = await Promise.all(addon.manifests.map(readSource));
  const objects = sources.flat();
  const config = objects.filter((object) => ["ConfigMap", "Secret"].includes(object.kind));
  const hash = createHash("sha256").update(JSON.stringify(config)).digest("hex").slice(0, 16);
  const adapted = objects.map((object) => adapt(object, addon, { image: images.main, config: hash }));
  return withImages(adapted, images.others);
}

/** The same objects with the image's name wherever a text holds `image://PROGRAM`. */
function withImages(objects: KubeObject[], images: Record<string, string>): KubeObject[] {
  const text = JSON.stringify(objects).replaceAll(/image:\/\/([\w-]+)/g, (_, program: string) => {
    const image = images[program];
    if (image === undefined) throw new Error(`no image was given for ${program}`);
    return image;
  });
  return JSON.parse(text) as KubeObject[];
}

async function readSource(source: ManifestSource): Promise<KubeObject[]> {
  if ("namespace" in source) {
    return [{ apiVersion: "v1", kind: "Namespace", metadata: { name: source.namespace } }];
  }
  if ("own" in source) return parse(path.resolve(import.meta.dirname, "../../addons", source.own));
  const { module, of, files, only } = source;
  const directory = await sourceOf(module, of);
  const objects = files.flatMap((file) => parse(path.join(directory, file)));
  if (only === undefined) return objects;
  const found = objects.filter(({ metadata }) => only.includes(metadata.name));
  if (found.length < only.length) throw new Error(`${module} does not have all of ${only.join(", ")}`);
  return found;
}

function parse(file: string): KubeObject[] {
  return loadAll(readFileSync(file, "utf8")).filter(
    (document) => document !== null && document !== undefined,
  ) as KubeObject[];
}

/** Where Go keeps the module's source, fetched if it is not there. */
async function sourceOf(module: string, folder: string): Promise<string> {
  const cwd = moduleDirectory(folder);
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

/** Kinds that upstream's manifests leave to the installer to put into a namespace, or put into "default". */
const namespaced = new Set(["ConfigMap", "Deployment", "Secret", "Service", "ServiceAccount"]);

/**
 * One of upstream's objects as the lab wants it; the object itself is not changed.
 * `config` changes with the add-on's ConfigMaps and Secrets, which its program reads only when it starts.
 */
export function adapt(object: KubeObject, addon: Addon, o: { image: string | undefined; config: string }): KubeObject {
  const changes = addon.changes;
  let adapted = structuredClone(object);
  const { namespace = "default" } = adapted.metadata;
  if (namespaced.has(adapted.kind) && namespace === "default") adapted.metadata.namespace = addon.namespace;
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
  o: { image: string | undefined; config: string },
): Deployment {
  const { spec } = deployment;
  const [container, ...others] = spec.template.spec.containers;
  if (!container || others.length > 0) throw new Error(`${deployment.metadata.name} has not exactly one container`);
  if (o.image === undefined) throw new Error(`no image was given for ${deployment.metadata.name}`);
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
