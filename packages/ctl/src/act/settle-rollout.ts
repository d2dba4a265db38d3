import { hashLabel, resources, type Service } from "@safe-deploy/kube";
import type { Context } from "../context.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { rolloutState } from "../domain/rollout.ts";
import { planRollback } from "../domain/rollout-commands.ts";
import { templateHash } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { observeRollout, patchRollout } from "./control-rollout.ts";

interface SettleOptions {
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/**
 * Aborts an update that is given up, so that the stable pods take the traffic while the old template is applied.
 * Does nothing where an abort would change nothing, or the workload is no Rollout.
 */
export async function sendTrafficBack(context: Context, facts: ReleaseFacts): Promise<void> {
  if (facts.workload.kind !== "Rollout") return;
  const found = await observeRollout(context.kube, facts, context.address).catch((error: unknown) => {
    if (error instanceof CtlError && error.code === "CTL_E_NO_ROLLOUT") return undefined;
    throw error;
  });
  if (found === undefined || !found.state.isObserved) return;
  if (!planRollback(found.state, true).some((step) => step.do === "abort")) return;
  await patchRollout(context.kube, facts.workload.name, { status: { abort: true } });
  context.timeline.add({ kind: "decision", mark: "aborted", what: "aborted: the stable pods take all traffic" });
}

/**
 * The same template applied again does not begin an aborted update again, but whoever deploys it asks for that.
 *
 * @param before hash of the pod template before it was applied.
 */
export async function retryAborted(context: Context, facts: ReleaseFacts, before: string | undefined): Promise<void> {
  const { rollout, state } = await observeRollout(context.kube, facts, context.address);
  const isSame = before !== undefined && templateHash(rollout) === before;
  if (!isSame || !state.isObserved || state.abort === undefined || state.isPromoted) return;
  await patchRollout(context.kube, facts.workload.name, { status: { abort: false } });
  context.journal.beginAgain(context.kube.serverNow());
  context.timeline.add({ kind: "change", what: "the same release was aborted before: beginning it again" });
}

/**
 * After a template that was verified before has been applied again: neither steps nor analyses are to hold it up, nor
 * the pause of a person. Waits for the controller to have seen the template.
 */
export async function promoteVerified(context: Context, facts: ReleaseFacts, o: SettleOptions): Promise<void> {
  if (facts.workload.kind !== "Rollout") return;
  for await (const seen of followWorkload(context.kube, facts, o)) {
    const { rollout } = seen.workload;
    if (rollout === undefined) continue;
    const state = rolloutState({ ...seen.workload, rollout, analysisRuns: [] });
    if (!state.isObserved) continue;
    const unpause = rollout.spec.paused === true ? { spec: { paused: null } } : {};
    if (state.isPromoted || state.isFirstDeploy || state.isPromotingFully) {
      await patchRollout(context.kube, facts.workload.name, unpause);
      return;
    }
    await patchRollout(context.kube, facts.workload.name, { status: { promoteFull: true }, ...unpause });
    context.timeline.add({ kind: "decision", what: "promoted in full: it was verified before" });
    return;
  }
  o.signal.throwIfAborted();
}

/** In what the router and the Services of a Rollout differ from sending everything to its present template. */
export async function routingDifferences(context: Context, facts: ReleaseFacts): Promise<string[]> {
  if (facts.workload.kind !== "Rollout") return [];
  const { state } = await observeRollout(context.kube, facts, context.address);
  const differences: string[] = [];
  if (!state.isPromoted)
    differences.push(`stable template: ${state.stableHash ?? "none"} instead of ${state.currentHash ?? "none"}`);
  if (state.weight !== undefined && state.weight.actual !== 0)
    differences.push(`canary weight: ${state.weight.actual} % instead of 0 %`);
  for (const name of [facts.rollout?.stableService, facts.rollout?.activeService]) {
    if (name === undefined || name === null) continue;
    const service = await context.kube.get<Service>(resources.Service, name);
    const found = service?.spec.selector?.[hashLabel];
    if (found !== state.currentHash)
      differences.push(`Service ${name}: selects ${found ?? "no template"} instead of ${state.currentHash ?? "none"}`);
  }
  return differences;
}
