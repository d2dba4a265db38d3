import type { Context } from "../context.ts";
import { diagnose, type Fault } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { eventsAbout, type Failure } from "../domain/failure.ts";
import { rolloutState, type RolloutState, secondsWords } from "../domain/rollout.ts";
import { rolloutChanges } from "../domain/rollout-changes.ts";
import { rolloutVerdict, type RolloutVerdict } from "../domain/rollout-verdict.ts";
import { servesAlone } from "../domain/serving.ts";
import { type FollowedWorkload, followWorkload } from "../observe/follow-workload.ts";
import { podsInOrder } from "../observe/release-state.ts";
import { podLine } from "../ui/pod-line.ts";

export interface FailedRollout extends Failure {
  outcome: "failed";
  /** Name of the Job that decided it, as a gate of the rollout. */
  gate?: string;
}

export type FollowedRollout =
  | { outcome: "promoted" }
  | FailedRollout
  /** Nothing happens until a person acts. */
  | { outcome: "waits"; verdict: Extract<RolloutVerdict, { kind: "paused" | "inconclusive" }> }
  | { outcome: "deadline"; waitingFor: string }
  | { outcome: "interrupted" };

export interface FollowRolloutOptions {
  /** For how long a preview may wait for a person before it is given up, in seconds; undefined: as long as it likes. */
  promotionLimitSeconds?: number | undefined;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/**
 * The controller looks again at a spec that it refused after 20 s: a Service that it names may only be on its way.
 * In milliseconds.
 */
const refusalPatienceMs = 25_000;

/**
 * Follows an update until it is promoted, fails or waits for a person. What its pods show decides before an analysis
 * or a deadline does. Changes nothing.
 */
export async function followRollout(
  context: Context,
  facts: ReleaseFacts,
  o: FollowRolloutOptions,
): Promise<FollowedRollout> {
  let last: { seen: FollowedWorkload; state: RolloutState } | undefined;
  let waitingFor = "the API server's first answer";
  let refusedSince: number | undefined;
  try {
    for await (const seen of followWorkload(context.kube, facts, { ...o, withAnalyses: true })) {
      const { rollout } = seen.workload;
      if (rollout === undefined) {
        waitingFor = `Rollout ${facts.workload.name} to exist`;
        context.progress.waiting(waitingFor);
        continue;
      }
      const state = rolloutState({ ...seen.workload, rollout, analysisRuns: seen.analysisRuns });
      for (const change of rolloutChanges(last?.state, state)) context.timeline.add(change);
      last = { seen, state };
      context.journal.look(seen);
      context.progress.pods(podsInOrder(seen.workload).map(podLine));

      const verdict = verdictOf(state, seen);
      refusedSince = verdict.kind === "invalid" ? (refusedSince ?? seen.now) : undefined;
      const limit = promotionLimit(state, o.promotionLimitSeconds);
      const ended = endOf(verdict, seen, { refusedSince, limit, since: context.journal.since });
      if (ended !== undefined) return ended;
      waitingFor = verdict.kind === "inFlight" ? verdict.why : "a person to promote the preview";
      context.progress.waiting(waitingFor);
    }
  } catch (error) {
    if (!o.signal.aborted) throw error;
  }
  return o.signal.aborted ? { outcome: "interrupted" } : { outcome: "deadline", waitingFor };
}

/** The controller's word, and that the Services follow it: the pods before keep their label for a moment. */
function verdictOf(state: RolloutState, seen: FollowedWorkload): RolloutVerdict {
  const verdict = rolloutVerdict(state, seen.now);
  const serving = servesAlone(seen.workload);
  return verdict.kind === "promoted" && !serving.done ? { kind: "inFlight", why: serving.waitingFor } : verdict;
}

interface PromotionLimit {
  seconds: number;
  /** Milliseconds since the epoch. */
  at: number;
}

function promotionLimit({ pause }: RolloutState, seconds: number | undefined): PromotionLimit | undefined {
  if (pause?.by !== "blueGreen" || pause.untilMs !== undefined || pause.since === undefined || seconds === undefined)
    return undefined;
  return { seconds, at: Date.parse(pause.since) + seconds * 1000 };
}

/** What this look decides; undefined: go on. */
function endOf(
  verdict: RolloutVerdict,
  seen: FollowedWorkload,
  o: { refusedSince: number | undefined; limit: PromotionLimit | undefined; since: number },
): FollowedRollout | undefined {
  const { refusedSince, limit, since } = o;
  const failed = (kind: Fault["kind"], message: string) =>
    failedRollout(seen, { kind, subject: `Rollout/${seen.workload.rollout?.metadata.name ?? ""}`, message }, since);
  switch (verdict.kind) {
    case "promoted":
      return { outcome: "promoted" };
    case "aborted":
      return {
        ...failed("RolloutAborted", verdict.why),
        ...(verdict.job === undefined ? {} : { gate: verdict.job }),
      };
    case "stuck":
      return failed("DeadlineExceeded", verdict.why);
    case "invalid": {
      const gone = (refusedSince ?? seen.now) + refusalPatienceMs;
      if (seen.now >= gone) return failed("RolloutRefused", verdict.why);
      seen.wakeAt(gone);
      return undefined;
    }
    case "inFlight":
    case "paused":
    case "inconclusive": {
      const diagnosis = diagnose(seen.workload, seen.events, seen.now);
      if (diagnosis.fault !== undefined) return failedRollout(seen, diagnosis.fault, since);
      if (limit !== undefined && seen.now >= limit.at)
        return failed("RolloutAborted", `nobody promoted the preview within ${secondsWords(limit.seconds)}`);
      if (limit !== undefined) {
        seen.wakeAt(limit.at);
        return undefined;
      }
      if (verdict.kind !== "inFlight") return { outcome: "waits", verdict };
      if (diagnosis.lookAgainAt !== undefined) seen.wakeAt(diagnosis.lookAgainAt);
      if (verdict.lookAgainAt !== undefined) seen.wakeAt(verdict.lookAgainAt);
      return undefined;
    }
  }
}

/** @param since when the operation began. */
function failedRollout(seen: FollowedWorkload, fault: Fault, since: number): FailedRollout {
  return {
    outcome: "failed",
    fault,
    workload: seen.workload,
    events: eventsAbout(fault.subject, seen.events, since),
    at: Date.now(),
  };
}
