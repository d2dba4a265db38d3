import {
  type AnalysisMetric,
  type AnalysisMetricResult,
  type AnalysisPhase,
  type AnalysisRun,
  type CanaryStep,
  hashLabel,
  isReady,
  type Pod,
  type ReplicaSet,
  type Rollout,
} from "@safe-deploy/kube";
import { isRolloutObserved } from "./rollout-object.ts";

/** What Argo Rollouts' controller has written down of one update, in plain data. */
export interface RolloutState {
  name: string;
  strategy: "canary" | "blueGreen";
  /** Whether the controller has seen the present spec; nothing below says anything about it before. */
  isObserved: boolean;
  /** Hash of the present pod template; the controller's label on its ReplicaSet and pods. */
  currentHash: string | undefined;
  /** Of the template that was promoted last; undefined while nothing ever was. */
  stableHash: string | undefined;
  /** Nothing stable to compare with: the controller takes no step and runs no analysis. */
  isFirstDeploy: boolean;
  /** The present template is the stable one. */
  isPromoted: boolean;
  /** Pods of the present template. */
  replicas: { wanted: number; ready: number; available: number };
  /** Canary with steps: `index` of those done; the update is through when it equals their number. */
  step?: { index: number; steps: readonly CanaryStep[] };
  /** Canary: percent of the requests. `actual` is the router's, or without one the share of available pods. */
  weight?: { desired: number; actual: number; byRouter: boolean };
  /** Blue-green: where the two Services lead. */
  services?: { active: string | undefined; preview: string | undefined };
  pause?: RolloutPause;
  /** `isAsked`: by somebody through its status, not by what the controller found itself. */
  abort?: { at: string | undefined; why: string; isAsked: boolean };
  /** The controller makes no progress within the spec's deadline. */
  stalled?: string;
  /** The controller refuses the spec. */
  invalid?: string;
  /** A person has ended a pause, and the controller has not acted on it yet. */
  isResuming: boolean;
  isPromotingFully: boolean;
  /** Of the present template: the newest of each kind and step. */
  analyses: RolloutAnalysisState[];
  replicaSets: RolloutReplicaSet[];
}

export interface RolloutPause {
  by: "step" | "person" | "inconclusive" | "blueGreen";
  /** RFC 3339; undefined when a person paused it. */
  since: string | undefined;
  /** Milliseconds since the epoch at which it ends by itself; undefined: a person has to act. */
  untilMs: number | undefined;
}

export interface RolloutAnalysisState {
  name: string;
  kind: "step" | "background" | "prePromotion" | "postPromotion";
  /** Index of the step that it belongs to. */
  step?: number;
  phase: AnalysisPhase;
  message: string;
  metrics: MetricState[];
}

export interface MetricState {
  name: string;
  phase: AnalysisPhase;
  message: string;
  /** The last value, as its source gave it. */
  value: string | undefined;
  /** Name of the Job that measures it, once there is one. */
  job: string | undefined;
  /** What the value has to be, with its arguments filled in; undefined for a Job, which passes by ending well. */
  wanted: string | undefined;
  counts: { successful: number; failed: number; inconclusive: number; error: number };
  query: string | undefined;
  isDryRun: boolean;
}

export interface RolloutReplicaSet {
  name: string;
  hash: string;
  revision: number;
  /** Such as `stable`, `canary`, `active`, `preview`. */
  roles: string[];
  wanted: number;
  ready: number;
  pods: readonly Pod[];
  /** RFC 3339; the controller scales it down then. */
  scaleDownAt?: string;
}

export interface RolloutObjects {
  rollout: Rollout;
  analysisRuns: readonly AnalysisRun[];
  replicaSets: readonly ReplicaSet[];
  pods: readonly Pod[];
}

const revisionAnnotation = "rollout.argoproj.io/revision";
const scaleDownAnnotation = "scale-down-deadline";

const analysisKinds = {
  Step: "step",
  Background: "background",
  PrePromotion: "prePromotion",
  PostPromotion: "postPromotion",
} as const;

