import type { AnalysisPhase } from "@safe-deploy/kube";
import type { Happening } from "./happening.ts";
import { type RolloutState, stepWords } from "./rollout.ts";
import { decidingMetric, metricWords } from "./rollout-verdict.ts";

/** What happened between two looks at a rollout, for a timeline. Pure. */
export function rolloutChanges(before: RolloutState | undefined, after: RolloutState): Happening[] {
  if (!after.isObserved || after.currentHash === undefined) return [];
  const isNew = before?.currentHash !== after.currentHash;
  return [
    ...stepChanges(isNew ? undefined : before, after),
    ...weightChanges(before, after),
    ...serviceChanges(before, after),
    ...analysisChanges(isNew ? undefined : before, after),
    ...(after.abort !== undefined && !after.isPromoted && (isNew || before.abort === undefined)
      ? [{ kind: "decision" as const, outcome: "bad" as const, mark: "aborted", what: `aborted: ${after.abort.why}` }]
      : []),
    ...(after.isPromoted && before !== undefined && !before.isPromoted
      ? [{ kind: "decision" as const, outcome: "good" as const, mark: "promoted", what: "promoted" }]
      : []),
  ];
}

function stepChanges(before: RolloutState | undefined, { step, isPromoted, abort }: RolloutState): Happening[] {
  if (step === undefined || isPromoted || abort !== undefined || before?.step?.index === step.index) return [];
  const present = step.steps[step.index];
  return present === undefined
    ? []
    : [{ kind: "step", what: `step ${step.index + 1} of ${step.steps.length}: ${stepWords(present)}` }];
}

function weightChanges(before: RolloutState | undefined, { weight }: RolloutState): Happening[] {
  if (weight === undefined || before?.weight === undefined || before.weight.actual === weight.actual) return [];
  const of = weight.byRouter ? "requests" : "pods";
  return [{ kind: "step", mark: `${weight.actual} %`, what: `${weight.actual} % of the ${of} are the canary's` }];
}

function serviceChanges(before: RolloutState | undefined, { services, currentHash }: RolloutState): Happening[] {
  if (services === undefined || before?.services === undefined || before.services.active === services.active) return [];
  const to = services.active === currentHash ? "the new pods" : "the pods before";
  return [{ kind: "step", mark: "switched", what: `the active Service leads to ${to}` }];
}

const outcomes: Partial<Record<AnalysisPhase, Happening["outcome"]>> = {
  Successful: "good",
  Failed: "bad",
  Error: "bad",
};

function analysisChanges(before: RolloutState | undefined, after: RolloutState): Happening[] {
  return after.analyses.flatMap((analysis) => {
    const known = before?.analyses.find(({ name }) => name === analysis.name);
    if (known?.phase === analysis.phase || analysis.phase === "Pending") return [];
    const metric = decidingMetric(analysis);
    const isDecided = ["Failed", "Error", "Inconclusive"].includes(analysis.phase);
    const evidence = isDecided && metric !== undefined ? `: ${metricWords(metric)}` : "";
    const outcome = outcomes[analysis.phase];
    return [
      {
        kind: "analysis",
        ...(outcome === undefined ? {} : { outcome }),
        what: `${analysis.kind} analysis ${analysis.name}: ${analysis.phase}${evidence}`,
      },
    ];
  });
}
