import { KubeError, resources, waitUntil, type Kube, type KubeObject, type Pod } from "@safe-deploy/kube";
import { addonOf, profiles, type AddonName } from "./addons/catalog.ts";
import { areReady, readWorkloads, workloadSources } from "./addons/install.ts";

/** The add-ons that keep what others put into them: pods whose volumes go with them. */
const withData: AddonName[] = ["postgres", "prometheus"];

const keptNamespaces = new Set([
  ...["default", "kube-node-lease", "kube-public", "kube-system"],
  ...profiles.all.map((name) => addonOf(name).namespace),
]);

/** Objects that Kubernetes itself keeps in the namespace `default`. */
const systemObjects = ["default", "kube-root-ca.crt", "kubernetes"];

/** The namespaces that a reset deletes. */
export function namespacesToDelete(namespaces: readonly string[]): string[] {
  return namespaces.filter((name) => !keptNamespaces.has(name));
}

/**
 * Deletes every namespace that belongs neither to Kubernetes nor to an add-on and whatever people made in `default`,
 * and replaces the pods of the add-ons that keep data. Returns the deleted namespaces once they are gone and the
 * add-ons are ready again; throws WaitTimeout. What lies outside namespaces stays.
 */
export async function resetCluster(kube: Kube, deadlineSeconds: number): Promise<string[]> {
  const timeoutMs = deadlineSeconds * 1000;
  const { items } = await kube.list(resources.Namespace, { namespace: null });
  const doomed = namespacesToDelete(items.map((namespace) => namespace.metadata.name));
  await Promise.all(doomed.map((name) => kube.delete(resources.Namespace, name)));
  // Nothing new can be made in them from here on. Nobody waits for what still runs to say goodbye.
  await Promise.all([...doomed, "default"].map((name) => deletePodsAtOnce(kube, name)));
  await Promise.all([
    emptyDefaultNamespace(kube),
    waitUntilGone(kube, doomed, timeoutMs),
    ...withData.map((name) => replacePods(kube, name, timeoutMs)),
  ]);
  return doomed;
}

async function deletePodsAtOnce(kube: Kube, namespace: string): Promise<void> {
  await kube.raw("DELETE", `/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=1`);
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

async function waitUntilGone(kube: Kube, names: string[], timeoutMs: number): Promise<void> {
  const left = (namespaces: readonly KubeObject[]) =>
    namespaces.filter(({ metadata }) => names.includes(metadata.name));
  await waitUntil(
    kube,
    { namespaces: { resource: resources.Namespace, namespace: null } },
    {
      what: `the namespaces ${names.join(", ")} to go`,
      timeoutMs,
      describe: ({ namespaces }) =>
        left(namespaces)
          .map((namespace) => `${namespace.metadata.name}: ${whyStillThere(namespace)}`)
          .join("; "),
    },
    ({ namespaces }) => left(namespaces).length === 0 || undefined,
  );
}

type Condition = { type: string; status: string; message: string };

/** What the namespace controller says hinders it. */
function whyStillThere(namespace: KubeObject): string {
  const { conditions = [] } = (namespace["status"] ?? {}) as { conditions?: Condition[] };
  const hindrances = conditions.filter(({ status }) => status === "True").map(({ message }) => message);
  return hindrances.join("; ") || "no reason given yet";
}

async function replacePods(kube: Kube, name: AddonName, timeoutMs: number): Promise<void> {
  const addon = addonOf(name);
  const before = await readWorkloads(kube, addon);
  if (before === undefined) return;
  const old = new Set(before.pods.map((pod) => pod.metadata.uid));
  await deletePodsAtOnce(kube, addon.namespace);
  await waitUntil(
    kube,
    workloadSources(addon),
    { what: `${addon.title} to be ready without its data`, timeoutMs },
    (state) => {
      // The workloads' status may still tell of the old pods.
      const fresh = state.pods.filter((pod) => !old.has(pod.metadata.uid) && isPodReady(pod));
      const wanted = addon.operated === undefined ? 1 : 2;
      return (fresh.length === wanted && state.pods.length === wanted && areReady(addon, state)) || undefined;
    },
  );
}

function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
