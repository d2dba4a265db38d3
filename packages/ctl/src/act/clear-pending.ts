import type { Kube } from "@safe-deploy/kube";
import { type HelmRelease, isPending } from "../domain/helm-release.ts";
import { rewriteHelmRecord } from "./helm-record.ts";

/**
 * Ends a Helm operation that no helm is working on any more: the revision becomes `failed`, which is what Helm itself
 * writes when it is interrupted. Without this, Helm refuses every later upgrade ("another operation is in progress").
 *
 * @returns whether there was something to end.
 */
export async function clearPending(kube: Kube, newest: HelmRelease | undefined): Promise<boolean> {
  if (newest === undefined || !isPending(newest)) return false;
  const description = `interrupted while ${newest.info.status}`;
  return await rewriteHelmRecord(kube, { ...newest, info: { ...newest.info, status: "failed", description } });
}
