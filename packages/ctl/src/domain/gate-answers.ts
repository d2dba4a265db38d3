import type { MetricState, RolloutAnalysisState } from "./rollout.ts";

/** What a verdict service told a gate, as the measurement keeps it. */
export interface Told {
  verdict: string;
  reason: string;
}

/** Undefined where the value is no answer of such a service. */
export function toldIn(value: string | undefined): Told | undefined {
  if (value === undefined) return undefined;
  try {
    const told = JSON.parse(value) as Partial<Told> | null;
    const isTold = typeof told?.verdict === "string" && typeof told.reason === "string";
    return isTold ? { verdict: told.verdict!, reason: told.reason! } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Gates that Argo Rollouts let pass although nobody told them `pass`: it takes an answer that is no JSON, also an empty
 * one, for a success, and does not look at the conditions. A gate that a person went past has another phase.
 *
 * @param metric the name of the metric that asks the service.
 */
export function gatesWithoutPass(
  analyses: readonly RolloutAnalysisState[],
  metric: string,
): { analysis: string; value: string | undefined }[] {
  const passed = analyses.flatMap(({ name, kind, metrics }) =>
    metrics
      .filter((state: MetricState) => kind === "step" && state.name === metric && state.phase === "Successful")
      .map(({ value }) => ({ analysis: name, value })),
  );
  return passed.filter(({ value }) => toldIn(value)?.verdict !== "pass");
}
