import { type AnalysisTemplate, type Kube, KubeError, type KubeObject, resources } from "@safe-deploy/kube";
import { readyEndpoints } from "../domain/serving.ts";
import { type Finding, ok, refused, unknown } from "./finding.ts";

const check = "verdict service";

/** Where a gate, or the background beside thresholds, asks for a verdict. */
interface Asked {
  url: string;
  service: string;
  namespace: string;
  /** Whether the weight depends on the answer; in a dry run it does not. */
  decides: boolean;
}

/**
 * Whether somebody answers where verdicts are asked for: without, every gate would wait, and the version be taken back.
 * Undefined where nobody is asked, or somebody outside of the cluster.
 */
export async function verdictServiceFinding(
  kube: Pick<Kube, "list">,
  objects: readonly KubeObject[],
): Promise<Finding | undefined> {
  const asked = askedBy(objects);
  if (asked === undefined) return undefined;
  const { url, service, namespace, decides } = asked;
  const place = `Service ${service} in namespace ${namespace}`;
  try {
    const { items } = await kube.list(resources.EndpointSlice, {
      namespace,
      labelSelector: `kubernetes.io/service-name=${service}`,
    });
    if (readyEndpoints(items).length > 0) return ok(check, `${place} has a pod that is ready`);
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return unknown(check, `whether ${place} runs: ${error.message}`);
  }
  const next = `helm upgrade --install ${service} charts/verdict -n ${namespace} --create-namespace --set image.tag=TAG, or correct analysis.sequential.service.url`;
  const what = `nobody answers at ${url}: ${place} has no pod that is ready`;
  // Beside thresholds it only says what it would have done.
  return decides
    ? refused(check, `${what}, so no gate would pass`, `${next}, or set analysis.engine=thresholds`)
    : unknown(check, what, next);
}

function askedBy(objects: readonly KubeObject[]): Asked | undefined {
  const templates = objects.filter(({ kind }) => kind === "AnalysisTemplate") as AnalysisTemplate[];
  for (const { spec } of templates) {
    for (const { name, provider } of spec.metrics ?? []) {
      const url = provider.web?.url ?? "";
      const [, service, namespace] = /^https?:\/\/([^.:/]+)\.([^.:/]+)\.svc(?:[.:/]|$)/.exec(url) ?? [];
      if (name !== "sequential" || service === undefined || namespace === undefined) continue;
      return { url: new URL(url).origin, service, namespace, decides: spec.dryRun === undefined };
    }
  }
  return undefined;
}
