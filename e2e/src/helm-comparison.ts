import { resources } from "@safe-deploy/kube";
import { helmArguments, release } from "./app-release.ts";
import type { FaultCase } from "./fault-cases.ts";
import { type StableState, stableState } from "./report.ts";
import type { World } from "./world.ts";

export const helmFlags = {
  3: ["--atomic"],
  4: ["--rollback-on-failure", "--wait"],
} as const;

/** What a command left behind, read from the cluster. */
export interface EndState {
  /** Helm's own word for the release: deployed, failed, pending-rollback, ... */
  releaseStatus: string;
  /** Helm's description of the newest revision. */
  description: string;
  /** Image and config of the pod template, compared with those before. */
  isImageBack: boolean;
  isConfigBack: boolean;
  podsReady: number;
  podsWanted: number;
}

export interface HelmRun {
  code: number | null;
  /** Wall time of the whole command. */
  seconds: number;
  stderr: string;
  end: EndState;
}

/** Deploys a bad release with Helm alone, told to take it back when it fails. */
export async function helmDeploy(
  world: World,
  namespace: string,
  fault: FaultCase,
  o: { major: 3 | 4; timeoutSeconds: number },
): Promise<HelmRun> {
  const before = await stableState(world, namespace);
  const { code, seconds, stderr } = await world.helm(
    helmArguments(namespace, fault.version ?? "v2", [
      ...fault.more,
      ...helmFlags[o.major],
      ...["--timeout", `${o.timeoutSeconds}s`],
    ]),
    { major: o.major },
  );
  return { code, seconds, stderr, end: await endState(world, namespace, before) };
}

/** What is there now. The ways back differ, so images are compared without the digest that ctl pins. */
export async function endState(
  world: World,
  namespace: string,
  before: Pick<StableState, "image" | "configMap">,
): Promise<EndState> {
  const deployment = await world.kube.get(resources.Deployment, release, { namespace });
  const container = deployment?.spec.template.spec.containers.find(({ name }) => name === "app");
  const configMaps = (container?.envFrom ?? []).flatMap((source) => source.configMapRef?.name ?? []);
  const status = await world.helm(["status", release, "-n", namespace, "-o", "json"]);
  if (status.code !== 0) throw new Error(`helm status: ${status.stderr}`);
  const { info } = JSON.parse(status.stdout) as { info: { status: string; description: string } };
  const withoutDigest = (image: string | undefined) => image?.replace(/@.*$/, "");
  return {
    releaseStatus: info.status,
    description: info.description,
    isImageBack: withoutDigest(container?.image) === withoutDigest(before.image),
    isConfigBack: configMaps.includes(before.configMap),
    // Of the template that is wanted now: pods of an older one may serve meanwhile.
    podsReady: Math.min(deployment?.status?.readyReplicas ?? 0, deployment?.status?.updatedReplicas ?? 0),
    podsWanted: deployment?.spec.replicas ?? 0,
  };
}

/** The end state in the words of the result tables. */
export function describeEndState({
  releaseStatus,
  isImageBack,
  isConfigBack,
  podsReady,
  podsWanted,
}: EndState): string {
  const back = (isBack: boolean) => (isBack ? "the good one" : "the bad one");
  const same =
    isImageBack === isConfigBack
      ? `image and config: ${back(isImageBack)}`
      : `image: ${back(isImageBack)}, config: ${back(isConfigBack)}`;
  return `${releaseStatus}; ${same}; ${podsReady}/${podsWanted} pods ready`;
}
