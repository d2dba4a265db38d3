import {
  type AnalysisMeasurement,
  type AnalysisRun,
  type Event,
  hashLabel,
  lastSeenMs,
  type Pod,
} from "@safe-deploy/kube";
import { type RolloutAnalysisState, rolloutState, type RolloutState } from "../domain/rollout.ts";
import { newReplicaSet, type WorkloadSnapshot } from "../domain/serving.ts";
import type { FollowedWorkload } from "../observe/follow-workload.ts";

/** A pod template, as far as a report names it. */
export interface SeenTemplate {
  hash: string;
  /** Of the main container, as spelled. */
  image: string;
  configMap: string | undefined;
}

export interface SeenAnalysis extends RolloutAnalysisState {
  /** By metric, oldest first; the controller itself keeps only the last ten. */
  measurements: Map<string, AnalysisMeasurement[]>;
  /** By metric: whom it asks. */
  providers: Map<string, string>;
}

export interface SeenStep {
  startedAt: number;
  endedAt?: number;
}

type Look = Pick<FollowedWorkload, "workload" | "analysisRuns" | "events" | "now">;

/**
 * What was seen of a workload while an operation went on: the controller forgets measurements, weights and steps, and a
 * restore covers what it replaced. All times in milliseconds since the epoch, by the API server's clock.
 */
export class Journal {
  /** By hash. */
  readonly templates = new Map<string, SeenTemplate>();
  /** Of the canary, each from its moment on. */
  readonly weights: { at: number; weight: number }[] = [];
  /** By index. */
  readonly steps = new Map<number, SeenStep>();
  /** By the run's name, in the order they were first seen. */
  readonly analyses = new Map<string, SeenAnalysis>();
  /** The update's last state before anything replaced it. */
  rollout: RolloutState | undefined;
  /** A Deployment's way to update. */
  deployment: "rolling" | "recreate" | undefined;
  /** Hash of the template that served when the operation began. */
  stable: string | undefined;
  /** Hash of the template that came. */
  fresh: string | undefined;

  /** Called once, with the new pods while they are still there, when the update is aborted. */
  onAbort: ((pods: readonly Pod[]) => void) | undefined;

  readonly #container: string | undefined;
  #since: number;
  /** Analyses that were there before belong to an earlier try of the same update. */
  #trySince = -Infinity;
  readonly #events = new Map<string, Event>();
  /** Of every object that belongs to the release. */
  readonly #uids = new Set<string>();

  /**
   * @param since what happened before does not belong to the operation.
   * @param container name of the main container; undefined: the first.
   */
  constructor(since: number, container?: string) {
    this.#since = notAfter(since);
    this.#container = container;
  }

  /** When the operation began, in milliseconds since the epoch by the API server's clock, which writes whole seconds. */
  get since(): number {
    return this.#since;
  }

