import { type Kube, KubeError, type KubeObject, resources } from "@safe-deploy/kube";
import type { ReleaseFacts } from "../domain/facts.ts";

/**
 * The release's own autoscaler that counts the pods now, where the objects to be applied leave it out. One that was made
 * beside the release stays, whatever is applied.
 */
export async function lostAutoscaler(
  kube: Kube,
  { release, workload }: Pick<ReleaseFacts, "release" | "workload">,
  objects: readonly KubeObject[],
): Promise<KubeObject | undefined> {
  if (objects.some(({ kind }) => kind === "HorizontalPodAutoscaler")) return undefined;
  try {
    const live = await kube.get<KubeObject>(resources.HorizontalPodAutoscaler, workload.name);
    return live?.metadata.annotations?.["meta.helm.sh/release-name"] === release ? live : undefined;
  } catch (error) {
    // Whoever may not read autoscalers has never deployed one.
    if (error instanceof KubeError && error.status === 403) return undefined;
    throw error;
  }
}
