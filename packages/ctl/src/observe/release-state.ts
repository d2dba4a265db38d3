import {
  type AnalysisRun,
  type Deployment,
  type EndpointSlice,
  type Kube,
  type KubeObject,
  type Pod,
  type ReplicaSet,
  type Resource,
  resources,
  type Rollout,
  waitUntil,
  WaitTimeout,
} from "@safe-deploy/kube";
import { load as parseYaml } from "js-yaml";
import { contentId, digestOf } from "../domain/content.ts";
import { factsFile, parseFacts, type ReleaseFacts } from "../domain/facts.ts";
import { decodeHelmRelease, type HelmHook, type HelmRelease } from "../domain/helm-release.ts";
import { type LedgerEntry, ledgerLabels, newestFirst, verdictOf } from "../domain/ledger.ts";
import type { Operation } from "../domain/operation.ts";
import { readOperation } from "./read-operation.ts";
import { isRolloutObserved } from "../domain/rollout-object.ts";
import { rolloutState, type RolloutState } from "../domain/rollout.ts";
import {
  newReplicaSet,
  noWorkload,
  podsOf,
  presentTemplate,
  runningImageId,
  type WorkloadSnapshot,
} from "../domain/serving.ts";
import { CtlError } from "../errors.ts";

/** Everything that a decision about a release is made from, read at one moment. */
export interface ReleaseState {
  release: string;
  namespace: string;
  /** Every revision that Helm still has, newest first. */
  helm: HelmRelease[];
  ledger: LedgerEntry[];
  /** Of the newest revision that the chart's verification knows; undefined when nothing is installed. */
  facts: ReleaseFacts | undefined;
  live: LiveContent | undefined;
  workload: WorkloadSnapshot;
  /** Of a release that runs as a Rollout. */
  rollout: RolloutState | undefined;
  /** Under way, or left behind by a ctl that died. */
  operation: Operation | undefined;
}

/** What the workload's present template runs. */
export interface LiveContent {
  content: string;
  image: string;
  /** Undefined when no pod of the template has come to run. */
  digest: string | undefined;
  /** The newest verdict on this content. */
  entry: LedgerEntry | undefined;
}

export async function observeRelease(kube: Kube, release: string): Promise<ReleaseState> {
  const [helm, ledger, operation] = await Promise.all([
    readHelmReleases(kube, release),
    readLedger(kube, release),
    readOperation(kube, release),
  ]);
  const facts = newestFacts(helm);
  const [workload, analysisRuns] =
    facts === undefined
      ? [noWorkload, []]
      : await Promise.all([readWorkload(kube, facts), readAnalysisRuns(kube, facts)]);
  const { rollout } = workload;
  return {
    release,
    namespace: kube.namespace,
    helm,
    ledger,
    facts,
    workload,
    rollout: rollout === undefined ? undefined : rolloutState({ ...workload, rollout, analysisRuns }),
    live: facts === undefined ? undefined : liveContent(workload, facts.container, ledger),
    operation,
  };
}

export async function readHelmReleases(kube: Kube, release: string): Promise<HelmRelease[]> {
  const { items } = await kube.list<KubeObject & { data?: Record<string, string> }>(resources.Secret, {
    labelSelector: `owner=helm,name=${release}`,
  });
  return items
    .flatMap((secret) => (secret.data?.["release"] === undefined ? [] : [decodeHelmRelease(secret.data["release"])]))
    .sort((a, b) => b.version - a.version);
}

export async function readLedger(kube: Kube, release: string): Promise<LedgerEntry[]> {
  const { items } = await kube.list<KubeObject & { data?: Record<string, string> }>(resources.ConfigMap, {
    labelSelector: `${ledgerLabels.release}=${release}`,
  });
  return newestFirst(
    items.flatMap((item) =>
      item.data?.["entry.json"] === undefined ? [] : [JSON.parse(item.data["entry.json"]) as LedgerEntry],
    ),
  );
}

/** The objects of the workload and of its Service, for a decision that needs no stream. */
export async function readWorkload(kube: Kube, facts: ReleaseFacts): Promise<WorkloadSnapshot> {
  const labelSelector = selectorText(facts.selector);
  const [workload, replicaSets, pods, endpoints] = await Promise.all([
    readWorkloadObject(kube, facts),
    kube.list<ReplicaSet & KubeObject>(resources.ReplicaSet, { labelSelector }),
    kube.list<Pod & KubeObject>(resources.Pod, { labelSelector }),
    kube.list<EndpointSlice & KubeObject>(resources.EndpointSlice, { labelSelector: serviceSelector(facts) }),
  ]);
  return { ...byKind(workload), replicaSets: replicaSets.items, pods: pods.items, endpoints: endpoints.items };
}

