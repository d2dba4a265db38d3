import { KubeError } from "@safe-deploy/kube";
import type { Context } from "../context.ts";
import { contentId, digestOf } from "../domain/content.ts";
import type { Fault } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { Failure } from "../domain/failure.ts";
import { verdictOf } from "../domain/ledger.ts";
import type { Operation } from "../domain/operation.ts";
import { presentTemplate, runningImageId } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, readLedger } from "../observe/release-state.ts";
import { type OperationReport, reportBase } from "../report/operation-report.ts";
import { secondsBetween } from "../report/timeline.ts";
import { recordVerdict } from "../verify/record-verdict.ts";
import type { OperationLock } from "./operation-lock.ts";
import { refuseMovedTag, removeRelease, restoreTo } from "./restore.ts";
import { sendTrafficBack } from "./settle-rollout.ts";

export interface TakeBackOptions {
  facts: ReleaseFacts;
  /** Milliseconds since the epoch at which the release began to be applied. */
  since: number;
  /** Whether the release is to be taken back, or left as it is. */
  wanted: boolean;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/** A restore gets this long even when the operation has used up its deadline, in milliseconds. */
const restoreMs = 120_000;

/** Judges a release that has failed, and brings back what was there before where that is wanted and possible. */
export async function takeBack(
  context: Context,
  lock: OperationLock,
  operation: Operation,
  failed: Failure,
  o: TakeBackOptions,
): Promise<OperationReport> {
  const why = faultWords(failed.fault);
  if (!isTold(context, failed.fault))
    context.timeline.add({ kind: "decision", outcome: "bad", mark: "failed", what: `failed: ${firstLine(why)}` });
  // Read beside the rest, while its pod is there.
  const evidence = evidenceOf(context, failed, o.since);
  const { backTo } = operation;
  try {
    if (!o.wanted || backTo === null) {
      await recordFailure(context, operation, failed, o.facts);
      await finishRecord(context, lock);
      return failedReport(context, operation, await evidence, o.wanted);
    }
    await sendTrafficBack(context, o.facts);
    await recordFailure(context, operation, failed, o.facts);
    const restoring: Operation = {
      ...operation,
      restore: { targetNumber: backTo, why, detectedAt: new Date(failed.at).toISOString() },
    };
    await lock.record(restoring);
    const report = await finishRestore(context, lock, restoring, {
      deadline: Math.max(o.deadline, Date.now() + restoreMs),
      signal: o.signal,
    });
    return { ...report, ...(await evidence) };
  } catch (error) {
    return { ...notRestored(context, operation, { why, error, signal: o.signal }), ...(await evidence) };
  }
}

/** The controller's abort and ctl's word for it are one event. */
function isTold({ timeline }: Context, fault: Fault): boolean {
  return fault.kind === "RolloutAborted" && timeline.entries.some(({ mark }) => mark === "aborted");
}

/** Does what an operation has decided on; again, where it was interrupted in it. */
export async function finishRestore(
  context: Context,
  lock: OperationLock,
  operation: Operation,
  o: { deadline: number; signal: AbortSignal },
): Promise<OperationReport> {
  const restore = operation.restore;
  if (restore === undefined) throw new Error("nothing to restore");
  const base = () => reportBase(context, operation.kind);
  const options = { operation: operation.id, fromRevision: operation.fromRevision, ...o };
  const detectedAt = Date.parse(restore.detectedAt);
  try {
    if (restore.targetNumber === 0) {
      await removeRelease(context, options);
      const at = context.timeline.add({ kind: "restore", outcome: "good", mark: "removed", what: "removed" });
      await finishRecord(context, lock);
      return {
        ...base(),
        result: "removed",
        exit: ExitCode.restored,
        code: "CTL_E_FAILED_REMOVED",
        summary: `the first release of ${context.release} failed and was removed: ${firstLine(restore.why)}`,
        restoreSeconds: secondsBetween(detectedAt, at),
      };
    }
    const { ledger } = await observeRelease(context.kube, context.release);
    const target = ledger.find(({ number }) => number === restore.targetNumber);
    if (target === undefined)
      throw new CtlError("CTL_E_RESTORE_FAILED", `ledger entry ${restore.targetNumber} is gone`);
    await refuseMovedTag(context, target);
    const live = await restoreTo(context, target, options);
    const at = context.timeline.add({
      kind: "restore",
      outcome: "good",
      mark: "restored",
      what: `restored and verified: ${target.image}`,
    });
    await finishRecord(context, lock);
    return {
      ...base(),
      result: "restored",
      exit: ExitCode.restored,
      code: "CTL_E_FAILED_RESTORED",
      summary: `the release failed and ${context.release} is back at ${target.image}, verified: ${firstLine(restore.why)}`,
      live,
      restoreSeconds: secondsBetween(detectedAt, at),
    };
  } catch (error) {
    return notRestored(context, operation, { why: restore.why, error, signal: o.signal });
  }
}

/**
 * What is left to do is in the operation's record, so the same command goes on with it.
 *
 * @throws what no cluster and no ctl has thrown, and whatever comes of an interruption.
 */
function notRestored(
  context: Context,
  operation: Operation,
  o: { why: string; error: unknown; signal: AbortSignal },
): OperationReport {
  const { error } = o;
  if (!(error instanceof CtlError || error instanceof KubeError) || o.signal.aborted) throw error;
  context.timeline.add({
    kind: "restore",
    outcome: "bad",
    mark: "not restored",
    what: `not restored: ${error.message}`,
  });
  const told = error instanceof CtlError ? error.next : error.hint;
  return {
    ...reportBase(context, operation.kind),
    result: "restoreFailed",
    exit: ExitCode.notRestored,
    code: "CTL_E_RESTORE_FAILED",
    summary: `the release failed (${firstLine(o.why)}) and could not be restored: ${error.message}`,
    next: told ?? `the same command goes on with the restore; ctl status ${context.address} shows what serves now`,
  };
}

/** Nothing is left to do; a record that stays makes the same command look once more, and changes nothing else. */
async function finishRecord(context: Context, lock: OperationLock): Promise<void> {
  await lock.finish().catch((error: unknown) => {
    if (!(error instanceof KubeError)) throw error;
    context.timeline.add({ kind: "note", what: `the record of this operation stays: ${error.message}` });
  });
}

/** A verification names its check; the Job that ran it adds nothing. */
function faultWords({ kind, subject, message }: Fault): string {
  return kind === "VerificationFailed" ? message : `${kind}: ${subject}: ${message}`;
}

/** A verdict goes on with what was asked and what came. */
function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}

