import type { RolloutPlan, Step } from "@safe-deploy/verdict";
import { secondsWords } from "../domain/rollout.ts";
import { wrapItems } from "../ui/wrap.ts";

/** The steps in words, and what watches them, in lines for a terminal. */
export function planWords({ steps, background, engine, steering }: RolloutPlan): string[] {
  // Between the gates of a Job nobody looks.
  const asksService = engine === "sequential" && background.fromStep < Infinity;
  const watched = [...(asksService ? ["sequential"] : []), ...background.metrics.map(({ name }) => name)];
  return [
    ...wrapItems(
      steps.map((step) => stepWords(step, steering === undefined ? "until promoted" : "until the agent moves")),
      "  ",
    ),
    ...(watched.length === 0 ? [] : wrapItems(watched, "  watched all the time: ")),
  ];
}

function stepWords(step: Step, openPause: string): string {
  if ("setWeight" in step) return `${step.setWeight} %`;
  if ("pauseSeconds" in step) return step.pauseSeconds === null ? openPause : secondsWords(step.pauseSeconds);
  return `gate ${step.analysis.map(({ name }) => name).join(" + ")}`;
}
