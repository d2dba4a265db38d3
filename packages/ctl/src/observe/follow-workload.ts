import { type AnalysisRun, type Event, type Job, type Kube, observe, type Pod, resources } from "@safe-deploy/kube";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { WorkloadSnapshot } from "../domain/serving.ts";
import { onChangeOrAt } from "./on-change-or-at.ts";
import { byKind, selectorText, serviceSelector, workloadResource } from "./release-state.ts";

export interface FollowedWorkload {
  workload: WorkloadSnapshot;
  /** Of a Rollout, where they were asked for. */
  analysisRuns: readonly AnalysisRun[];
  events: readonly Event[];
  /** The chart's hooks, and the pods that their Jobs made. */
  hooks: { jobs: readonly Job[]; pods: readonly Pod[] };
  /** Milliseconds since the epoch, by the API server's clock. */
  now: number;
  /** See `Moment`. */
  wakeAt: (moment: number) => void;
}

export const hookLabel = "safe-deploy.dev/hook";

/** What the chart's hooks do. */
export interface FollowedHooks {
  jobs: readonly Job[];
  pods: readonly Pod[];
  events: readonly Event[];
  /** Milliseconds since the epoch, by the API server's clock. */
  now: number;
  /** See `Moment`. */
  wakeAt: (moment: number) => void;
}

interface FollowOptions {
  signal: AbortSignal;
  /** Milliseconds since the epoch; the iteration ends then. */
  deadline: number;
}

/** Follows everything that decides whether the release comes to serve. */
export async function* followWorkload(
  kube: Kube,
  facts: Pick<ReleaseFacts, "selector" | "workload" | "service" | "release">,
  o: FollowOptions & { withAnalyses?: boolean },
): AsyncGenerator<FollowedWorkload> {
  const labelSelector = selectorText(facts.selector);
  const isRollout = facts.workload.kind === "Rollout";
  const done = new AbortController();
  const observation = observe(
    kube,
    {
      workloads: { resource: workloadResource(facts), fieldSelector: `metadata.name=${facts.workload.name}` },
      replicaSets: { resource: resources.ReplicaSet, labelSelector },
      pods: { resource: resources.Pod, labelSelector },
      endpoints: { resource: resources.EndpointSlice, labelSelector: serviceSelector(facts) },
      ...hookSources(facts.release),
      ...(isRollout && o.withAnalyses === true
        ? { analysisRuns: { resource: resources.AnalysisRun, labelSelector } }
        : {}),
    },
    AbortSignal.any([o.signal, done.signal]),
  );
  try {
    for await (const { value, ...clock } of onChangeOrAt(observation.changes(), o.deadline)) {
      yield {
        workload: {
          ...byKind(value.workloads[0]),
          replicaSets: value.replicaSets,
          pods: value.pods,
          endpoints: value.endpoints,
        },
        analysisRuns: value.analysisRuns ?? [],
        events: value.events,
        hooks: { jobs: value.jobs, pods: value.hookPods },
        ...byServerClock(kube, clock),
      };
    }
  } finally {
    done.abort();
  }
}

/** Follows the Jobs of the release's hooks, and the pods that they make. */
export async function* followHooks(kube: Kube, release: string, o: FollowOptions): AsyncGenerator<FollowedHooks> {
  const done = new AbortController();
  const observation = observe(kube, hookSources(release), AbortSignal.any([o.signal, done.signal]));
  try {
    for await (const { value, ...clock } of onChangeOrAt(observation.changes(), o.deadline)) {
      yield { jobs: value.jobs, pods: value.hookPods, events: value.events, ...byServerClock(kube, clock) };
    }
  } finally {
    done.abort();
  }
}

/** The objects carry the API server's times, so decisions about them are made by its clock. */
function byServerClock(kube: Kube, clock: { now: number; wakeAt: (moment: number) => void }) {
  const ahead = kube.serverNow() - Date.now();
  return { now: clock.now + ahead, wakeAt: (moment: number) => clock.wakeAt(moment - ahead) };
}

function hookSources(release: string) {
  const labelSelector = `${hookLabel},app.kubernetes.io/instance=${release}`;
  return {
    jobs: { resource: resources.Job, labelSelector },
    hookPods: { resource: resources.Pod, labelSelector },
    events: { resource: resources.Event },
  };
}
