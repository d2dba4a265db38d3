import { type Kube, type KubeObject, resources } from "@safe-deploy/kube";
import { encodeHelmRelease, type HelmRelease, isPending } from "../domain/helm-release.ts";

/**
 * Ends a Helm operation that no helm is working on any more: the revision becomes `failed`, which is what Helm itself
 * writes when it is interrupted. Without this, Helm refuses every later upgrade ("another operation is in progress").
 *
 * @returns whether there was something to end.
 */
export async function clearPending(kube: Kube, newest: HelmRelease | undefined): Promise<boolean> {
  if (newest === undefined || !isPending(newest)) return false;
  const name = `sh.helm.release.v1.${newest.name}.v${newest.version}`;
  const secret = await kube.get<KubeObject & { data?: Record<string, string> }>(resources.Secret, name);
  if (secret === undefined) return false;
  const failed: HelmRelease = {
    ...newest,
    info: { ...newest.info, status: "failed", description: `interrupted while ${newest.info.status}` },
  };
  await kube.replace({
    ...secret,
    metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: "failed" } },
    data: { ...secret.data, release: encodeHelmRelease(failed) },
  });
  return true;
}
