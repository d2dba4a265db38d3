import type { RolloutPlan, Step } from "@safe-deploy/verdict";
import { secondsWords } from "../domain/rollout.ts";
import { wrapItems } from "../ui/wrap.ts";

/** The steps in words, and what watches them, in lines for a terminal. */
export function planWords({ steps, background }: RolloutPlan): string[] {
  const watched = background.metrics.map(({ name }) => name);
  return [
    ...wrapItems(steps.map(stepWords), "  "),
    ...(watched.length === 0 ? [] : wrapItems(watched, "  watched all the time: ")),
  ];
}

function stepWords(step: Step): string {
  if ("setWeight" in step) return `${step.setWeight} %`;
  if ("pauseSeconds" in step) return step.pauseSeconds === null ? "until promoted" : secondsWords(step.pauseSeconds);
  return `gate ${step.analysis.map(({ name }) => name).join(" + ")}`;
}