/** Reads a Rollout and what belongs to it. Pure. */
export function rolloutState({ rollout, analysisRuns, replicaSets, pods }: RolloutObjects): RolloutState {
  const { spec, status = {} } = rollout;
  const { canary, blueGreen } = spec.strategy;
  const currentHash = nonEmpty(status.currentPodHash);
  const stableHash = nonEmpty(status.stableRS);
  const own = replicaSets.filter(
    ({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === rollout.metadata.uid) === true,
  );
  const isPromoted = currentHash !== undefined && currentHash === stableHash;
  const services =
    blueGreen === undefined
      ? undefined
      : {
          active: nonEmpty(status.blueGreen?.activeSelector),
          preview: nonEmpty(status.blueGreen?.previewSelector),
        };
  const current = own.find(({ metadata }) => metadata.labels?.[hashLabel] === currentHash);
  const steps = canary?.steps ?? [];
  const step =
    canary !== undefined && steps.length > 0
      ? { index: status.currentStepIndex ?? (isPromoted ? steps.length : 0), steps }
      : undefined;
  const pause = pauseOf(rollout);
  const abort = abortOf(rollout);
  const stalled = conditionMessage(rollout, "Progressing", "ProgressDeadlineExceeded");
  const invalid = conditionMessage(rollout, "InvalidSpec");
  return {
    name: rollout.metadata.name,
    strategy: blueGreen === undefined ? "canary" : "blueGreen",
    isObserved: isRolloutObserved(rollout),
    currentHash,
    stableHash,
    isFirstDeploy: stableHash === undefined,
    isPromoted,
    replicas: {
      wanted: spec.replicas ?? 1,
      ready: current?.status?.readyReplicas ?? 0,
      available: current?.status?.availableReplicas ?? 0,
    },
    ...(step === undefined ? {} : { step }),
    ...(canary === undefined ? {} : { weight: weightOf(rollout, own, { currentHash, stableHash, isPromoted }) }),
    ...(services === undefined ? {} : { services }),
    ...(pause === undefined ? {} : { pause }),
    ...(abort === undefined ? {} : { abort }),
    ...(stalled === undefined ? {} : { stalled }),
    ...(invalid === undefined ? {} : { invalid }),
    isResuming: status.controllerPause === true && (status.pauseConditions ?? []).length === 0,
    isPromotingFully: status.promoteFull === true,
    analyses: analysesOf(rollout, analysisRuns, currentHash),
    replicaSets: own
      .map((replicaSet) => replicaSetState(replicaSet, pods, { currentHash, stableHash, isPromoted, services }))
      .sort((a, b) => b.revision - a.revision),
  };
}

/** The weight that the steps until now ask for, in percent. */
export function stepWeight(steps: readonly CanaryStep[], index: number): number {
  if (index >= steps.length) return 100;
  const passed = steps.slice(0, index + 1).findLast(({ setWeight }) => setWeight !== undefined);
  return passed?.setWeight ?? 0;
}

/** `setWeight 10`, `pause 2m`, `analysis myapp-error-ratio`. */
export function stepWords(step: CanaryStep): string {
  if (step.setWeight !== undefined) return `setWeight ${step.setWeight}`;
  if (step.pause !== undefined) {
    const { duration } = step.pause;
    return duration === undefined ? "pause until promoted" : `pause ${secondsWords(durationSeconds(duration))}`;
  }
  if (step.analysis !== undefined) {
    const names = (step.analysis.templates ?? []).map(({ templateName }) => templateName ?? "?");
    return `analysis ${names.join(", ")}`.trimEnd();
  }
  const [name = "unknown step"] = Object.keys(step);
  return name;
}

/** Seconds of a duration as Argo writes it: `30`, `"30"`, `"2m"`, `"1h30m"`. */
export function durationSeconds(duration: number | string): number {
  if (typeof duration === "number") return duration;
  if (/^\d+$/.test(duration)) return Number(duration);
  const units = { h: 3600, m: 60, s: 1 } as const;
  return [...duration.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (units[unit as keyof typeof units] ?? 0.001),
    0,
  );
}

/** `45 s`, `2m`, `1h30m`. */
export function secondsWords(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return `${hours > 0 ? `${hours}h` : ""}${minutes > 0 ? `${minutes}m` : ""}${rest > 0 ? `${rest}s` : ""}`;
}

function pauseOf(rollout: Rollout): RolloutPause | undefined {
  const { spec, status = {} } = rollout;
  const conditions = status.pauseConditions ?? [];
  const since = (pattern: RegExp) => conditions.find(({ reason }) => pattern.test(reason))?.startTime;
  const inconclusive = since(/^Inconclusive/);
  if (inconclusive !== undefined) return { by: "inconclusive", since: inconclusive, untilMs: undefined };
  if (spec.paused === true) return { by: "person", since: undefined, untilMs: undefined };

  const stepSince = since(/^CanaryPauseStep$/);
  if (stepSince !== undefined) {
    const duration = spec.strategy.canary?.steps?.[status.currentStepIndex ?? 0]?.pause?.duration;
    const untilMs = duration === undefined ? undefined : Date.parse(stepSince) + durationSeconds(duration) * 1000;
    return { by: "step", since: stepSince, untilMs };
  }
  const blueGreenSince = since(/^BlueGreenPause$/);
  if (blueGreenSince === undefined) return undefined;
  const { autoPromotionEnabled = true, autoPromotionSeconds = 0 } = spec.strategy.blueGreen ?? {};
  // The seconds count only where promotion by itself is enabled.
  const untilMs =
    autoPromotionEnabled && autoPromotionSeconds > 0
      ? Date.parse(blueGreenSince) + autoPromotionSeconds * 1000
      : undefined;
  return { by: "blueGreen", since: blueGreenSince, untilMs };
}

function abortOf(rollout: Rollout): RolloutState["abort"] {
  const { status = {} } = rollout;
  if (status.abort !== true) return undefined;
  const message = conditionMessage(rollout, "Progressing", "RolloutAborted") ?? "";
  const why = message.replace(/^Rollout aborted update to revision \d+:? ?/, "");
  const isAsked = why === "";
  return {
    at: status.abortedAt ?? undefined,
    why: isAsked ? "no analysis asked for it: somebody aborted it" : why,
    isAsked,
  };
}

function conditionMessage(rollout: Rollout, type: string, reason?: string): string | undefined {
  const condition = rollout.status?.conditions?.find(
    (one) => one.type === type && (reason === undefined ? one.status === "True" : one.reason === reason),
  );
  return condition === undefined ? undefined : (condition.message ?? condition.reason ?? type);
}

function weightOf(
  rollout: Rollout,
  own: readonly ReplicaSet[],
  o: { currentHash: string | undefined; stableHash: string | undefined; isPromoted: boolean },
): NonNullable<RolloutState["weight"]> {
  const { spec, status = {} } = rollout;
  const index = status.currentStepIndex ?? 0;
  const desired = o.isPromoted || status.abort === true ? 0 : stepWeight(spec.strategy.canary?.steps ?? [], index);
  const byRouter = spec.strategy.canary?.trafficRouting !== undefined;
  if (byRouter) return { desired, actual: status.canary?.weights?.canary.weight ?? 0, byRouter };
  const available = (hash: string | undefined) =>
    own
      .filter(({ metadata }) => hash !== undefined && metadata.labels?.[hashLabel] === hash)
      .reduce((sum, { status: seen }) => sum + (seen?.availableReplicas ?? 0), 0);
  const canary = o.isPromoted ? 0 : available(o.currentHash);
  const all = canary + available(o.stableHash);
  return { desired, actual: all === 0 ? 0 : Math.round((canary / all) * 100), byRouter };
}

function analysesOf(
  rollout: Rollout,
  runs: readonly AnalysisRun[],
  currentHash: string | undefined,
): RolloutAnalysisState[] {
  const newest = new Map<string, AnalysisRun>();
  const revision = rollout.metadata.annotations?.[revisionAnnotation];
  const own = runs
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === rollout.metadata.uid) === true)
    .filter(({ metadata }) => currentHash !== undefined && metadata.labels?.[hashLabel] === currentHash)
    .filter(({ metadata }) => (metadata.annotations?.[revisionAnnotation] ?? revision) === revision)
    .toSorted((a, b) => createdAt(a) - createdAt(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const run of ofThisTry(own)) {
    const key = `${kindOf(run)} ${run.metadata.labels?.["step-index"] ?? ""}`;
    // In the order of the newest, not of the first.
    newest.delete(key);
    newest.set(key, run);
  }
  return [...newest.values()].map((run) => {
    const step = run.metadata.labels?.["step-index"];
    return {
      name: run.metadata.name,
      kind: kindOf(run),
      ...(step === undefined ? {} : { step: Number(step) }),
      phase: phaseOf(run.status?.phase),
      message: run.status?.message ?? "",
      metrics: run.spec.metrics.map((metric) => metricState(run, metric)),
    };
  });
}

