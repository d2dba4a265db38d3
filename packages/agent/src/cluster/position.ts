import type { CanaryStep, Rollout } from "@safe-deploy/kube";
import { ABORT, type Action, DOWN, fullWeight, HOLD, leastWeight, weightAfter, weightStep } from "../actions.ts";

/** Where a Rollout stands, as far as it concerns who steers it. */
export type Position =
  /** Nothing is under way: a first deploy, or all is promoted. */
  | { kind: "idle"; why: string }
  | { kind: "aborted"; why: string }
  /** The controller is at work; nothing may be asked of it. */
  | { kind: "moving"; weight: number; why: string }
  /** It waits in a pause that somebody has to end, at this weight. */
  | { kind: "waiting"; weight: number; index: number }
  /** It waits for a person: their own pause, or an analysis that could not tell. */
  | { kind: "held"; weight: number; why: string };

/** Reads where it stands. Pure. */
export function positionOf(rollout: Rollout): Position {
  const { spec, status = {} } = rollout;
  const steps = spec.strategy.canary?.steps ?? [];
  const weight = status.canary?.weights?.canary.weight ?? 0;
  const observed = Number(status.observedGeneration ?? 0);
  if (!Number.isNaN(observed) && observed < (rollout.metadata.generation ?? 0)) {
    return { kind: "moving", weight, why: "the controller has not seen the present spec" };
  }
  if (!status.stableRS) return { kind: "idle", why: "it is a first deploy, which has no steps" };
  if (status.currentPodHash === status.stableRS) return { kind: "idle", why: "everything is promoted" };
  if (status.abort === true) return { kind: "aborted", why: status.message ?? "it is aborted" };
  if (spec.paused === true) return { kind: "held", weight, why: "a person has paused it" };
  const pauses = status.pauseConditions ?? [];
  const other = pauses.find(({ reason }) => reason !== "CanaryPauseStep");
  if (other !== undefined) return { kind: "held", weight, why: `it is paused: ${other.reason}` };
  const index = status.currentStepIndex ?? 0;
  if (pauses.length === 0 || !isOpenPause(steps[index])) {
    return { kind: "moving", weight, why: `the controller is at step ${index} of ${steps.length}` };
  }
  if (weight % weightStep !== 0 || weight < leastWeight || weight >= fullWeight) {
    return { kind: "held", weight, why: `weight ${weight} is none that it steers through` };
  }
  return { kind: "waiting", weight, index };
}

/**
 * Why the steps cannot be steered through; undefined when they can. Wanted are all weights from 10 to 90 in tens, each
 * followed by a pause without an end, so that the position among the steps is the weight and nothing goes on by itself.
 */
export function unsteerable(rollout: Rollout): string | undefined {
  const { canary } = rollout.spec.strategy;
  if (canary === undefined) return "it is no canary";
  if (canary.trafficRouting === undefined) return "it has no router: weights are shares of pods there";
  const missing = [10, 20, 30, 40, 50, 60, 70, 80, 90].filter((weight) => indexOf(canary.steps ?? [], weight) < 0);
  return missing.length === 0
    ? undefined
    : `no step sets weight ${missing.join(", ")} and then waits without an end (pause: {})`;
}

/** A merge patch of the Rollout's status. */
export type StatusPatch = Record<string, unknown>;

/**
 * What makes the controller do an action. The agent never writes a weight: it moves the Rollout among its own steps, with
 * the fields that Argo's plugin writes when a person promotes, and the controller stays the only writer of the router's
 * weights. Undefined for HOLD.
 *
 * @throws RangeError when the steps have no such place: see `unsteerable`.
 */
export function patchFor(
  rollout: Rollout,
  position: Extract<Position, { kind: "waiting" }>,
  action: Action,
): StatusPatch | undefined {
  if (action === HOLD) return undefined;
  if (action === ABORT) return { abort: true };
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const to = weightAfter(position.weight, action);
  // What follows the last pause is the chart's: its last gate, and then all requests.
  const set = to === fullWeight ? position.index + 1 : indexOf(steps, to);
  if (set < 0) throw new RangeError(`no step sets weight ${to} and then waits`);
  // Until the controller has taken a step, the weight of the one before it holds: going up that is the present one, going
  // down it would be lower than asked for. So it goes down right into the pause that follows the step.
  const index = action === DOWN ? set + 1 : set;
  return { currentStepIndex: index, pauseConditions: null, controllerPause: false };
}

/** The step that sets a weight and is followed by a pause without an end; -1 when there is none. */
function indexOf(steps: readonly CanaryStep[], weight: number): number {
  return steps.findIndex((step, index) => step.setWeight === weight && isOpenPause(steps[index + 1]));
}

function isOpenPause(step: CanaryStep | undefined): boolean {
  return step?.pause !== undefined && step.pause !== null && step.pause.duration === undefined;
}
