import { type Kube, resources } from "@safe-deploy/kube";
import type { Operation } from "../domain/operation.ts";

/** The operation that is under way, or was when its ctl died. */
export async function readOperation(kube: Kube, release: string): Promise<Operation | undefined> {
  const text = (await kube.get(resources.ConfigMap, operationName(release)))?.data?.["operation.json"];
  return text === undefined ? undefined : (JSON.parse(text) as Operation);
}

/** The ConfigMap that holds it while it is under way. */
export function operationName(release: string): string {
  return `${release}-operation`;
}
