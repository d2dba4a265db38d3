import { createHash } from "node:crypto";
import {
  eventsOf,
  resources,
  waitUntil,
  type Deployment,
  type Kube,
  type KubeObject,
  type Pod,
  type ReplicaSet,
  type Resource,
  WaitTimeout,
} from "@safe-deploy/kube";
import { LabError } from "../errors.ts";
import { ensureProgramImage, type ProgramName } from "../images/binary-image.ts";
import type { Registry } from "../images/registry.ts";
import { ensureSystemImage } from "../images/system-image.ts";
import { addonOf, profiles, type Addon, type AddonName, type Profile } from "./catalog.ts";
import { readManifests } from "./manifests.ts";

export type InstallOptions = {
  kube: Kube;
  registry: Registry;
  profile: Profile;
  /** The binaries of `programsOf(profile)`, as `startTools` gives them: an add-on is installed as soon as its own is built. */
  tools: Partial<Record<ProgramName, Promise<string>>>;
  /** Runs each add-on's installation as a step of that name. */
  step: (name: string, work: () => Promise<void>) => Promise<void>;
};

/** Seconds from the moment an add-on is applied until it must be ready. */
const deadlineSeconds = 180;

/** By which an object says what it was applied from. */
const contentAnnotation = "safe-deploy.dev/content";

const apiServices: Resource<
  KubeObject & { status?: { conditions?: { type: string; status: string; message?: string }[] } }
> = {
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
};

/** The binaries that an installation needs. */
export function programsOf(profile: Profile): ProgramName[] {
  return profiles[profile].map(addonOf).flatMap((addon) => ("program" in addon.image ? [addon.image.program] : []));
}

/**
 * Installs a profile's add-ons, all at once, and waits until each is ready.
 * What is already as wanted is left alone. Throws one error that names every add-on that failed, and why.
 */
export async function installAddons(o: InstallOptions): Promise<void> {
  const names: readonly AddonName[] = profiles[o.profile];
  const results = await Promise.allSettled(
    names.map(async (name) => {
      const addon = addonOf(name);
      await o.step(`${addon.title} is ready`, () => install(addon, o));
    }),
  );
  const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
  if (errors.length === 1) throw errors[0]!;
  if (errors.length > 1) {
    throw new LabError(errors.map((error) => error.message).join("\n"), { cause: new AggregateError(errors) });
  }
}

async function install(addon: Addon, o: InstallOptions): Promise<void> {
  const image = await ensureImage(addon, o);
  const objects = await readManifests(addon, image);
  const definitions = objects.filter((object) => ["Namespace", "CustomResourceDefinition"].includes(object.kind));
  const rest = objects.filter((object) => !definitions.includes(object));
  await Promise.all(definitions.map((object) => ensureApplied(o.kube, object)));
  await Promise.all(rest.map((object) => ensureApplied(o.kube, object)));
  await waitUntilReady(o.kube, addon);
}

async function ensureImage(addon: Addon, o: InstallOptions): Promise<string> {
  if ("system" in addon.image) return await ensureSystemImage(o.registry, addon.image.system);
  const { program } = addon.image;
  const binary = o.tools[program];
  if (binary === undefined) throw new Error(`no binary was given for ${program}`);
  return await ensureProgramImage(o.registry, program, binary);
}

async function ensureApplied(kube: Kube, object: KubeObject): Promise<void> {
  const content = createHash("sha256").update(JSON.stringify(object)).digest("hex").slice(0, 16);
  const { name, namespace } = object.metadata;
  const live = await kube.get(object, name, namespace === undefined ? {} : { namespace });
  if (live?.metadata.annotations?.[contentAnnotation] === content) return;
  const annotations = { ...object.metadata.annotations, [contentAnnotation]: content };
  await kube.apply({ ...object, metadata: { ...object.metadata, annotations } }, { force: true });
}