async function recordFailure(
  context: Context,
  operation: Operation,
  failed: Failure,
  facts: ReleaseFacts,
): Promise<void> {
  if (failed.fault.kind === "VerificationFailed") return;
  const template = presentTemplate(failed.workload);
  // When the API server refused the release, its template never became the workload's: there is no content to judge.
  if (
    template === undefined ||
    template.spec.containers.find(({ name }) => name === facts.container)?.image !== facts.image
  )
    return;
  const digest = digestOf(runningImageId(failed.workload, facts.container)) ?? digestOf(facts.image);
  const content = contentId(template, digest);
  if (content === operation.from) return;
  // The release's own verification may have said so a moment before.
  const known = verdictOf(await readLedger(context.kube, context.release), content);
  if (known?.verdict === "fail" && known.helmRevision === facts.revision) return;
  await recordVerdict(context.kube, facts, {
    verdict: "fail",
    why: faultWords(failed.fault),
    by: "ctl",
    image: facts.image,
    digest,
    content,
  });
}

type Evidence = Pick<OperationReport, "fault" | "log" | "events" | "detectionSeconds">;

async function evidenceOf(context: Context, { fault, events, at }: Failure, since: number): Promise<Evidence> {
  const log = await faultLog(context, fault);
  return { fault, events, detectionSeconds: secondsBetween(since, at), ...(log === undefined ? {} : { log }) };
}

async function faultLog(context: Context, fault: Fault): Promise<string | undefined> {
  if (fault.log === undefined) return undefined;
  const { pod, container, previous } = fault.log;
  const read = (o: { previous: boolean }) => context.kube.logs(pod, { container, tailLines: 20, ...o });
  // Between two restarts the last run's log may be "previous" or not yet.
  return await read({ previous }).catch(() => read({ previous: !previous }).catch(() => undefined));
}

function failedReport(context: Context, operation: Operation, failure: Evidence, wanted: boolean): OperationReport {
  const why = wanted ? "no verified release is there to go back to" : "--no-rollback";
  return {
    ...reportBase(context, operation.kind),
    ...failure,
    result: "failed",
    exit: ExitCode.notRestored,
    code: "CTL_E_FAILED",
    summary: `the release failed and was left as it is (${why}): ${failure.fault?.kind}: ${firstLine(failure.fault?.message ?? "")}`,
    next: wanted ? `ctl deploy ${context.address} --image <one that works>` : `ctl rollback ${context.address}`,
  };
}
