import type { KubeObject } from "@safe-deploy/kube";
import { loadAll } from "js-yaml";

/** What an object says of the managers of its fields. */
export interface Managed {
  metadata: { managedFields?: { manager?: string; fieldsV1?: Record<string, unknown> }[] };
}

/** Field manager of the number of pods from when the chart stops counting them until the autoscaler sets another number. */
export const replicasOwner = "ctl-replicas";

/** Managers of `spec.replicas`, as the API server keeps them. */
export function replicasManagers(object: Managed): string[] {
  return (object.metadata.managedFields ?? [])
    .filter(({ fieldsV1 }) => {
      const spec = fieldsV1?.["f:spec"] as Record<string, unknown> | undefined;
      return spec?.["f:replicas"] !== undefined;
    })
    .map(({ manager }) => manager ?? "");
}

/**
 * The number of pods that somebody beside Helm has to own before Helm applies a release; undefined: nothing is to be
 * done. Pure.
 *
 * An autoscaler counts the pods where the chart does not. The moment that the chart stops, Helm takes away the number that
 * it set, the API server puts 1 in its place, and all pods but one end, unless the number has another owner. The moment
 * that the chart begins again, the number that the autoscaler set is a conflict.
 *
 * @param s.owner who owns it in between.
 * @param s.live the number now; undefined: there is no such workload.
 * @param s.managers of the number.
 * @param s.rendered the number that is applied; undefined: none.
 * @param s.losesAutoscaler there is an autoscaler, and the release to be applied has none.
 */
export function replicasToOwn(s: {
  owner: string;
  live: number | undefined;
  managers: readonly string[];
  rendered: number | undefined;
  losesAutoscaler: boolean;
}): number | undefined {
  const isHelmsAlone = s.managers.length > 0 && s.managers.every((manager) => manager.startsWith("helm"));
  if (s.live === undefined) return undefined;
  if (s.rendered === undefined) return isHelmsAlone ? s.live : undefined;
  const isHandedBack = s.losesAutoscaler || s.managers.includes(s.owner);
  return isHandedBack && !isHelmsAlone && s.live !== s.rendered ? s.rendered : undefined;
}

/**
 * Manifests with the number of pods left out of one workload. A Helm that merges takes away what its last manifests had
 * and the next ones have not.
 */
export function withoutReplicas(manifests: string, workload: { kind: string; name: string }): string {
  return manifests
    .split(/^---$/m)
    .map((text) => {
      const [object] = loadAll(text) as (KubeObject | null | undefined)[];
      const isIt = object?.kind === workload.kind && object.metadata.name === workload.name;
      return isIt ? text.replace(/^ {2}replicas: \d+\n/m, "") : text;
    })
    .join("---");
}