/** What a controller says of a spec that it has not seen yet would be about the one before. In milliseconds. */
const observationMs = 5_000;

/** An autoscaler changes the spec at any time; the controller of a Rollout needs a moment to say that it has seen it. */
async function readWorkloadObject(kube: Kube, facts: ReleaseFacts): Promise<Deployment | Rollout | undefined> {
  const { kind, name } = facts.workload;
  if (kind === "Deployment") return await kube.get(resources.Deployment, name);
  const found = await kube.get(resources.Rollout, name);
  if (found === undefined || isRolloutObserved(found)) return found;
  const rollouts = { resource: resources.Rollout, fieldSelector: `metadata.name=${name}` };
  const what = `Rollout ${name} to be observed`;
  return await waitUntil(kube, { rollouts }, { what, timeoutMs: observationMs }, ({ rollouts: [rollout] }) =>
    rollout !== undefined && isRolloutObserved(rollout) ? rollout : undefined,
  ).catch((error: unknown) => {
    if (error instanceof WaitTimeout) return found;
    throw error;
  });
}

async function readAnalysisRuns(kube: Kube, facts: ReleaseFacts): Promise<AnalysisRun[]> {
  if (facts.workload.kind !== "Rollout") return [];
  const { items } = await kube.list<AnalysisRun>(resources.AnalysisRun, {
    labelSelector: selectorText(facts.selector),
  });
  return items;
}

export function workloadResource(facts: Pick<ReleaseFacts, "workload">): Resource<Deployment | Rollout> {
  return facts.workload.kind === "Rollout" ? resources.Rollout : resources.Deployment;
}

/** The workload's place in a snapshot. */
export function byKind(workload: Deployment | Rollout | undefined): Pick<WorkloadSnapshot, "deployment" | "rollout"> {
  if (workload?.kind === "Rollout") return { deployment: undefined, rollout: workload as Rollout };
  return { deployment: workload as Deployment | undefined };
}

export function liveContent(
  workload: WorkloadSnapshot,
  container: string,
  ledger: readonly LedgerEntry[],
): LiveContent | undefined {
  const template = presentTemplate(workload);
  if (template === undefined) return undefined;
  const image = template.spec.containers.find(({ name }) => name === container)?.image ?? "";
  const digest = digestOf(runningImageId(workload, container)) ?? digestOf(image);
  const content = contentId(template, digest);
  return { content, image, digest, entry: verdictOf(ledger, content) };
}

/** Pods of the present template first, then those that are on their way out. */
export function podsInOrder(workload: WorkloadSnapshot): { pod: Pod; isNew: boolean }[] {
  const fresh = new Set(podsOf(newReplicaSet(workload), workload.pods));
  return workload.pods
    .map((pod) => ({ pod, isNew: fresh.has(pod) }))
    .sort((a, b) => Number(b.isNew) - Number(a.isNew) || (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1));
}

export function selectorText(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

export function serviceSelector(facts: Pick<ReleaseFacts, "service">): string {
  return `kubernetes.io/service-name=${facts.service.name}`;
}

/** What the chart of this revision tells about itself; undefined for a chart that is not ours. */
export function factsOf(release: HelmRelease): ReleaseFacts | undefined {
  const data = hookConfigMap(release.hooks ?? [])?.data?.[factsFile];
  return data === undefined ? undefined : parseFacts(data);
}

/** @throws CtlError CTL_E_NO_RELEASE */
export function requireRelease(state: ReleaseState): { facts: ReleaseFacts; newest: HelmRelease } {
  const newest = state.helm[0];
  if (newest === undefined) {
    throw new CtlError("CTL_E_NO_RELEASE", `there is no release "${state.release}" in namespace "${state.namespace}"`, {
      next: `ctl deploy --release ${state.release} -n ${state.namespace}`,
    });
  }
  if (state.facts === undefined) {
    throw new CtlError(
      "CTL_E_NO_VERIFY",
      `release "${state.release}" comes from chart ${newest.chart.metadata.name}, with no verification that ctl could read`,
      { next: "deploy it with this project's chart and verify.enabled: true" },
    );
  }
  return { facts: state.facts, newest };
}

function newestFacts(helm: readonly HelmRelease[]): ReleaseFacts | undefined {
  for (const release of helm) {
    const facts = factsOf(release);
    if (facts !== undefined) return facts;
  }
  return undefined;
}

function hookConfigMap(hooks: readonly HelmHook[]): { data?: Record<string, string> } | undefined {
  for (const hook of hooks) {
    if (hook.kind !== "ConfigMap") continue;
    const object = parseYaml(hook.manifest) as { data?: Record<string, string> };
    if (object.data?.[factsFile] !== undefined) return object;
  }
  return undefined;
}
