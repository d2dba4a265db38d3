import { resources } from "@safe-deploy/kube";
import { deployArguments, image } from "./app-release.ts";
import { dsn } from "./postgres.ts";
import { values } from "./rollout-release.ts";
import { chart, type World } from "./world.ts";

/** The second release of the chart, beside the app. */
export const workerRelease = "worker";
const workload = "worker-myapp";

/** Arguments of `ctl deploy` for a version of the worker: the chart's preset with its waits scaled down. */
export function workerArguments(namespace: string, version: string, more: string[] = []): string[] {
  return deployArguments(namespace, version, [
    ...["--release", workerRelease, "-f", `${chart}/presets/d-worker.yaml`, ...values("worker")],
    ...["--set-string", `secrets.DB_DSN=${dsn}`, "--timeout", "240s"],
    ...more,
  ]);
}

/** What does the jobs, read from the cluster itself and not from ctl's word. */
export interface Working {
  /** Image of the template that is asked for, without its digest. */
  image: string;
  configMap: string;
  /** Of a Rollout: the hash of its stable template, and whether that is the one asked for. */
  stable?: string;
  isStable?: boolean;
  /** Images of the pods that have not been told to end. */
  pods: string[];
}

export async function working(world: World, namespace: string): Promise<Working> {
  const { kube } = world;
  const rollout = await kube.get(resources.Rollout, workload, { namespace });
  const found = rollout ?? (await kube.get(resources.Deployment, workload, { namespace }));
  const container = found?.spec.template.spec.containers.find(({ name }) => name === "app");
  const pods = await kube.list(resources.Pod, {
    namespace,
    labelSelector: `app.kubernetes.io/instance=${workerRelease},app.kubernetes.io/component=server`,
  });
  const withoutDigest = (name: string) => name.replace(/@.*$/, "");
  return {
    image: withoutDigest(container?.image ?? ""),
    configMap: container?.envFrom?.find((source) => source.configMapRef !== undefined)?.configMapRef?.name ?? "",
    ...(rollout === undefined
      ? {}
      : {
          stable: rollout.status?.stableRS ?? "",
          isStable: rollout.status?.stableRS !== "" && rollout.status?.stableRS === rollout.status?.currentPodHash,
        }),
    pods: [
      ...new Set(
        pods.items
          .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
          .map(({ spec }) => withoutDigest(spec.containers.find(({ name }) => name === "app")?.image ?? "")),
      ),
    ],
  };
}

export function aloneAt(version: string): Partial<Working> {
  return { image: image(version), pods: [image(version)] };
}
