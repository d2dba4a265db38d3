import type { Context } from "../context.ts";
import { type Operation, resumption } from "../domain/operation.ts";
import { CtlError } from "../errors.ts";
import { observeRelease, type ReleaseState } from "../observe/release-state.ts";
import type { OperationReport } from "../report/operation-report.ts";
import { clearPending } from "./clear-pending.ts";
import { lockRelease, type OperationLock } from "./operation-lock.ts";
import { finishRestore } from "./take-back.ts";

/** What a command has while it changes a release. */
export interface Held {
  lock: OperationLock;
  /** What the same command had begun when it was killed. */
  left: Operation | undefined;
  /** Milliseconds since the epoch. */
  deadline: number;
  /** Aborts when a person interrupts, and when another ctl may have taken over. */
  signal: AbortSignal;
}

/**
 * Runs a change of a release as its only writer. A restore that the same command had begun when it was killed is finished
 * instead.
 *
 * @param o.interrupted what an interruption leaves behind, in plain words.
 * @throws CtlError CTL_E_LOCKED while another ctl changes the release, CTL_E_INTERRUPTED.
 */
export async function resumable(
  context: Context,
  wanted: Pick<Operation, "kind" | "fingerprint">,
  o: { timeoutSeconds: number; interrupted: string },
  change: (held: Held) => Promise<OperationReport>,
): Promise<OperationReport> {
  const deadline = Date.now() + o.timeoutSeconds * 1000;
  const lock = await lockRelease(context.kube, context.release, (what) => context.timeline.add({ kind: "note", what }));
  const signal = AbortSignal.any([context.signal, lock.lost]);
  try {
    const left = resumption(lock.left, wanted).continue;
    if (left?.restore !== undefined) return await finishRestore(context, lock, left, { deadline, signal });
    return await change({ lock, left, deadline, signal });
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new CtlError("CTL_E_INTERRUPTED", o.interrupted, { next: "the same command goes on with it", cause: error });
  } finally {
    await lock.release();
  }
}

/** The release as it is once a Helm operation that nobody works on any more has been ended. */
export async function observeWithoutPending(context: Context): Promise<ReleaseState> {
  const state = await observeRelease(context.kube, context.release);
  if (!(await clearPending(context.kube, state.helm[0]))) return state;
  context.timeline.add({ kind: "note", what: "ended the Helm operation that was left pending" });
  return await observeRelease(context.kube, context.release);
}
