import { type Deployment, type KubeObject, resources, type Rollout } from "@safe-deploy/kube";
import type { Context } from "../context.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { type Managed, replicasManagers, replicasOwner, replicasToOwn, withoutReplicas } from "../domain/replicas.ts";
import { lostAutoscaler } from "../observe/autoscaler.ts";
import { workloadResource } from "../observe/release-state.ts";
import { rewriteHelmRecord } from "./helm-record.ts";

/**
 * Sees to it that no pod ends because an autoscaler is switched on or off: to be called before Helm applies these objects
 * over what is live. Can be repeated.
 *
 * @param helm every revision, newest first.
 */
export async function handOverReplicas(
  context: Context,
  facts: ReleaseFacts,
  objects: readonly KubeObject[],
  helm: readonly HelmRelease[],
): Promise<void> {
  const { kind, name } = facts.workload;
  const applied = objects.find((object) => object.kind === kind && object.metadata.name === name);
  const live = await readManaged(context, facts);
  if (applied === undefined || live === undefined) return;
  const rendered = (applied["spec"] as { replicas?: number }).replicas;
  const autoscaler = rendered === undefined ? undefined : await lostAutoscaler(context.kube, facts, objects);
  const own = replicasToOwn({
    owner: replicasOwner,
    live: live.spec.replicas,
    managers: replicasManagers(live),
    rendered,
    losesAutoscaler: autoscaler !== undefined,
  });
  if (autoscaler !== undefined) {
    // Helm would end it only after it has applied the workload: until then, hooks included, it would set its own number
    // again, and Helm's apply would fail on that.
    const { name, uid } = autoscaler.metadata;
    await context.kube.delete(resources.HorizontalPodAutoscaler, name, { uid });
    context.timeline.add({ kind: "pods", what: "the autoscaler ends: this release counts its pods itself" });
  }
  if (own !== undefined) {
    await applyOwned(context, live, { spec: { replicas: own } });
    context.timeline.add({ kind: "pods", what: `${own} pods, whoever counts them from now on` });
  }
  if (rendered === undefined) await forgetReplicas(context, facts, helm);
}

/** Once Helm has applied: where the chart counts the pods again, it alone does, and the next release may change the number. */
export async function handBackReplicas(context: Context, facts: ReleaseFacts): Promise<void> {
  const live = await readManaged(context, facts);
  const managers = live === undefined ? [] : replicasManagers(live);
  if (live === undefined || !managers.includes(replicasOwner)) return;
  if (managers.some((other) => other.startsWith("helm"))) await applyOwned(context, live, {});
}

async function readManaged(
  { kube }: Context,
  facts: ReleaseFacts,
): Promise<((Deployment | Rollout) & Managed) | undefined> {
  return await kube.get<(Deployment | Rollout) & Managed>(workloadResource(facts), facts.workload.name);
}

/** The fields are all that this owner has afterwards. */
async function applyOwned(context: Context, { apiVersion, kind, metadata }: KubeObject, fields: object): Promise<void> {
  const { name, namespace = context.namespace } = metadata;
  const object = { apiVersion, kind, metadata: { name, namespace }, ...fields };
  await context.kube.apply(object, { fieldManager: replicasOwner, force: true });
}

/** For a Helm that merges instead of applying on the server: owners mean nothing to it. */
async function forgetReplicas(
  context: Context,
  { workload }: ReleaseFacts,
  helm: readonly HelmRelease[],
): Promise<void> {
  if (helm[0] === undefined || helm[0]["apply_method"] === "ssa") return;
  // An upgrade compares with what is deployed, a rollback with the newest.
  const compared = new Set([helm[0], helm.find(({ info }) => info.status === "deployed") ?? helm[0]]);
  for (const release of compared) {
    const manifest = withoutReplicas(release.manifest, workload);
    if (manifest !== release.manifest) await rewriteHelmRecord(context.kube, { ...release, manifest });
  }
}
