import { resources } from "@safe-deploy/kube";
import { release } from "./app-release.ts";
import type { Ran } from "./run.ts";
import type { World } from "./world.ts";

/** The fields of ctl's report that the tests read. */
export interface Report {
  result: string;
  exit: number;
  code?: string;
  summary: string;
  fault?: { kind: string; subject: string; message: string };
  log?: string;
  detectionSeconds?: number;
  restoreSeconds?: number;
  live?: { helmRevision: number; image: string; digest?: string; configMap: string };
  timeline: { at: string; seconds: number; what: string }[];
}

export function parseReport(ran: Ran): Report {
  try {
    return JSON.parse(ran.stdout) as Report;
  } catch (cause) {
    throw new Error(`ctl printed no report (exit code ${ran.code}):\n${ran.stdout}\n${ran.stderr}`, { cause });
  }
}

/** What serves, read from the cluster itself and not from ctl's word. */
export interface StableState {
  image: string;
  digest: string;
  configMap: string;
  configData: Record<string, string>;
  serviceSelector: Record<string, string>;
  helmRevision: number;
  verdicts: string[];
}

export async function stableState(world: World, namespace: string): Promise<StableState> {
  const deployment = await world.kube.get(resources.Deployment, release, { namespace });
  const container = deployment?.spec.template.spec.containers.find(({ name }) => name === "app");
  const configMap = container?.envFrom?.find((source) => source.configMapRef !== undefined)?.configMapRef?.name ?? "";
  const service = await world.kube.get(resources.Service, release, { namespace });
  const ledger = await world.kube.list(resources.ConfigMap, {
    namespace,
    labelSelector: `safe-deploy.dev/ledger=${release}`,
  });
  const helm = await world.kube.list(resources.Secret, { namespace, labelSelector: `owner=helm,name=${release}` });
  return {
    image: container?.image ?? "",
    digest: await world.liveDigest(namespace, release),
    configMap,
    configData: (await world.kube.get(resources.ConfigMap, configMap, { namespace }))?.data ?? {},
    serviceSelector: service?.spec.selector ?? {},
    helmRevision: Math.max(0, ...helm.items.map((item) => Number(item.metadata.labels?.["version"]))),
    verdicts: ledger.items.map((item) => item.metadata.labels?.["safe-deploy.dev/verdict"] ?? ""),
  };
}
