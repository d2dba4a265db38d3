import {
  hashLabel,
  type Kube,
  type KubeObject,
  type Pod,
  type Resource,
  resources,
  type Rollout,
} from "@safe-deploy/kube";
import type { ClusterState } from "./cluster-state.ts";

/**
 * Keeps the state up to date by two watches for the cluster, or two for each of `namespaces`, until the signal aborts.
 * However many Rollouts there are, it asks for nothing else.
 *
 * @param synced is called once everything has been listed.
 * @throws KubeError when a watch ends for a reason that does not heal, such as a missing right.
 */
export async function followCluster(
  kube: Kube,
  state: ClusterState,
  { namespaces, signal, synced }: { namespaces: readonly string[]; signal: AbortSignal; synced: () => void },
): Promise<void> {
  const scopes = namespaces.length === 0 ? [""] : namespaces;
  let unlisted = 2 * scopes.length;
  const listed = () => {
    if (--unlisted === 0) synced();
  };
  await Promise.all(
    scopes.flatMap((scope) => [
      // Pods first in line: an update that is seen finds the pods that it has.
      follow<Pod>(kube, resources.Pod, {
        scope,
        labelSelector: hashLabel,
        signal,
        listed,
        trouble: (message) => state.noteTrouble(`pods ${scope}`, message, Date.now()),
        replace: (pods) => state.replacePods(scope, pods.map(slim)),
        set: (pod) => state.setPod(slim(pod)),
        delete: (pod) => state.deletePod(pod),
      }),
      follow<Rollout>(kube, resources.Rollout, {
        scope,
        signal,
        listed,
        trouble: (message) => state.noteTrouble(`rollouts ${scope}`, message, Date.now()),
        replace: (rollouts) => state.replaceRollouts(scope, rollouts),
        set: (rollout) => state.setRollout(rollout),
        delete: ({ metadata }) => state.deleteRollout(`${metadata.namespace ?? ""}/${metadata.name}`),
      }),
    ]),
  );
}

interface Following<T extends KubeObject> {
  scope: string;
  labelSelector?: string;
  signal: AbortSignal;
  listed: () => void;
  trouble: (message: string | undefined) => void;
  replace: (objects: T[]) => void;
  set: (object: T) => void;
  delete: (object: T) => void;
}

async function follow<T extends KubeObject>(kube: Kube, resource: Resource<T>, o: Following<T>): Promise<void> {
  let isListed = false;
  const scope = { namespace: o.scope === "" ? null : o.scope, labelSelector: o.labelSelector };
  const onTrouble = (error: Error | undefined) => o.trouble(error?.message);
  for await (const event of kube.watch(resource, { ...scope, signal: o.signal, onTrouble })) {
    if (event.type === "sync") {
      o.replace(event.items);
      if (!isListed) o.listed();
      isListed = true;
    } else if (event.type === "deleted") {
      o.delete(event.object);
    } else {
      o.set(event.object);
    }
  }
}

/** What is read of a pod: most of one is its spec, and a large cluster has many. */
function slim({ apiVersion, kind, metadata, status }: Pod): Pod {
  const { name, namespace, labels, creationTimestamp, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: { containers: [] },
    ...(status === undefined
      ? {}
      : {
          status: {
            ...(status.phase === undefined ? {} : { phase: status.phase }),
            ...(status.podIP === undefined ? {} : { podIP: status.podIP }),
            ...(status.conditions === undefined ? {} : { conditions: status.conditions }),
            ...(status.containerStatuses === undefined ? {} : { containerStatuses: status.containerStatuses }),
          },
        }),
  };
}
