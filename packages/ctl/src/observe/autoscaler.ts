import { type Kube, KubeError, type KubeObject, resources } from "@safe-deploy/kube";
import type { ReleaseFacts } from "../domain/facts.ts";

/** Whether an autoscaler counts the pods now, and the objects to be applied leave it out. */
export async function losesAutoscaler(
  kube: Kube,
  { workload }: Pick<ReleaseFacts, "workload">,
  objects: readonly KubeObject[],
): Promise<boolean> {
  if (objects.some(({ kind }) => kind === "HorizontalPodAutoscaler")) return false;
  try {
    return (await kube.get(resources.HorizontalPodAutoscaler, workload.name)) !== undefined;
  } catch (error) {
    // Whoever may not read autoscalers has never deployed one.
    if (error instanceof KubeError && error.status === 403) return false;
    throw error;
  }
}
