import { toldIn } from "./gate-answers.ts";
import { type MetricState, type RolloutAnalysisState, type RolloutState, secondsWords, stepWords } from "./rollout.ts";

/** Where an update stands. Whatever is not `inFlight` stays as it is until somebody acts. */
export type RolloutVerdict =
  | { kind: "inFlight"; why: string; lookAgainAt?: number }
  /** The present template is the stable one and takes all traffic. */
  | { kind: "promoted"; why: string }
  /**
   * Taken back by an analysis, a deadline or a person: the stable template serves, the present one is not it. `job`: name
   * of the Job that decided it.
   */
  | { kind: "aborted"; why: string; job?: string }
  /** A person has to promote or abort. */
  | { kind: "paused"; by: "step" | "person" | "blueGreen"; why: string }
  /** An analysis could not tell; a person has to decide. */
  | { kind: "inconclusive"; why: string }
  /** No progress within its deadline, and nothing takes it back. */
  | { kind: "stuck"; why: string }
  /** The controller refuses the spec. */
  | { kind: "invalid"; why: string };

/**
 * Pure: the same state and time always give the same answer.
 *
 * @param now milliseconds since the epoch, by the cluster's clock.
 */
export function rolloutVerdict(s: RolloutState, now: number): RolloutVerdict {
  if (!s.isObserved) return { kind: "inFlight", why: "the Rollouts controller to see the new spec" };
  if (s.invalid !== undefined) return { kind: "invalid", why: s.invalid };
  if (s.isPromoted) return promotedVerdict(s);
  if (s.abort !== undefined) return abortedVerdict(s, s.abort);
  // A full promotion ends the pause; the controller has not acted on it yet.
  if (s.pause !== undefined && !s.isPromotingFully) return pausedVerdict(s, s.pause, now);
  if (s.stalled !== undefined) return { kind: "stuck", why: s.stalled };
  return { kind: "inFlight", why: progressWords(s) };
}

/** The analysis that decided against the update, if one did. */
export function decidingAnalysis(s: RolloutState): RolloutAnalysisState | undefined {
  const wanted = s.pause?.by === "inconclusive" ? ["Inconclusive"] : ["Failed", "Error"];
  return s.analyses.findLast(({ phase }) => wanted.includes(phase));
}

/** The metric that decided it. */
export function decidingMetric(analysis: RolloutAnalysisState): MetricState | undefined {
  return analysis.metrics.find(({ phase, isDryRun }) => phase === analysis.phase && !isDryRun);
}

/**
 * `error-ratio is [0.31], wanted result[0] < 0.05 (2 failed, 0 inconclusive, 1 without an answer)`, or
 * `sequential says fail: the new version is bad: ...`
 */
export function metricWords(metric: MetricState): string {
  const { failed, inconclusive, error } = metric.counts;
  const told = toldIn(metric.value);
  if (told !== undefined) return `${metric.name} says ${told.verdict}: ${told.reason}`;
  const value = metric.value === undefined ? "has no value" : `is ${metric.value}`;
  const answer = metric.job === undefined ? value : `by Job ${metric.job}`;
  const wanted = metric.wanted === undefined ? "" : `, wanted ${metric.wanted}`;
  const message = metric.message === "" ? "" : `: ${metric.message}`;
  return `${metric.name} ${answer}${wanted} (${failed} failed, ${inconclusive} inconclusive, ${error} without an answer)${message}`;
}

/** What the errors of a metrics server mean, which the controller repeats as it got them. */
function silenceWords({ phase, message }: MetricState): string {
  if (phase !== "Error") return "";
  if (message.includes("no data returned"))
    return "; nothing answers this question: the version had no requests, or nobody exports the metric";
  const unreachable = /dial tcp|no such host|connection refused|i\/o timeout|context deadline exceeded/;
  return unreachable.test(message)
    ? "; the metrics server could not be asked, so nobody knows how good the version is"
    : "";
}

function promotedVerdict(s: RolloutState): RolloutVerdict {
  const { wanted, available } = s.replicas;
  if (s.services !== undefined && s.services.active !== s.currentHash)
    return { kind: "inFlight", why: "the active Service to lead to it" };
  if (available < wanted) {
    if (s.stalled !== undefined) return { kind: "stuck", why: s.stalled };
    return { kind: "inFlight", why: `${available} of ${wanted} pods available` };
  }
  if (s.weight !== undefined && s.weight.byRouter && s.weight.actual !== 0)
    return { kind: "inFlight", why: "the router to send everything to the stable pods" };
  return { kind: "promoted", why: "it is the stable release" };
}

function abortedVerdict(s: RolloutState, { why, isAsked }: NonNullable<RolloutState["abort"]>): RolloutVerdict {
  const analysis = isAsked ? undefined : decidingAnalysis(s);
  const metric = analysis && decidingMetric(analysis);
  const evidence = metric === undefined ? "" : `; ${metricWords({ ...metric, message: "" })}${silenceWords(metric)}`;
  return { kind: "aborted", why: `${why}${evidence}`, ...(metric?.job === undefined ? {} : { job: metric.job }) };
}

function pausedVerdict(s: RolloutState, pause: NonNullable<RolloutState["pause"]>, now: number): RolloutVerdict {
  if (pause.by === "inconclusive") {
    const analysis = decidingAnalysis(s);
    const metric = analysis && decidingMetric(analysis);
    const evidence = metric === undefined ? "" : `: ${metricWords(metric)}`;
    return { kind: "inconclusive", why: `the analysis could not tell${evidence}` };
  }
  if (pause.untilMs !== undefined) {
    const left = Math.max(0, pause.untilMs - now) / 1000;
    return {
      kind: "inFlight",
      why: `${placeWords(s)} to end in ${secondsWords(left)}`,
      lookAgainAt: pause.untilMs,
    };
  }
  const why = {
    step: `it waits at ${placeWords(s)}`,
    person: `a person paused it at ${placeWords(s)}`,
    blueGreen: "the preview is up, and waits to be promoted",
  };
  return { kind: "paused", by: pause.by, why: why[pause.by] };
}

/** What the controller is doing, as the object of "waiting for". */
function progressWords(s: RolloutState): string {
  const { wanted, available } = s.replicas;
  if (s.isResuming) return "the controller to go on after the pause";
  if (s.isFirstDeploy || s.isPromotingFully) return `${available} of ${wanted} pods available`;
  const running = s.analyses.findLast(({ phase }) => phase === "Running" || phase === "Pending");
  const isGate = running !== undefined && running.kind !== "background";
  if (s.strategy === "blueGreen") {
    if (isGate) return `analysis ${running.name}`;
    if (s.services?.active === s.currentHash) return "the release before to be let go";
    return `${available} new pods available, then the active Service to switch`;
  }
  if (s.step !== undefined && s.step.index < s.step.steps.length) return placeWords(s);
  return `${available} of ${wanted} pods available`;
}

/** `step 3 of 8 (pause 2m)` */
function placeWords(s: RolloutState): string {
  if (s.step === undefined) return s.strategy === "blueGreen" ? "the preview's pause" : "no step";
  const { index, steps } = s.step;
  const step = steps[index];
  if (step === undefined) return "the end of its steps";
  return `step ${index + 1} of ${steps.length} (${stepWords(step)})`;
}
