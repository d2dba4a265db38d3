import type { Rollout } from "@safe-deploy/kube";
import type { RolloutState } from "./rollout.ts";
import type { RolloutVerdict } from "./rollout-verdict.ts";

export type RolloutCommand = "promote" | "promoteFull" | "abort" | "retry" | "pause" | "resume";

/** Merge patches that make the controller do it: `status` goes through the status subresource, first. */
export interface RolloutPatch {
  status?: Record<string, unknown>;
  spec?: Record<string, unknown>;
}

export type CommandDecision =
  | { do: "patch"; patch: RolloutPatch }
  /** It is so already; repeating a command changes nothing. */
  | { do: "nothing"; why: string }
  | { do: "refuse"; why: string; next: "promote" | "retry" | "rollback" | "deploy" | "resume" };

/**
 * What a command means in the present state. The patches are those that Argo's own plugin sends; what is decided here
 * is when they may be sent. Pure.
 */
export function decideCommand(
  command: RolloutCommand,
  rollout: Rollout,
  state: RolloutState,
  verdict: RolloutVerdict,
): CommandDecision {
  switch (command) {
    case "promote":
      return decidePromote(rollout, state, verdict);
    case "promoteFull":
      return decidePromoteFull(rollout, state);
    case "abort":
      return decideAbort(state);
    case "retry":
      return decideRetry(state);
    case "pause":
      return decidePause(rollout, state);
    case "resume":
      return rollout.spec.paused === true
        ? { do: "patch", patch: { spec: { paused: null } } }
        : { do: "nothing", why: "nobody has paused it" };
  }
}

function decidePromote(rollout: Rollout, state: RolloutState, verdict: RolloutVerdict): CommandDecision {
  const { status = {}, spec } = rollout;
  if (state.abort !== undefined && !state.isPromoted)
    return { do: "refuse", why: `it was aborted: ${state.abort.why}`, next: "retry" };
  if (state.isPromoted) return { do: "nothing", why: "everything is promoted already" };
  if (state.pause === undefined) {
    return verdict.kind === "inFlight"
      ? { do: "nothing", why: "it is not paused, and goes on by itself" }
      : { do: "refuse", why: `there is no pause to end: ${verdict.why}`, next: "rollback" };
  }
  const steps = spec.strategy.canary?.steps ?? [];
  const index = status.currentStepIndex ?? 0;
  const unpause = spec.paused === true ? { spec: { paused: null } } : {};
  // Without the next step the same analysis would only run again.
  const isStepInconclusive = status.canary?.currentStepAnalysisRunStatus?.status === "Inconclusive";
  if (state.pause.by === "inconclusive" && isStepInconclusive && status.controllerPause === true) {
    const next = Math.min(index + 1, steps.length);
    return {
      do: "patch",
      patch: { status: { pauseConditions: null, controllerPause: false, currentStepIndex: next }, ...unpause },
    };
  }
  if ((status.pauseConditions ?? []).length === 0) return { do: "patch", patch: unpause };
  return { do: "patch", patch: { status: { pauseConditions: null }, ...unpause } };
}

function decidePromoteFull(rollout: Rollout, state: RolloutState): CommandDecision {
  if (state.isPromoted) return { do: "nothing", why: "everything is promoted already" };
  if (state.abort !== undefined) return { do: "refuse", why: `it was aborted: ${state.abort.why}`, next: "retry" };
  if (state.isPromotingFully && rollout.spec.paused !== true)
    return { do: "nothing", why: "its full promotion is under way" };
  return {
    do: "patch",
    patch: { status: { promoteFull: true }, ...(rollout.spec.paused === true ? { spec: { paused: null } } : {}) },
  };
}

function decideAbort(state: RolloutState): CommandDecision {
  if (state.isPromoted)
    return { do: "refuse", why: "everything is promoted; there is nothing to abort", next: "rollback" };
  if (state.isFirstDeploy) return { do: "refuse", why: "nothing stable is there to go back to", next: "deploy" };
  // The controller does not switch the active Service back while the new pods are not available.
  if (isSwitched(state) && state.replicas.available < state.replicas.wanted)
    return { do: "refuse", why: "the active Service leads to pods that are not available", next: "rollback" };
  if (state.abort !== undefined) return { do: "nothing", why: "it is aborted already" };
  return { do: "patch", patch: { status: { abort: true } } };
}

function decideRetry(state: RolloutState): CommandDecision {
  if (state.abort === undefined)
    return state.isPromoted
      ? { do: "nothing", why: "everything is promoted already" }
      : { do: "nothing", why: "it is not aborted" };
  return { do: "patch", patch: { status: { abort: false } } };
}

function decidePause(rollout: Rollout, state: RolloutState): CommandDecision {
  if (rollout.spec.paused === true) return { do: "nothing", why: "it is paused already" };
  if (state.isPromoted)
    return { do: "refuse", why: "everything is promoted; there is nothing to pause", next: "deploy" };
  if (state.abort !== undefined) return { do: "refuse", why: `it was aborted: ${state.abort.why}`, next: "retry" };
  return { do: "patch", patch: { spec: { paused: true } } };
}

/** What a person may do about an update that waits, likeliest first. */
export function waitingCommands(
  verdict: Extract<RolloutVerdict, { kind: "paused" | "inconclusive" }>,
  address: string,
): string {
  // To promote would also skip the step at which it was paused.
  const goOn = verdict.kind === "paused" && verdict.by === "person" ? "resume" : "promote";
  return `ctl ${goOn} ${address}, or ctl abort ${address}`;
}

/** Blue-green after the switch: the present template takes the traffic, and is not the stable one yet. */
export function isSwitched(state: RolloutState): boolean {
  return state.services !== undefined && !state.isPromoted && state.services.active === state.currentHash;
}

/** What takes a release back, in order. */
export type RollbackStep =
  /** Sends the traffic back at once; applying the old template does the rest. */
  | { do: "abort"; why: string }
  | { do: "applyTarget"; why: string }
  /** The target was verified before, so no step and no analysis is to hold it up. */
  | { do: "promoteFully"; why: string }
  | { do: "verify"; why: string };

/**
 * How a release in this state is taken back to a verified one. Pure.
 *
 * @param targetIsStable whether the target's template is the one that the Rollout holds as stable.
 */
export function planRollback(state: RolloutState, targetIsStable: boolean): RollbackStep[] {
  const steps: RollbackStep[] = [];
  const takesTraffic = !state.isPromoted && state.abort === undefined && !state.isFirstDeploy;
  if (takesTraffic && !isSwitched(state))
    steps.push({ do: "abort", why: "the stable pods take all traffic while the rest is done" });
  steps.push({
    do: "applyTarget",
    why: targetIsStable
      ? "its template is the stable one, so the controller takes no step"
      : "its pods come up beside those that serve",
  });
  if (!targetIsStable)
    steps.push({ do: "promoteFully", why: "it was verified before, so neither steps nor analyses hold it up" });
  steps.push({ do: "verify", why: "it alone serves, the weights and selectors are back, the declared checks pass" });
  return steps;
}
