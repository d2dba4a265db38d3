import { resources, type Kube, type Resource } from "@safe-deploy/kube";
import { addonOf, profiles, type AddonName, type Profile, type Sign } from "./catalog.ts";

export type CheckedAddon = { name: AddonName; title: string; present: boolean; install: string };

/** Which of a profile's add-ons a cluster has that the lab did not make, and the command that installs each. */
export async function checkAddons(kube: Kube, profile: Profile): Promise<CheckedAddon[]> {
  const names: readonly AddonName[] = profiles[profile];
  const checked = names.map(async (name): Promise<CheckedAddon | undefined> => {
    const { title, external } = addonOf(name);
    return external && { name, title, present: await shows(kube, external.sign), install: external.install };
  });
  return (await Promise.all(checked)).filter((it) => it !== undefined);
}

const customResources: Resource = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
const apiServices: Resource = { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService" };

async function shows(kube: Kube, sign: Sign): Promise<boolean> {
  switch (sign.kind) {
    case "custom resource":
      return (await kube.get(customResources, sign.name)) !== undefined;
    case "API service":
      return (await kube.get(apiServices, sign.name)) !== undefined;
    case "service":
      return (await kube.get(resources.Service, sign.name, { namespace: sign.namespace })) !== undefined;
    case "pods": {
      const { items } = await kube.list(resources.Pod, { namespace: null, labelSelector: sign.labelSelector });
      return items.length > 0;
    }
  }
}
