import type { Condition, Metric } from "./rollout-plan.ts";

/** An AnalysisRun as Argo Rollouts 1.10 runs it: `analysis/analysis.go` and `utils/evaluate/evaluate.go`. */

export type Phase = "Successful" | "Failed" | "Inconclusive" | "Error";

/** What a query answered: a number, NaN, nothing (an empty vector), or that it could not be asked. */
export type Answer = number | "empty" | "unreachable";

/** The counters of one metric in a run. */
export interface MetricRun {
  metric: Metric;
  counted: number;
  failed: number;
  inconclusive: number;
  consecutiveErrors: number;
  consecutiveSuccesses: number;
  /** Of the next measurement, in seconds; Infinity when there is none. */
  nextAt: number;
  phase: Phase | undefined;
}

/** An error is measured again after this, whatever the interval, in seconds. */
const errorRetrySeconds = 10;

/** @param notedAt what is written down for the moment that it starts at, from which initial delays count. */
export function startRun(metrics: readonly Metric[], at: number, notedAt = at): MetricRun[] {
  return metrics.map((metric) => ({
    metric,
    counted: 0,
    failed: 0,
    inconclusive: 0,
    consecutiveErrors: 0,
    consecutiveSuccesses: 0,
    nextAt: Math.max(at, notedAt + metric.initialDelaySeconds),
    phase: undefined,
  }));
}

/**
 * Takes one measurement, in place.
 *
 * @param notedAt what is written down for its moment, from which the interval counts.
 */
export function measure(run: MetricRun, answer: Answer, notedAt: number): void {
  const { metric } = run;
  const outcome = evaluate(metric, answer);
  run.nextAt = notedAt + (outcome === "Error" ? errorRetrySeconds : metric.intervalSeconds);
  run.consecutiveErrors = outcome === "Error" ? run.consecutiveErrors + 1 : 0;
  run.consecutiveSuccesses = outcome === "Successful" ? run.consecutiveSuccesses + 1 : 0;
  if (outcome !== "Error") run.counted++;
  if (outcome === "Failed") run.failed++;
  if (outcome === "Inconclusive") run.inconclusive++;
  run.phase = assess(run);
  if (run.phase !== undefined) run.nextAt = Infinity;
}

/**
 * Which outcome a measurement has. NaN compares with nothing: a success condition alone fails it, a failure condition
 * alone passes it. Both conditions false is inconclusive.
 */
export function evaluate(metric: Metric, answer: Answer): Phase {
  if (metric.value === "good") return "Successful";
  if (answer === "unreachable" || !metric.indexed) return "Error";
  if (answer === "empty" && !metric.guarded) return "Error";
  const holds = (condition: Condition) => answer !== "empty" && compare(answer, condition);
  const { success, failure } = metric;
  if (failure !== undefined && holds(failure)) return "Failed";
  if (success === undefined) return "Successful";
  if (holds(success)) return "Successful";
  return failure === undefined ? "Failed" : "Inconclusive";
}

/** The phase of a whole run: the worst end of a metric ends it; it is successful when all are. */
export function phaseOf(runs: readonly MetricRun[]): Phase | undefined {
  for (const worst of ["Failed", "Error", "Inconclusive"] as const) {
    if (runs.some(({ phase }) => phase === worst)) return worst;
  }
  return runs.every(({ phase }) => phase === "Successful") ? "Successful" : undefined;
}

/** Within a metric Error wins over Inconclusive, and that over Failed. Errors are not counted towards `count`. */
function assess({ metric, ...run }: MetricRun): Phase | undefined {
  if (run.consecutiveErrors > metric.consecutiveErrorLimit) return "Error";
  if (run.inconclusive > metric.inconclusiveLimit) return "Inconclusive";
  if (metric.failureLimit >= 0 && run.failed > metric.failureLimit) return "Failed";
  if (metric.consecutiveSuccessLimit > 0 && run.consecutiveSuccesses >= metric.consecutiveSuccessLimit) {
    return "Successful";
  }
  if (metric.count === 0 || run.counted < metric.count) return undefined;
  if (metric.consecutiveSuccessLimit === 0) return "Successful";
  // Neither limit was reached; where failures have none, too few successes are a failure.
  return metric.failureLimit >= 0 ? "Inconclusive" : "Failed";
}

/** Whether a value meets a condition. No comparison with NaN is true. */
export function compare(value: number, { operator, limit, negated }: Condition): boolean {
  if (negated === true) return !compare(value, { operator, limit });
  switch (operator) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
  }
}
