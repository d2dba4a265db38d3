import type { Context } from "../context.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { promotionLimitSeconds } from "../domain/helm-values.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { waitingCommands } from "../domain/rollout-commands.ts";
import { observeRelease, readHelmReleases, requireRelease } from "../observe/release-state.ts";
import { liveReport, type OperationReport, reportBase } from "../report/operation-report.ts";
import { type FollowedRollout, followRollout } from "./follow-rollout.ts";
import { gateFault } from "./gate-fault.ts";
import { runHook } from "./run-hook.ts";
import type { Failure } from "../domain/failure.ts";

export interface FinishOptions {
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/** An update that has ended or waits for a person, or a failure that the caller takes back. */
export type FinishedRollout = { outcome: "ended"; report: OperationReport } | ({ outcome: "failed" } & Failure);

/**
 * Follows an update to its end and sees to a verdict: where the rollout's own gate gave none, such as after a promotion
 * in full, the release's verification runs now.
 *
 * @throws CtlError CTL_E_INTERRUPTED
 */
export async function finishRollout(
  context: Context,
  kind: OperationReport["kind"],
  facts: ReleaseFacts,
  o: FinishOptions,
): Promise<FinishedRollout> {
  const release = (await readHelmReleases(context.kube, context.release))[0];
  const limit = release === undefined ? undefined : promotionLimitSeconds(release);
  const deadline = o.deadline + (limit ?? 0) * 1000;
  const followed = await followRollout(context, facts, { ...o, deadline, promotionLimitSeconds: limit });
  if (followed.outcome === "failed") {
    const fault = followed.gate === undefined ? undefined : await gateFault(context.kube, facts, followed.gate);
    return fault === undefined ? followed : { ...followed, fault };
  }
  if (followed.outcome === "interrupted" && !context.signal.aborted) {
    throw new CtlError("CTL_E_LOCKED", "this ctl lost its Lease on the release and stopped following the rollout", {
      next: `ctl wait ${context.address}`,
    });
  }
  if (followed.outcome === "interrupted") {
    throw new CtlError("CTL_E_INTERRUPTED", "the rollout goes on in the cluster, and nothing here takes it back now", {
      next: `ctl wait ${context.address}; ctl abort ${context.address} sends the traffic back`,
    });
  }
  if (followed.outcome !== "promoted") return { outcome: "ended", report: waitingReport(context, kind, followed) };

  const first = await verifiedReport(context, kind);
  if (first !== undefined) return { outcome: "ended", report: first };
  context.timeline.add({ kind: "verify", what: "verifying what was promoted" });
  const { newest } = requireRelease(await observeRelease(context.kube, context.release));
  const run = await runHook(context.kube, newest, "verify", { ...o, say: (line) => context.progress.waiting(line) });
  const verified = run.succeeded ? await verifiedReport(context, kind) : undefined;
  if (verified !== undefined) return { outcome: "ended", report: verified };
  const { workload } = await observeRelease(context.kube, context.release);
  return {
    outcome: "failed",
    fault: {
      kind: "VerificationFailed",
      subject: `Job/${facts.workload.name}-verify`,
      message: run.succeeded ? "it ended well, and wrote no verdict" : run.why,
    },
    workload,
    events: [],
    at: Date.now(),
  };
}

async function verifiedReport(context: Context, kind: OperationReport["kind"]): Promise<OperationReport | undefined> {
  const state = await observeRelease(context.kube, context.release);
  const entry = state.live?.entry;
  if (entry?.verdict !== "pass") return undefined;
  context.timeline.add({ kind: "verify", outcome: "good", mark: "verified", what: `verified: ${entry.why}` });
  return {
    ...reportBase(context, kind),
    result: "verified",
    exit: ExitCode.ok,
    summary: `${context.release} runs ${entry.image}, promoted and verified`,
    live: liveReport(entry, state.helm[0]?.version ?? entry.helmRevision),
  };
}

function waitingReport(
  context: Context,
  kind: OperationReport["kind"],
  followed: Extract<FollowedRollout, { outcome: "waits" | "deadline" }>,
): OperationReport {
  const base = () => reportBase(context, kind);
  if (followed.outcome === "deadline") {
    const summary = `the deadline passed, and the rollout goes on: waiting for ${followed.waitingFor}`;
    context.timeline.add({ kind: "note", what: summary });
    const next = `ctl wait ${context.address}`;
    return { ...base(), result: "goingOn", exit: ExitCode.deadline, code: "CTL_E_DEADLINE", summary, next };
  }
  const { verdict } = followed;
  const summary = `${verdict.kind}: ${verdict.why}`;
  context.timeline.add({ kind: "decision", mark: "waits", what: summary });
  const next = waitingCommands(verdict, context.address);
  return verdict.kind === "paused"
    ? { ...base(), result: "paused", exit: ExitCode.paused, code: "CTL_E_PAUSED", summary, next }
    : { ...base(), result: "inconclusive", exit: ExitCode.inconclusive, code: "CTL_E_INCONCLUSIVE", summary, next };
}
