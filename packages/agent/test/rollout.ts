import type { CanaryStep, Rollout } from "@safe-deploy/kube";

/** Weights in tens, each followed by a pause without an end, and the chart's last gate. */
export const steerableSteps: CanaryStep[] = [
  ...[10, 20, 30, 40, 50, 60, 70, 80, 90].flatMap((setWeight): CanaryStep[] => [{ setWeight }, { pause: {} }]),
  { setWeight: 100 },
  { analysis: { templates: [{ templateName: "myapp-verified" }] } },
];

export function canary(
  status: Rollout["status"],
  o: { steps?: CanaryStep[]; paused?: boolean; router?: boolean } = {},
): Rollout {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: { name: "myapp", namespace: "shop", uid: "uid-1", generation: 3, resourceVersion: "1" },
    spec: {
      template: { spec: { containers: [] } },
      ...(o.paused === undefined ? {} : { paused: o.paused }),
      strategy: {
        canary: {
          steps: o.steps ?? steerableSteps,
          ...(o.router === false ? {} : { trafficRouting: { traefik: { weightedTraefikServiceName: "myapp" } } }),
        },
      },
    },
    status: { observedGeneration: "3", currentPodHash: "new", stableRS: "old", ...status },
  };
}

/** Waiting at a weight, as the controller writes it down. */
export function waitingAt(weight: number): Rollout {
  return canary({
    currentStepIndex: steerableSteps.findIndex(({ setWeight }) => setWeight === weight) + 1,
    pauseConditions: [{ reason: "CanaryPauseStep", startTime: "2026-01-01T00:00:00Z" }],
    controllerPause: true,
    canary: { weights: { canary: { weight }, stable: { weight: 100 - weight } } },
  });
}
