import { type RolloutState, stepWords } from "./rollout.ts";
import { decidingMetric, metricWords } from "./rollout-verdict.ts";

/** What happened between two looks at a rollout, one line each, for a timeline. Pure. */
export function rolloutChanges(before: RolloutState | undefined, after: RolloutState): string[] {
  if (!after.isObserved || after.currentHash === undefined) return [];
  const isNew = before?.currentHash !== after.currentHash;
  return [
    ...stepChanges(isNew ? undefined : before, after),
    ...weightChanges(before, after),
    ...serviceChanges(before, after),
    ...analysisChanges(isNew ? undefined : before, after),
    ...(after.abort !== undefined && !after.isPromoted && (isNew || before.abort === undefined)
      ? [`aborted: ${after.abort.why}`]
      : []),
    ...(after.isPromoted && before !== undefined && !before.isPromoted ? ["promoted"] : []),
  ];
}

function stepChanges(before: RolloutState | undefined, { step, isPromoted, abort }: RolloutState): string[] {
  if (step === undefined || isPromoted || abort !== undefined || before?.step?.index === step.index) return [];
  const present = step.steps[step.index];
  return present === undefined ? [] : [`step ${step.index + 1} of ${step.steps.length}: ${stepWords(present)}`];
}

function weightChanges(before: RolloutState | undefined, { weight }: RolloutState): string[] {
  if (weight === undefined || before?.weight === undefined || before.weight.actual === weight.actual) return [];
  return [`${weight.actual} % of the ${weight.byRouter ? "requests" : "pods"} are the canary's`];
}

function serviceChanges(before: RolloutState | undefined, { services, currentHash }: RolloutState): string[] {
  if (services === undefined || before?.services === undefined || before.services.active === services.active) return [];
  const to = services.active === currentHash ? "the new pods" : "the pods before";
  return [`the active Service leads to ${to}`];
}

function analysisChanges(before: RolloutState | undefined, after: RolloutState): string[] {
  return after.analyses.flatMap((analysis) => {
    const known = before?.analyses.find(({ name }) => name === analysis.name);
    if (known?.phase === analysis.phase || analysis.phase === "Pending") return [];
    const metric = decidingMetric(analysis);
    const isDecided = ["Failed", "Error", "Inconclusive"].includes(analysis.phase);
    const evidence = isDecided && metric !== undefined ? `: ${metricWords(metric)}` : "";
    return [`${analysis.kind} analysis ${analysis.name}: ${analysis.phase}${evidence}`];
  });
}