/**
 * Without what an earlier try of the same update has left behind. A run that fails ends its try: what was there until
 * then is an earlier one's as soon as anything came after it.
 *
 * @param runs oldest first.
 */
function ofThisTry(runs: readonly AnalysisRun[]): AnalysisRun[] {
  const ends = runs.flatMap((run) => {
    const phase = phaseOf(run.status?.phase);
    return phase === "Failed" || phase === "Error" ? [endedAt(run)] : [];
  });
  const newest = Math.max(-Infinity, ...runs.map(createdAt));
  const last = Math.max(-Infinity, ...ends.filter((end) => end < newest));
  return runs.filter((run) => createdAt(run) > last);
}

/** Milliseconds since the epoch. */
function endedAt({ metadata, status }: AnalysisRun): number {
  const measured = (status?.metricResults ?? []).flatMap(({ measurements = [] }) =>
    measurements.map(({ finishedAt }) => Date.parse(finishedAt ?? "")),
  );
  const moments = [Date.parse(status?.completedAt ?? ""), ...measured].filter((moment) => !Number.isNaN(moment));
  return moments.length === 0 ? Date.parse(metadata.creationTimestamp ?? "") : Math.max(...moments);
}

/** The controller writes an empty phase before the first measurement. */
function phaseOf(phase: string | undefined): AnalysisPhase {
  return nonEmpty(phase) === undefined ? "Pending" : (phase as AnalysisPhase);
}

