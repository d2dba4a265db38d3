import { type Kube, type KubeObject, resources } from "@safe-deploy/kube";
import { encodeHelmRelease, type HelmRelease } from "../domain/helm-release.ts";

/**
 * Changes what Helm has written down about a revision.
 *
 * @returns whether Helm still has it.
 */
export async function rewriteHelmRecord(kube: Kube, release: HelmRelease): Promise<boolean> {
  const name = `sh.helm.release.v1.${release.name}.v${release.version}`;
  const secret = await kube.get<KubeObject & { data?: Record<string, string> }>(resources.Secret, name);
  if (secret === undefined) return false;
  await kube.replace({
    ...secret,
    metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: release.info.status } },
    data: { ...secret.data, release: encodeHelmRelease(release) },
  });
  return true;
}
