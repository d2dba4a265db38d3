import { type Kube, type KubeObject, resources } from "@safe-deploy/kube";
import { configToCollect, referencedConfig } from "../domain/config-collection.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import { workloadOf } from "../domain/serving.ts";
import { readWorkload } from "../observe/release-state.ts";

const configLabel = "safe-deploy.dev/config";
const releaseLabel = "safe-deploy.dev/release";

/**
 * Deletes the config versions that nothing refers to any more. The Secret of a version carries the same hash in its
 * name as its ConfigMap, so it is found without a right to list Secrets.
 *
 * @returns the hashes that were deleted.
 */
export async function collectConfig(kube: Kube, facts: ReleaseFacts, ledger: LedgerEntry[]): Promise<string[]> {
  const { items } = await kube.list<KubeObject>(resources.ConfigMap, {
    labelSelector: `${releaseLabel}=${facts.release},${configLabel}`,
  });
  const versions = items.map((item) => ({
    configMap: item.metadata.name,
    hash: item.metadata.labels?.[configLabel] ?? "",
    createdAt: item.metadata.creationTimestamp ?? "",
  }));
  const workload = await readWorkload(kube, facts);
  const templates = [
    workloadOf(workload),
    ...workload.replicaSets,
    ...workload.pods.map((pod) => ({ spec: { template: pod } })),
  ];
  const referenced = new Set(templates.flatMap((object) => [...referencedConfig(object?.spec.template)]));

  const unused = configToCollect(versions, referenced, ledger);
  for (const version of unused) {
    // The Secret first: while its ConfigMap stands, the next collection still finds the pair.
    await kube.delete(resources.Secret, version.configMap.replace(/-config-([0-9a-f]+)$/, "-secret-$1"));
    await kube.delete(resources.ConfigMap, version.configMap);
  }
  return unused.map((version) => version.hash);
}