function kindOf(run: AnalysisRun): RolloutAnalysisState["kind"] {
  const type = run.metadata.labels?.["rollout-type"] as keyof typeof analysisKinds | undefined;
  return (type === undefined ? undefined : analysisKinds[type]) ?? "background";
}

function metricState(run: AnalysisRun, metric: AnalysisMetric): MetricState {
  const result: AnalysisMetricResult = run.status?.metricResults?.find(({ name }) => name === metric.name) ?? {
    name: metric.name,
    phase: "Pending",
  };
  const last = result.measurements?.at(-1);
  const filled = (text: string | undefined) => (text === undefined ? undefined : withArguments(text, run));
  const { successCondition, failureCondition } = metric;
  return {
    name: metric.name,
    phase: phaseOf(result.phase),
    message: result.message ?? last?.message ?? "",
    value: last?.value,
    job: metric.provider.job === undefined ? undefined : last?.metadata?.["job-name"],
    wanted: filled(successCondition ?? (failureCondition === undefined ? undefined : `not (${failureCondition})`)),
    counts: {
      successful: result.successful ?? 0,
      failed: result.failed ?? 0,
      inconclusive: result.inconclusive ?? 0,
      error: result.error ?? 0,
    },
    query: filled(metric.provider.prometheus?.query),
    isDryRun: result.dryRun === true,
  };
}

/** An argument whose value is a reference stays as it is written. */
function withArguments(text: string, run: AnalysisRun): string {
  return text.replaceAll(
    /\{\{\s*args\.([\w-]+)\s*\}\}/g,
    (whole: string, name: string) => run.spec.args?.find((argument) => argument.name === name)?.value ?? whole,
  );
}

function replicaSetState(
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  o: {
    currentHash: string | undefined;
    stableHash: string | undefined;
    isPromoted: boolean;
    services: RolloutState["services"];
  },
): RolloutReplicaSet {
  const { metadata, spec } = replicaSet;
  const hash = metadata.labels?.[hashLabel] ?? "";
  const roles = [
    ...(hash === o.stableHash ? ["stable"] : []),
    ...(o.services === undefined && hash === o.currentHash && !o.isPromoted ? ["canary"] : []),
    ...(o.services?.active === hash ? ["active"] : []),
    ...(o.services?.preview === hash && o.services.active !== hash ? ["preview"] : []),
  ];
  const own = pods.filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true);
  const scaleDownAt = nonEmpty(metadata.annotations?.[scaleDownAnnotation]);
  return {
    name: metadata.name,
    hash,
    revision: Number(metadata.annotations?.[revisionAnnotation] ?? 0),
    roles,
    wanted: spec.replicas ?? 0,
    ready: own.filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod)).length,
    pods: own,
    ...(scaleDownAt === undefined ? {} : { scaleDownAt }),
  };
}

function createdAt(run: AnalysisRun): number {
  return Date.parse(run.metadata.creationTimestamp ?? "");
}

/** The controller writes an empty text where there is nothing. */
function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}
