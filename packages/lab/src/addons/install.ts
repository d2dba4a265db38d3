import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  eventsOf,
  KubeError,
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
import { addonOf, profiles, type Addon, type AddonName, type Operated, type Profile } from "./catalog.ts";
import { readManifests, type Images } from "./manifests.ts";

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

const betweenLooksMs = 100;

/** By which an object says what it was applied from. */
const contentAnnotation = "safe-deploy.dev/content";

type WithConditions = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };

const apiServices: Resource<WithConditions> = { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService" };
const customResources: Resource<WithConditions> = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
};
const statefulSets: Resource<StatefulSet> = { apiVersion: "apps/v1", kind: "StatefulSet" };

/** What a Deployment and a StatefulSet have in common. */
type Workload = KubeObject & {
  spec: { replicas?: number };
  status?: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
};

type StatefulSet = Workload & { status?: { updateRevision?: string } };

function hasCondition(object: WithConditions, type: string): boolean {
  return object.status?.conditions?.some((it) => it.type === type && it.status === "True") ?? false;
}

/** The binaries that an installation needs. */
export function programsOf(profile: Profile): ProgramName[] {
  return profiles[profile].map(addonOf).flatMap(({ image, alsoRuns = [] }) => {
    return image && "program" in image ? [image.program, ...alsoRuns] : [...alsoRuns];
  });
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
  const objects = await readManifests(addon, await ensureImages(addon, o));
  const definitions = objects.filter((object) => ["Namespace", "CustomResourceDefinition"].includes(object.kind));
  const rest = objects.filter((object) => !definitions.includes(object));
  await Promise.all(definitions.map((object) => ensureApplied(o.kube, object)));
  await waitUntilServed(o.kube, addon, definitionsFor(rest, definitions));
  await Promise.all(rest.map((object) => ensureApplied(o.kube, object)));
  await waitUntilReady(o.kube, addon);
}

async function ensureImages({ image, alsoRuns = [] }: Addon, o: InstallOptions): Promise<Images> {
  const ensure = async (program: ProgramName): Promise<string> => {
    const binary = o.tools[program];
    if (binary === undefined) throw new Error(`no binary was given for ${program}`);
    return await ensureProgramImage(o.registry, program, binary);
  };
  const others: Record<string, string> = {};
  for (const program of alsoRuns) others[program] = await ensure(program);
  if (image === undefined) return { others };
  const main = "system" in image ? await ensureSystemImage(o.registry, image.system) : await ensure(image.program);
  return { main, others };
}

/** The names of the definitions without which the objects are not accepted. */
export function definitionsFor(objects: readonly KubeObject[], definitions: readonly KubeObject[]): string[] {
  const kinds = new Set(objects.map(({ apiVersion, kind }) => `${apiVersion.split("/", 1)[0]}/${kind}`));
  return definitions
    .filter(({ kind }) => kind === "CustomResourceDefinition")
    .filter((definition) => {
      const { group, names } = definition["spec"] as { group: string; names: { kind: string } };
      return kinds.has(`${group}/${names.kind}`);
    })
    .map(({ metadata }) => metadata.name);
}

async function waitUntilServed(kube: Kube, { title }: Addon, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const definitions = { resource: customResources, fieldSelector: `metadata.name=${name}` };
    const what = `${name} of ${title} to be served`;
    const definition = await waitUntil(kube, { definitions }, { what, timeoutMs: deadlineSeconds * 1000 }, (state) =>
      state.definitions.find((definition) => hasCondition(definition, "Established")),
    );
    await untilListed(kube, servedAs(definition), what);
  }
}

/** The API server says that a definition is established a moment before it lists it among what it serves. */
async function untilListed(kube: Kube, resource: Resource, what: string): Promise<void> {
  const deadline = Date.now() + deadlineSeconds * 1000;
  for (;;) {
    try {
      await kube.resourceName(resource);
      return;
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 404)) throw error;
      if (Date.now() > deadline) throw new LabError(`waited ${deadlineSeconds} s for ${what}`, { cause: error });
    }
    await delay(betweenLooksMs);
  }
}

function servedAs(definition: KubeObject): Resource {
  const { group, names, versions } = definition["spec"] as {
    group: string;
    names: { kind: string };
    versions: { name: string; served: boolean }[];
  };
  const served = versions.find((version) => version.served) ?? { name: "v1" };
  return { apiVersion: `${group}/${served.name}`, kind: names.kind };
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
  const { apiService, deployment } = addon;
  if (deployment === undefined) return;
  const timeoutMs = deadlineSeconds * 1000;
  try {
    const what = `${addon.title} to be ready`;
    const broken = await waitUntil(kube, workloadSources(addon), { what, timeoutMs }, (state) => {
      const hopeless = newestPods(state).filter((pod) => statuses(pod).some(isHopeless));
      if (hopeless.length > 0) return hopeless;
      return areReady(addon, state) ? [] : undefined;
    });
    if (broken.length > 0) throw await failure(kube, addon, broken, "will not become ready");
    if (apiService !== undefined) {
      const services = { resource: apiServices, fieldSelector: `metadata.name=${apiService}` };
      await waitUntil(kube, { services }, { what: `${apiService} to answer`, timeoutMs }, (state) => {
        return state.services.some((service) => hasCondition(service, "Available")) || undefined;
      });
    }
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const state = await readWorkloads(kube, addon);
    const pods = state ? newestPods(state) : [];
    throw await failure(kube, addon, pods, `is not ready: waited ${deadlineSeconds} s for ${error.what}`);
  }
}

