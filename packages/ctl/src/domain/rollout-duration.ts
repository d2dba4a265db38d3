import type {
  AnalysisMetric,
  AnalysisTemplate,
  CanaryStep,
  KubeObject,
  Rollout,
  RolloutAnalysis,
} from "@safe-deploy/kube";
import { durationSeconds } from "./rollout.ts";

/** A Job that measures starts a pod, in seconds. */
const jobSeconds = 30;

/**
 * How long an update waits by itself, in seconds: its timed pauses and its analyses, when all goes well. What its pods
 * take to start comes on top; a pause that waits for a person counts for nothing.
 */
export function plannedSeconds(rollout: Rollout, templates: readonly AnalysisTemplate[]): number {
  const { canary, blueGreen } = rollout.spec.strategy;
  const analysisSeconds = (analysis: RolloutAnalysis | undefined) => {
    const names = (analysis?.templates ?? []).map(({ templateName }) => templateName);
    const metrics = templates
      .filter(({ metadata }) => names.includes(metadata.name))
      .flatMap(({ spec }) => spec.metrics ?? []);
    // The metrics of one analysis are measured beside each other.
    return Math.max(0, ...metrics.map(metricSeconds));
  };
  const stepSeconds = ({ pause, analysis }: CanaryStep) =>
    pause?.duration === undefined ? analysisSeconds(analysis) : durationSeconds(pause.duration);
  if (blueGreen === undefined) return (canary?.steps ?? []).reduce((sum, step) => sum + stepSeconds(step), 0);
  return (
    analysisSeconds(blueGreen.prePromotionAnalysis) +
    (blueGreen.autoPromotionEnabled === false ? 0 : (blueGreen.autoPromotionSeconds ?? 0)) +
    analysisSeconds(blueGreen.postPromotionAnalysis)
  );
}

/** The same for what a chart renders; 0 when there is no Rollout in it. */
export function plannedSecondsOf(objects: readonly KubeObject[]): number {
  const rollout = objects.find(({ kind }) => kind === "Rollout") as Rollout | undefined;
  const templates = objects.filter(({ kind }) => kind === "AnalysisTemplate") as AnalysisTemplate[];
  return rollout === undefined ? 0 : plannedSeconds(rollout, templates);
}

function metricSeconds({ count, interval, initialDelay, provider }: AnalysisMetric): number {
  const times = Math.max(1, Number(count ?? 1) || 1);
  const between = interval === undefined ? 0 : durationSeconds(interval);
  const delay = initialDelay === undefined ? 0 : durationSeconds(initialDelay);
  return delay + between * (times - 1) + (provider.job === undefined ? 0 : jobSeconds);
}
