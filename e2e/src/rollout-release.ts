import path from "node:path";
import { hashLabel, type KubeObject, type Resource, resources } from "@safe-deploy/kube";
import { deployArguments, release } from "./app-release.ts";
import { root, type World } from "./world.ts";

export function values(name: string): string[] {
  return ["-f", path.join(root, `e2e/values/${name}.yaml`)];
}

/** Arguments of `ctl deploy` for a version of the app as a Rollout; each test has a host name of its own at the router. */
export function rolloutArguments(namespace: string, version: string, more: string[] = []): string[] {
  return deployArguments(namespace, version, [
    ...values("rollout"),
    ...["--set", `ingress.hosts[0].host=${namespace}.local`],
    ...more,
  ]);
}

/** What the Rollouts controller writes the weights into. */
export type TraefikService = KubeObject & { spec?: { weighted?: { services?: { name: string; weight?: number }[] } } };
export const traefikService: Resource<TraefikService> = { apiVersion: "traefik.io/v1alpha1", kind: "TraefikService" };

/** Percent of the requests that the router gives to the canary. */
export function canaryWeightOf(route: TraefikService | undefined): number {
  return route?.spec?.weighted?.services?.find(({ name }) => name === `${release}-canary`)?.weight ?? 0;
}

/** What serves and where the traffic goes, read from the cluster itself and not from ctl's word. */
export interface Routing {
  /** Image of the template that is asked for, without its digest. */
  image: string;
  configMap: string;
  /** The template that is asked for is the stable one. */
  isStable: boolean;
  /** The hash of the stable template. */
  stable: string;
  /** Percent of the requests that the router sends to the canary; 0 where it has no weights. */
  canaryWeight: number;
  /** The template that each Service of the Rollout selects. */
  services: Record<string, string | undefined>;
  /** Images of the ready pods behind the main Service. */
  serving: string[];
}

export async function routing(world: World, namespace: string): Promise<Routing> {
  const { kube } = world;
  const rollout = await kube.get(resources.Rollout, release, { namespace });
  const container = rollout?.spec.template.spec.containers.find(({ name }) => name === "app");
  const names = ["stable", "active"].map((role) => `${release}-${role}`);
  const services = await Promise.all(names.map((name) => kube.get(resources.Service, name, { namespace })));
  const route = await kube.get(traefikService, release, { namespace });
  const slices = await kube.list(resources.EndpointSlice, {
    namespace,
    labelSelector: `kubernetes.io/service-name=${release}`,
  });
  const ready = slices.items
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready === true)
    .map(({ targetRef }) => targetRef?.name);
  const pods = await kube.list(resources.Pod, { namespace });
  return {
    image: withoutDigest(container?.image ?? ""),
    configMap: container?.envFrom?.find((source) => source.configMapRef !== undefined)?.configMapRef?.name ?? "",
    isStable: rollout?.status?.stableRS !== "" && rollout?.status?.stableRS === rollout?.status?.currentPodHash,
    stable: rollout?.status?.stableRS ?? "",
    canaryWeight: canaryWeightOf(route),
    services: Object.fromEntries(
      services.flatMap((service) =>
        service === undefined ? [] : [[service.metadata.name, service.spec.selector?.[hashLabel]]],
      ),
    ),
    serving: [
      ...new Set(
        pods.items
          .filter(({ metadata }) => ready.includes(metadata.name))
          .map(({ spec }) => withoutDigest(spec.containers.find(({ name }) => name === "app")?.image ?? "")),
      ),
    ],
  };
}

/** The router's address from outside the cluster. */
export async function routerUrl(world: World): Promise<string> {
  const service = await world.kube.get(resources.Service, "traefik", { namespace: "traefik" });
  const port = service?.spec.ports?.find(({ nodePort }) => nodePort !== undefined)?.nodePort;
  const { items } = await world.kube.list(resources.Node, {});
  const address = items[0]?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
  if (port === undefined || address === undefined) throw new Error("the router has no address outside the cluster");
  return `http://${address}:${port}`;
}

function withoutDigest(image: string): string {
  return image.replace(/@.*$/, "");
}