/** What is looked at to tell whether an add-on's workloads are ready. */
export function workloadSources({ namespace, deployment, operated }: Addon) {
  const named = (name = "-") => ({ namespace, fieldSelector: `metadata.name=${name}` });
  return {
    deployments: { resource: resources.Deployment, ...named(deployment) },
    replicaSets: { resource: resources.ReplicaSet, namespace },
    pods: { resource: resources.Pod, namespace },
    statefulSets: { resource: statefulSets, ...named(operated?.statefulSet) },
    // Of a kind that every cluster serves where there is nothing to look at.
    operated: { resource: operated?.resource ?? resources.ConfigMap, ...named(operated?.name) } as {
      resource: Resource<Operated>;
    },
  };
}

export type Workloads = {
  deployments: readonly Deployment[];
  replicaSets: readonly ReplicaSet[];
  pods: readonly Pod[];
  statefulSets: readonly StatefulSet[];
  operated: readonly Operated[];
};

/** As they are now. Nothing at all where the add-on was never installed. */
export async function readWorkloads(kube: Kube, addon: Addon): Promise<Workloads | undefined> {
  const { namespace, deployment = "-" } = addon;
  if ((await kube.get(resources.Deployment, deployment, { namespace })) === undefined) return undefined;
  return await waitUntil(kube, workloadSources(addon), { what: addon.title, timeoutMs: 10_000 }, (state) => state);
}

/** Whether the add-on's workloads serve as they were last applied. */
export function areReady({ operated }: Addon, state: Workloads): boolean {
  if (!isReady(state.deployments[0])) return false;
  return operated === undefined || (state.operated.some(isReconciled) && isReady(state.statefulSets[0]));
}

function isReconciled({ metadata, status }: Operated): boolean {
  const condition = status?.conditions?.find(({ type }) => type === "Reconciled");
  return condition?.status === "True" && condition.observedGeneration === metadata.generation;
}

export function isReady(workload: Workload | undefined): boolean {
  if (!workload) return false;
  const { status, spec, metadata } = workload;
  const replicas = spec.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    status?.updatedReplicas === replicas &&
    status.availableReplicas === replicas &&
    status.replicas === replicas
  );
}

/** The pods of the templates as they are now: those of an earlier one may be failing for a reason that is mended. */
export function newestPods({ deployments, replicaSets, pods, statefulSets, operated }: Workloads): Pod[] {
  const ofReplicaSets = replicaSets.filter((replicaSet) =>
    deployments.some(
      ({ metadata, status }) =>
        (status?.observedGeneration ?? -1) >= (metadata.generation ?? 0) &&
        isOwnedBy(replicaSet, metadata.uid) &&
        replicaSet.metadata.annotations?.[revision] === metadata.annotations?.[revision],
    ),
  );
  return pods.filter(
    (pod) =>
      ofReplicaSets.some(({ metadata }) => isOwnedBy(pod, metadata.uid)) ||
      statefulSets.some(
        ({ metadata, status }) =>
          operated.some(isReconciled) &&
          (status?.observedGeneration ?? -1) >= (metadata.generation ?? 0) &&
          isOwnedBy(pod, metadata.uid) &&
          pod.metadata.labels?.["controller-revision-hash"] === status?.updateRevision,
      ),
  );
}

function isOwnedBy(object: KubeObject, uid: string | undefined): boolean {
  return object.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
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
  if (pods.length === 0) lines.push(`  no pod of it exists in ${addon.namespace}`);
  for (const pod of pods) {
    lines.push(`  pod ${addon.namespace}/${pod.metadata.name}: ${describe(pod)}`);
    const restarted = statuses(pod).some((status) => status.restartCount > 0);
    for (const line of await lastLines(kube, pod, restarted)) lines.push(`    | ${line}`);
    const events = await eventsOf(kube, pod);
    for (const event of events.slice(-3)) lines.push(`    ${event.reason ?? ""}: ${event.message ?? ""}`);
  }
  return new LabError(lines.join("\n"), {
    hint: `kubectl -n ${addon.namespace} describe all tells more; \`lab up\` tries again.`,
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
