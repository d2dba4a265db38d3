import { KubeError, resources, type Kube, type KubeObject } from "@safe-deploy/kube";
import { LabError, exitCodes } from "./errors.ts";

/** Put on the namespaces of the lab's own add-ons: `reset` keeps them. */
export const addonLabel = "safe-deploy.dev/lab-addon";

const systemNamespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];

/** Objects that Kubernetes itself keeps in the namespace `default`. */
const systemObjects = ["default", "kube-root-ca.crt", "kubernetes"];

/** The namespaces that a reset deletes. */
export function namespacesToDelete(namespaces: { metadata: KubeObject["metadata"] }[]): string[] {
  return namespaces
    .filter(({ metadata }) => !systemNamespaces.includes(metadata.name) && !metadata.labels?.[addonLabel])
    .map(({ metadata }) => metadata.name);
}

/**
 * Deletes every namespace that belongs neither to Kubernetes nor to an add-on, and whatever people made in `default`;
 * returns the deleted namespaces once they are gone. What lies outside namespaces stays.
 */
export async function resetCluster(kube: Kube, deadlineSeconds: number): Promise<string[]> {
  const { items } = await kube.list(resources.Namespace, { namespace: null });
  const doomed = namespacesToDelete(items);
  await Promise.all(doomed.map((name) => kube.delete(resources.Namespace, name)));
  // Nothing new can be made in them from here on. Nobody waits for what still runs to say goodbye.
  await Promise.all(
    [...doomed, "default"].map((name) => kube.raw("DELETE", `/api/v1/namespaces/${name}/pods?gracePeriodSeconds=1`)),
  );
  await Promise.all([emptyDefaultNamespace(kube), waitUntilGone(kube, doomed, deadlineSeconds)]);
  return doomed;
}

async function emptyDefaultNamespace(kube: Kube): Promise<void> {
  const except = systemObjects.map((name) => `metadata.name!=${name}`).join(",");
  const query = `fieldSelector=${encodeURIComponent(except)}&propagationPolicy=Background`;
  for (const { root, plural } of await collections(kube)) {
    await kube.raw("DELETE", `${root}/namespaces/default/${plural}?${query}`);
  }
}

type ApiResource = { name: string; namespaced: boolean; verbs: string[] };

/** Every kind of object that lives in namespaces and can be deleted all at once. */
async function collections(kube: Kube): Promise<{ root: string; plural: string }[]> {
  const { groups } = (await kube.raw("GET", "/apis")) as { groups: { preferredVersion: { groupVersion: string } }[] };
  const roots = ["/api/v1", ...groups.map((group) => `/apis/${group.preferredVersion.groupVersion}`)];
  const lists = await Promise.all(
    roots.map(async (root) => {
      const { resources: served } = (await servedBy(kube, root)) as { resources: ApiResource[] };
      return served
        .filter((resource) => resource.namespaced && resource.verbs.includes("deletecollection"))
        .map(({ name }) => ({ root, plural: name }));
    }),
  );
  return lists.flat();
}

/** An extension server that does not answer keeps no objects that could be deleted through it. */
async function servedBy(kube: Kube, root: string): Promise<unknown> {
  try {
    return await kube.raw("GET", root);
  } catch (error) {
    if (error instanceof KubeError && error.status === 503) return { resources: [] };
    throw error;
  }
}

async function waitUntilGone(kube: Kube, names: string[], deadlineSeconds: number): Promise<void> {
  const left = new Map<string, KubeObject | undefined>(names.map((name) => [name, undefined]));
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), deadlineSeconds * 1000);
  try {
    for await (const event of kube.watch(resources.Namespace, { namespace: null, signal: end.signal })) {
      if (event.type === "sync") {
        const present = new Set(event.items.map((item) => item.metadata.name));
        for (const name of left.keys()) if (!present.has(name)) left.delete(name);
      } else if (event.type === "deleted") {
        left.delete(event.object.metadata.name);
      } else if (left.has(event.object.metadata.name)) {
        left.set(event.object.metadata.name, event.object);
      }
      if (left.size === 0) return;
    }
  } finally {
    clearTimeout(timer);
    end.abort();
  }
  throw new LabError(
    `waited ${deadlineSeconds} s for namespaces to go; still there:\n${[...left].map(([name, last]) => `  ${name}: ${whyStillThere(last)}`).join("\n")}`,
    { hint: "`lab down` and `lab up` give an empty cluster in any case.", exitCode: exitCodes.deadline },
  );
}

type Condition = { type: string; status: string; message: string };

/** What the namespace controller says hinders it. */
function whyStillThere(namespace: KubeObject | undefined): string {
  const { conditions = [] } = (namespace?.["status"] ?? {}) as { conditions?: Condition[] };
  const hindrances = conditions.filter(({ status }) => status === "True").map(({ message }) => message);
  return hindrances.join("; ") || "no reason given yet";
}
