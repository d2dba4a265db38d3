import { type AnalysisRun, type Kube, resources, type Rollout } from "@safe-deploy/kube";
import type { ReleaseFacts } from "../domain/facts.ts";
import { rolloutState, type RolloutState } from "../domain/rollout.ts";
import {
  decideCommand,
  type CommandDecision,
  type RolloutCommand,
  type RolloutPatch,
} from "../domain/rollout-commands.ts";
import { rolloutVerdict, type RolloutVerdict } from "../domain/rollout-verdict.ts";
import { CtlError } from "../errors.ts";
import { readWorkload, selectorText } from "../observe/release-state.ts";

export interface ObservedRollout {
  rollout: Rollout;
  state: RolloutState;
  verdict: RolloutVerdict;
}

/** @throws CtlError CTL_E_NO_ROLLOUT when the release runs as a Deployment, or its Rollout is gone. */
export async function observeRollout(kube: Kube, facts: ReleaseFacts, address: string): Promise<ObservedRollout> {
  const { kind, name } = facts.workload;
  const missing = (what: string) => new CtlError("CTL_E_NO_ROLLOUT", what, { next: `ctl status ${address}` });
  if (kind !== "Rollout") throw missing(`release "${facts.release}" runs as a ${kind}: there are no steps to act on`);
  const [workload, analysisRuns] = await Promise.all([
    readWorkload(kube, facts),
    kube.list<AnalysisRun>(resources.AnalysisRun, { labelSelector: selectorText(facts.selector) }),
  ]);
  if (workload.rollout === undefined) throw missing(`Rollout ${name} does not exist`);
  const state = rolloutState({ ...workload, rollout: workload.rollout, analysisRuns: analysisRuns.items });
  return { rollout: workload.rollout, state, verdict: rolloutVerdict(state, kube.serverNow()) };
}

/** Sends what the decision asks for. The status goes first, as the controller acts on the spec at once. */
export async function patchRollout(kube: Kube, name: string, patch: RolloutPatch): Promise<void> {
  if (patch.status !== undefined)
    await kube.patch(resources.Rollout, name, { status: patch.status }, { subresource: "status" });
  if (patch.spec !== undefined) await kube.patch(resources.Rollout, name, { spec: patch.spec });
}

/**
 * Does one command, if it means anything in the present state. One patch, so it needs no Lease: a ctl that follows the
 * rollout sees what comes of it.
 *
 * @throws CtlError CTL_E_NOT_NOW when the state forbids it.
 */
export async function commandRollout(
  kube: Kube,
  facts: ReleaseFacts,
  command: RolloutCommand,
  address: string,
): Promise<Exclude<CommandDecision, { do: "refuse" }>> {
  const { rollout, state, verdict } = await observeRollout(kube, facts, address);
  const decision = decideCommand(command, rollout, state, verdict);
  if (decision.do === "refuse")
    throw new CtlError("CTL_E_NOT_NOW", decision.why, { next: `ctl ${decision.next} ${address}` });
  if (decision.do === "patch") await patchRollout(kube, facts.workload.name, decision.patch);
  return decision;
}
