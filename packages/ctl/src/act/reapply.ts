import type { KubeObject } from "@safe-deploy/kube";
import { loadAll } from "js-yaml";
import type { Context } from "../context.ts";
import { shortHash } from "../domain/canonical.ts";
import type { Failure } from "../domain/failure.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { noWorkload } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { type ChartInput, helmWords } from "./helm.ts";

export interface ReapplyOptions {
  operation: string;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
  noHooks?: boolean;
}

/** The values that a revision was installed with, and a few of them changed. */
export function sameBut(release: HelmRelease | undefined, chart: string, set: string[]): ChartInput {
  return { chart, base: release?.config ?? {}, files: [], set, setString: [] };
}

/** Applies what leaves the pods as they are. @returns why Helm did not do it, if so. */
export async function reapply(context: Context, input: ChartInput, o: ReapplyOptions): Promise<Failure | undefined> {
  const child = context.helm.upgrade(input, {
    timeoutSeconds: Math.max(1, Math.ceil((o.deadline - Date.now()) / 1000)),
    operation: o.operation,
    ...(o.noHooks === undefined ? {} : { noHooks: o.noHooks }),
  });
  const stop = () => void child.stop();
  o.signal.addEventListener("abort", stop);
  const result = await child.result.finally(() => o.signal.removeEventListener("abort", stop));
  o.signal.throwIfAborted();
  if (result.code === 0) return undefined;
  const fault = { kind: "HelmFailed", subject: `Release/${context.release}`, message: helmWords(result) } as const;
  return { fault, workload: noWorkload, events: [], at: Date.now() };
}

/**
 * Refuses a chart that would change more than it is asked for.
 *
 * @param withWhat what is asked for, such as `the mode`.
 * @throws CtlError CTL_E_NOT_NOW when the chart would change the pods too, past every gate.
 */
export async function refuseOtherPods(
  context: Context,
  newest: HelmRelease,
  input: ChartInput,
  { withWhat, next }: { withWhat: string; next: string },
): Promise<void> {
  const { gitVersion } = (await context.kube.raw("GET", "/version")) as { gitVersion: string };
  const rendered = await context.helm.template(input, { isUpgrade: true, kubeVersion: gitVersion });
  if (templateIn(rendered) === templateIn(newest.manifest)) return;
  throw new CtlError("CTL_E_NOT_NOW", `this chart would change the pods together with ${withWhat}, past every gate`, {
    next,
  });
}

/** Of the service's workload in these manifests, of whichever kind; the agent beside it has one of its own. */
function templateIn(manifests: string): string | undefined {
  const objects = loadAll(manifests) as (KubeObject | null | undefined)[];
  const workload = objects.find(
    (object) =>
      (object?.kind === "Deployment" || object?.kind === "Rollout") &&
      object.metadata.labels?.["app.kubernetes.io/component"] === "server",
  );
  const spec = workload?.["spec"] as { template?: unknown } | undefined;
  return spec?.template === undefined ? undefined : shortHash(spec.template);
}