async function waitUntilReady(kube: Kube, addon: Addon): Promise<void> {
  const { namespace, deployment: name, apiService } = addon;
  const sources = {
    deployments: { resource: resources.Deployment, namespace, fieldSelector: `metadata.name=${name}` },
    replicaSets: { resource: resources.ReplicaSet, namespace },
    pods: { resource: resources.Pod, namespace },
  };
  const timeoutMs = deadlineSeconds * 1000;
  try {
    const broken = await waitUntil(kube, sources, { what: `${addon.title} to be ready`, timeoutMs }, (state) => {
      const deployment = state.deployments[0];
      const hopeless = newestPods(deployment, state).filter((pod) => statuses(pod).some(isHopeless));
      if (hopeless.length > 0) return hopeless;
      return isReady(deployment) ? [] : undefined;
    });
    if (broken.length > 0) throw await failure(kube, addon, broken, "will not become ready");
    if (apiService !== undefined) {
      const services = { resource: apiServices, fieldSelector: `metadata.name=${apiService}` };
      await waitUntil(kube, { services }, { what: `${apiService} to answer`, timeoutMs }, (state) => {
        const conditions = state.services.flatMap((service) => service.status?.conditions ?? []);
        return conditions.some((it) => it.type === "Available" && it.status === "True") || undefined;
      });
    }
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const deployment = await kube.get(resources.Deployment, name, { namespace });
    const replicaSets = (await kube.list(resources.ReplicaSet, { namespace })).items;
    const pods = newestPods(deployment, { replicaSets, pods: (await kube.list(resources.Pod, { namespace })).items });
    throw await failure(kube, addon, pods, `is not ready: waited ${deadlineSeconds} s for ${error.what}`);
  }
}

export function isReady(deployment: Deployment | undefined): boolean {
  if (!deployment) return false;
  const { status, spec, metadata } = deployment;
  const replicas = spec.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    status?.updatedReplicas === replicas &&
    status.availableReplicas === replicas &&
    status.replicas === replicas
  );
}

/** The pods of the template as it is now: those of an earlier one may be failing for a reason that is mended. */
export function newestPods(
  deployment: Deployment | undefined,
  state: { replicaSets: readonly ReplicaSet[]; pods: readonly Pod[] },
): Pod[] {
  const { generation = 0, annotations, uid } = deployment?.metadata ?? {};
  if ((deployment?.status?.observedGeneration ?? -1) < generation) return [];
  const newest = state.replicaSets.find(
    ({ metadata }) =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid) &&
      metadata.annotations?.[revision] === annotations?.[revision],
  );
  return state.pods.filter(
    (pod) => newest && pod.metadata.ownerReferences?.some((owner) => owner.uid === newest.metadata.uid),
  );
}

const revision = "deployment.kubernetes.io/revision";

function statuses(pod: Pod) {
  return pod.status?.containerStatuses ?? [];
}

/** The image was pushed before the pod was made, so a failing pull does not heal; nor does a program that ended three times. */
export function isHopeless(status: { restartCount: number; state?: { waiting?: { reason?: string } } }): boolean {
  const reason = status.state?.waiting?.reason;
  if (reason === "CrashLoopBackOff") return status.restartCount >= 3;
  return reason === "ImagePullBackOff" || reason === "InvalidImageName" || reason === "CreateContainerConfigError";
}

/** Which pods, and why: states, the last log lines, the events. */
async function failure(kube: Kube, addon: Addon, pods: readonly Pod[], what: string): Promise<LabError> {
  const lines = [`${addon.title} ${what}`];
  if (pods.length === 0) lines.push(`  no pod of the Deployment ${addon.namespace}/${addon.deployment} exists`);
  for (const pod of pods) {
    lines.push(`  pod ${addon.namespace}/${pod.metadata.name}: ${describe(pod)}`);
    const restarted = statuses(pod).some((status) => status.restartCount > 0);
    for (const line of await lastLines(kube, pod, restarted)) lines.push(`    | ${line}`);
    const events = await eventsOf(kube, pod);
    for (const event of events.slice(-3)) lines.push(`    ${event.reason ?? ""}: ${event.message ?? ""}`);
  }
  return new LabError(lines.join("\n"), {
    hint: `kubectl -n ${addon.namespace} describe deployment ${addon.deployment} tells more; \`lab up\` tries again.`,
  });
}

function describe(pod: Pod): string {
  const notMet = pod.status?.conditions
    ?.filter((it) => it.status !== "True")
    .map((it) => it.message ?? it.reason ?? it.type);
  const waiting = statuses(pod).flatMap((status) => {
    const state = status.state?.waiting ?? status.state?.terminated ?? status.lastState?.terminated;
    return state ? [`${status.name} ${state.reason ?? "waits"}${state.message ? `: ${state.message}` : ""}`] : [];
  });
  return [...new Set([pod.status?.phase ?? "Pending", ...waiting, ...(notMet ?? [])])].join("; ");
}

async function lastLines(kube: Kube, pod: Pod, previous: boolean): Promise<string[]> {
  const namespace = pod.metadata.namespace;
  try {
    const log = await kube.logs(pod.metadata.name, { tailLines: 5, previous, namespace });
    return log.trim().split("\n").filter(Boolean);
  } catch {
    // A container that never ran has no log.
    return [];
  }
}
