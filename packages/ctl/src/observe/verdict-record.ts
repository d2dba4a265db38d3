import { type Kube, resources } from "@safe-deploy/kube";
import { type AttemptRecord, parseRecord, recordName } from "@safe-deploy/verdict-service";

/**
 * What the sequential engine keeps of a Rollout's newest attempt; undefined when it has none that can be read.
 * @throws KubeError when the ConfigMap cannot be asked for.
 */
export async function readVerdictRecord(kube: Kube, rollout: string): Promise<AttemptRecord | undefined> {
  const found = await kube.get(resources.ConfigMap, recordName(rollout));
  if (found?.data === undefined) return undefined;
  try {
    return parseRecord(found.data);
  } catch {
    return undefined;
  }
}