  /** Of the release's pods and workload, oldest first. */
  get events(): Event[] {
    return [...this.#events.values()].toSorted((a, b) => lastSeenMs(a) - lastSeenMs(b));
  }

  /**
   * What serves as the operation begins.
   *
   * @param since when it began, by the API server's clock.
   */
  begin(workload: WorkloadSnapshot, since = this.#since): void {
    this.#since = notAfter(since);
    this.#rememberTemplates(workload);
    const { rollout } = workload;
    this.stable =
      rollout === undefined ? hashOf(newReplicaSet(workload)?.metadata.labels) : rollout.status?.stableRS || undefined;
  }

  /** The same update is tried again: what was seen of the try before is not this one's. */
  beginAgain(now: number): void {
    this.#trySince = notAfter(now);
    this.rollout = undefined;
    this.steps.clear();
    this.analyses.clear();
  }

  look({ workload, analysisRuns, events, now }: Look): void {
    this.#rememberTemplates(workload);
    this.#rememberEvents(workload, events);
    const current = hashOf(newReplicaSet(workload)?.metadata.labels);
    if (current !== undefined && current !== this.stable && current !== this.fresh) {
      this.fresh = current;
      this.rollout = undefined;
      this.steps.clear();
      this.analyses.clear();
    }
    const { rollout, deployment } = workload;
    if (deployment !== undefined)
      this.deployment = deployment.spec.strategy?.type === "Recreate" ? "recreate" : "rolling";
    if (rollout === undefined) return;
    const state = rolloutState({ ...workload, rollout, analysisRuns });
    if (!state.isObserved) return;
    this.#rememberWeight(state, now);
    if (state.currentHash !== this.fresh) {
      this.#endSteps(now);
      return;
    }
    if (state.abort !== undefined && this.rollout !== undefined && this.rollout.abort === undefined)
      this.onAbort?.(state.replicaSets.find(({ hash }) => hash === this.fresh)?.pods ?? []);
    this.rollout = state;
    this.#rememberSteps(state, now);
    this.#rememberAnalyses(state, analysisRuns);
  }

  #rememberTemplates({ replicaSets }: WorkloadSnapshot): void {
    for (const { metadata, spec } of replicaSets) {
      const hash = hashOf(metadata.labels);
      const containers = spec.template?.spec.containers ?? [];
      const container = containers.find(({ name }) => name === this.#container) ?? containers[0];
      if (hash === undefined || container === undefined) continue;
      const configMap = container.envFrom?.find((source) => source.configMapRef !== undefined)?.configMapRef?.name;
      this.templates.set(hash, { hash, image: container.image ?? "", configMap });
    }
  }

  #rememberEvents({ pods, replicaSets, rollout, deployment }: WorkloadSnapshot, events: readonly Event[]): void {
    for (const object of [...pods, ...replicaSets, rollout, deployment]) {
      if (object?.metadata.uid !== undefined) this.#uids.add(object.metadata.uid);
    }
    for (const event of events) {
      if (!this.#uids.has(event.involvedObject.uid ?? "") || lastSeenMs(event) < this.#since) continue;
      this.#events.set(event.metadata.uid ?? event.metadata.name, event);
    }
  }

  #rememberWeight({ weight, currentHash }: RolloutState, now: number): void {
    if (weight === undefined) return;
    const isItsOwn = currentHash === this.fresh || weight.actual === 0;
    if (isItsOwn && this.weights.at(-1)?.weight !== weight.actual)
      this.weights.push({ at: now, weight: weight.actual });
  }

  #rememberSteps({ step, abort, isPromoted }: RolloutState, now: number): void {
    if (step === undefined) return;
    if (abort !== undefined || isPromoted || step.index >= step.steps.length) return this.#endSteps(now);
    for (const [index, seen] of this.steps) {
      if (index !== step.index) seen.endedAt ??= now;
    }
    if (!this.steps.has(step.index)) this.steps.set(step.index, { startedAt: now });
  }

  #isOfAnEarlierTry(run: AnalysisRun, { name, phase }: RolloutAnalysisState): boolean {
    const createdAt = Date.parse(run.metadata.creationTimestamp ?? "");
    if (createdAt < this.#trySince) return true;
    // What has failed before the operation began has ended a try before it.
    return !this.analyses.has(name) && createdAt < this.#since && (phase === "Failed" || phase === "Error");
  }

  #endSteps(now: number): void {
    for (const seen of this.steps.values()) seen.endedAt ??= now;
  }

  #rememberAnalyses({ analyses }: RolloutState, runs: readonly AnalysisRun[]): void {
    for (const analysis of analyses) {
      const run = runs.find(({ metadata }) => metadata.name === analysis.name);
      if (run === undefined || this.#isOfAnEarlierTry(run, analysis)) continue;
      const measurements = this.analyses.get(analysis.name)?.measurements ?? new Map<string, AnalysisMeasurement[]>();
      for (const { name, measurements: newest = [] } of run.status?.metricResults ?? []) {
        const known = (measurements.get(name) ?? []).filter(
          ({ startedAt }) => !newest.some((one) => one.startedAt === startedAt),
        );
        measurements.set(name, [...known, ...newest]);
      }
      const providers = new Map(run.spec.metrics.map(({ name, provider }) => [name, providerWords(provider)]));
      this.analyses.set(analysis.name, { ...analysis, measurements, providers });
    }
  }
}

/** The API server writes whole seconds, and its clock is known to about one more. */
function notAfter(ms: number): number {
  return Math.floor((ms - 1000) / 1000) * 1000;
}

/** Whom a metric asks that is measured by a Job. */
export const jobProvider = "Job";

function providerWords(provider: { prometheus?: { address?: string }; [name: string]: unknown }): string {
  if (provider.prometheus !== undefined) return `Prometheus, ${provider.prometheus.address ?? "address not given"}`;
  const [kind = "unknown"] = Object.keys(provider);
  return kind === "job" ? jobProvider : kind;
}

/** A Rollout's pods carry its own label in the place of a Deployment's. */
function hashOf(labels: Record<string, string> | undefined): string | undefined {
  return labels?.[hashLabel] ?? labels?.["pod-template-hash"];
}
