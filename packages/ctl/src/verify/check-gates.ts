import { hashLabel, type Kube, resources } from "@safe-deploy/kube";
import type { ReleaseFacts } from "../domain/facts.ts";
import { gatesWithoutPass } from "../domain/gate-answers.ts";
import { rolloutState } from "../domain/rollout.ts";

/**
 * Reads again what the gates before this one were told, where a service decided on them.
 *
 * @returns why the version must not become stable; undefined when every gate was told `pass`.
 */
export async function gatesNotTold(
  kube: Kube,
  { workload, rollout: facts }: ReleaseFacts,
): Promise<string | undefined> {
  const metric = facts?.verdictMetric;
  if (metric === undefined) return undefined;
  const rollout = await kube.get(resources.Rollout, workload.name);
  const hash = rollout?.status?.currentPodHash;
  if (rollout === undefined || hash === undefined) return undefined;
  const { items } = await kube.list(resources.AnalysisRun, { labelSelector: `${hashLabel}=${hash}` });
  // One that was ended before its time decided nothing.
  const analysisRuns = items.filter(({ spec }) => spec.terminate !== true);
  const { analyses } = rolloutState({ rollout, analysisRuns, replicaSets: [], pods: [] });
  const [first, ...more] = gatesWithoutPass(analyses, metric);
  if (first === undefined) return undefined;
  const others = more.length === 0 ? "" : `, and so did ${more.length} more`;
  return `the gate ${first.analysis} passed without a verdict: it was told ${JSON.stringify(first.value ?? "")}${others}; check what answers at analysis.sequential.service.url`;
}
