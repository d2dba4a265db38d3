import type { CanaryStep, Pod, Rollout } from "@safe-deploy/kube";

/** A Rollout that is between two versions, as its status has it. */
export interface Update {
  /** Of the Rollout. */
  uid: string;
  namespace: string;
  name: string;
  /** Hash of the pod template under test, and of the verified one. */
  canary: string;
  stable: string;
  /** The share of requests that the canary is given, in percent. */
  weight: number;
  /** Whether stable takes requests of users. */
  stableServes: boolean;
  /** It was taken back: there is nothing to judge until it is tried again. */
  isAborted: boolean;
}

/**
 * The update that a Rollout is in, or undefined when it has only one version: a first release has no gates.
 *
 * @param servingCanaries how many pods of the canary are ready.
 */
export function updateOf(rollout: Rollout, servingCanaries: number): Update | undefined {
  const { metadata, spec, status = {} } = rollout;
  const { currentPodHash: canary = "", stableRS: stable = "" } = status;
  if (canary === "" || stable === "" || canary === stable) return undefined;
  const weight = weightOf(rollout, servingCanaries);
  return {
    uid: metadata.uid ?? "",
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    canary,
    stable,
    weight,
    // A preview gets requests of testers alone: not what stable gets, so there is nothing to compare with.
    stableServes: spec.strategy.canary !== undefined && weight < 100,
    isAborted: status.abort === true,
  };
}

function weightOf({ spec, status = {} }: Rollout, servingCanaries: number): number {
  const { canary } = spec.strategy;
  if (canary === undefined) return status.blueGreen?.activeSelector === status.currentPodHash ? 100 : 0;
  if (canary.trafficRouting !== undefined) return status.canary?.weights?.canary.weight ?? 0;
  // Without a router the share of the pods is the weight. The step's own is taken, because the share moves with every
  // pod that is replaced, and each change of weight begins a gate's evidence anew.
  return servingCanaries === 0 ? 0 : stepWeight(canary.steps ?? [], status.currentStepIndex ?? 0);
}

/** The weight that the steps until now ask for, in percent. */
function stepWeight(steps: readonly CanaryStep[], index: number): number {
  if (index >= steps.length) return 100;
  return steps.slice(0, index + 1).findLast(({ setWeight }) => setWeight !== undefined)?.setWeight ?? 0;
}

/** Whether a pod belongs to a version of the Rollout. */
export function isOfRollout(pod: Pod, { spec }: Rollout): boolean {
  const wanted = spec.selector?.matchLabels ?? {};
  return Object.entries(wanted).every(([label, value]) => pod.metadata.labels?.[label] === value);
}
