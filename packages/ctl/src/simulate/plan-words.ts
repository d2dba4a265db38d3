import type { RolloutPlan, Step } from "@safe-deploy/verdict";
import { secondsWords } from "../domain/rollout.ts";

/** A line of steps holds so many characters. */
const lineWidth = 76;

/** The steps in words, and what watches them, in lines for a terminal. */
export function planWords({ steps, background }: RolloutPlan): string[] {
  const lines = [""];
  for (const [index, step] of steps.entries()) {
    const word = `${stepWords(step)}${index + 1 < steps.length ? ", " : ""}`;
    if (lines.at(-1)!.length + word.length > lineWidth) lines.push("");
    lines[lines.length - 1] += word;
  }
  const watched = background.metrics.map(({ name }) => name).join(", ");
  return [...lines.map((line) => line.trimEnd()), ...(watched === "" ? [] : [`watched all the time: ${watched}`])];
}

function stepWords(step: Step): string {
  if ("setWeight" in step) return `${step.setWeight} %`;
  if ("pauseSeconds" in step) return step.pauseSeconds === null ? "until promoted" : secondsWords(step.pauseSeconds);
  return `gate ${step.analysis.map(({ name }) => name).join(" + ")}`;
}
