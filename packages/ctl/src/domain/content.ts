import { hashLabel, type PodTemplate } from "@safe-deploy/kube";
import { shortHash } from "./canonical.ts";

/** Written by `kubectl rollout restart`; a restart is not another content. */
const restartAnnotation = "kubectl.kubernetes.io/restartedAt";
/** Written by the controllers, and derived from the rest. */
const derivedLabels = ["pod-template-hash", hashLabel];

/**
 * Identifies what a release runs: its pod template (which names its config version) and the image's digest as run.
 * Two releases with equal ids run the same; the spelling of the image alone does not tell, because a tag can move.
 *
 * @param digest `sha256:…` of the main container's image as the kubelet reports it; undefined when it never ran.
 * @returns 16 hex digits.
 */
export function contentId(template: PodTemplate, digest: string | undefined): string {
  const { labels, annotations } = template.metadata ?? {};
  return shortHash({
    labels: without(labels, derivedLabels),
    annotations: without(annotations, [restartAnnotation]),
    spec: template.spec,
    digest: digest ?? null,
  });
}

function without(map: Record<string, string> | undefined, keys: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !keys.includes(key)));
}

/** The `sha256:…` of an image reference or of a container status's imageID; undefined where it has none. */
export function digestOf(reference: string | undefined): string | undefined {
  return reference?.match(/sha256:[0-9a-f]{64}$/)?.[0];
}
