import { randomUUID } from "node:crypto";
import { KubeError } from "@safe-deploy/kube";
import type { Context } from "../context.ts";
import { shortHash } from "../domain/canonical.ts";
import { type LedgerEntry, newestFirst, rollbackTarget } from "../domain/ledger.ts";
import { type Operation, resumption } from "../domain/operation.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { factsOf, observeRelease, type ReleaseState, requireRelease } from "../observe/release-state.ts";
import { type OperationReport, reportBase } from "../report/operation-report.ts";
import { secondsBetween } from "../report/timeline.ts";
import { recordVerdict } from "../verify/record-verdict.ts";
import { lockRelease } from "./operation-lock.ts";
import { isUsable } from "./rollback-target.ts";
import { refuseMovedTag, restoreTo } from "./restore.ts";
import { sendTrafficBack } from "./settle-rollout.ts";

export interface RollbackIntent {
  /** A revision of Helm, or the newest verified release that is not live. */
  to: number | "verified";
  timeoutSeconds: number;
}

/** Goes back to a verified release, marks what is left as bad, and verifies the result. */
export async function rollback(context: Context, intent: RollbackIntent): Promise<OperationReport> {
  const deadline = Date.now() + intent.timeoutSeconds * 1000;
  const lock = await lockRelease(context.kube, context.release, (what) => context.timeline.add({ kind: "note", what }));
  const signal = AbortSignal.any([context.signal, lock.lost]);
  let hasBegun = false;
  try {
    const wanted = { kind: "rollback", fingerprint: shortHash({ to: intent.to }) } as const;
    const left = resumption(lock.left, wanted).continue;
    const state = await observeRelease(context.kube, context.release);
    const { target, operation } =
      left === undefined ? begin(context, state, intent, wanted) : resume(context, state, left);
    await refuseMovedTag(context, target);
    await lock.record(operation);
    hasBegun = true;
    if (left === undefined && state.facts !== undefined) await sendTrafficBack(context, state.facts);
    await markBad(context, state, operation);

    const live = await restoreTo(context, target, {
      operation: operation.id,
      fromRevision: operation.fromRevision,
      deadline,
      signal,
    });
    const at = context.timeline.add({
      kind: "restore",
      outcome: "good",
      mark: "restored",
      what: `restored and verified: ${target.image}`,
    });
    await lock.finish();
    return {
      ...reportBase(context, "rollback"),
      result: "verified",
      exit: ExitCode.ok,
      summary: `${context.release} is back at ${target.image} (verified ${target.at}), verified again`,
      live,
      restoreSeconds: secondsBetween(context.timeline.startedAt, at),
    };
  } catch (error) {
    if (context.signal.aborted) {
      throw new CtlError("CTL_E_INTERRUPTED", "the rollback was interrupted; the cluster may be between two releases", {
        next: `the same command goes on with it; ctl status ${context.address} shows where it is`,
        cause: error,
      });
    }
    if (hasBegun && error instanceof KubeError) {
      throw new CtlError("CTL_E_RESTORE_FAILED", `the rollback is not finished: ${error.message}`, {
        next: `the same command goes on with it; ctl status ${context.address} shows what serves now`,
        cause: error,
      });
    }
    throw error;
  } finally {
    await lock.release();
  }
}

/** Where a rollback would go now; refuses when there is no such place. */
export function chooseTarget(state: ReleaseState, to: RollbackIntent["to"], address: string): LedgerEntry {
  const usable = isUsable(state.helm);
  if (to === "verified") {
    const found = rollbackTarget(state.ledger, state.live?.content, usable);
    if (found.target !== undefined) return found.target;
    throw new CtlError("CTL_E_NO_TARGET", `nothing to go back to: ${found.why}`, { next: `ctl history ${address}` });
  }
  const release = state.helm.find(({ version }) => version === to);
  if (release === undefined) {
    const known = state.helm.map(({ version }) => version).join(", ");
    throw new CtlError("CTL_E_BAD_TARGET", `Helm has no revision ${to}; it has ${known}`, {
      next: `ctl history ${address}`,
    });
  }
  const facts = factsOf(release);
  if (facts !== undefined && state.facts !== undefined && facts.workload.kind !== state.facts.workload.kind) {
    const mode = facts.workload.kind === "Rollout" ? "rollout" : "deployment";
    throw new CtlError("CTL_E_BAD_TARGET", `revision ${to} runs as a ${facts.workload.kind}, what is live does not`, {
      next: `ctl mode ${mode} ${address}, then the same command`,
    });
  }
  const judged = newestFirst(state.ledger).find(
    (entry) => entry.helmRevision === to && entry.configMap === facts?.configMap && entry.image === facts.image,
  );
  const newest = judged && newestFirst(state.ledger).find(({ content }) => content === judged.content);
  if (newest === undefined || !usable(newest)) {
    throw new CtlError("CTL_E_BAD_TARGET", `revision ${to} was never verified`, {
      next: `ctl rollback ${address} --to verified`,
    });
  }
  if (newest.verdict !== "pass") {
    throw new CtlError(
      "CTL_E_BAD_TARGET",
      `revision ${to} was judged "${newest.verdict}" at ${newest.at}: ${newest.why}`,
      {
        next: `ctl rollback ${address} --to verified`,
      },
    );
  }
  if (newest.content === state.live?.content) {
    throw new CtlError("CTL_E_BAD_TARGET", `revision ${to} is what is live`, { next: `ctl status ${address}` });
  }
  return newest;
}

function begin(
  context: Context,
  state: ReleaseState,
  intent: RollbackIntent,
  wanted: Pick<Operation, "kind" | "fingerprint">,
): { target: LedgerEntry; operation: Operation } {
  requireRelease(state);
  const target = chooseTarget(state, intent.to, context.address);
  context.timeline.add({
    kind: "decision",
    what: `going back to revision ${target.helmRevision}, verified ${target.at}: ${target.image}`,
  });
  return {
    target,
    operation: {
      ...wanted,
      id: randomUUID(),
      startedAt: new Date().toISOString(),
      fromRevision: state.helm[0]?.version ?? 0,
      backTo: target.number,
      ...(state.live === undefined ? {} : { from: state.live.content }),
    },
  };
}

function resume(context: Context, state: ReleaseState, left: Operation): { target: LedgerEntry; operation: Operation } {
  context.timeline.add({ kind: "note", what: `going on with the rollback that was interrupted at ${left.startedAt}` });
  const target = state.ledger.find(({ number }) => number === left.backTo);
  if (target === undefined) throw new CtlError("CTL_E_NO_TARGET", `ledger entry ${left.backTo ?? "?"} is gone`);
  return { target, operation: left };
}

/** What a person leaves is bad from now on, so that no later rollback comes back to it. */
async function markBad(context: Context, state: ReleaseState, operation: Operation): Promise<void> {
  const { live, facts } = state;
  if (live?.entry?.verdict !== "pass" || facts === undefined || live.content !== operation.from) return;
  await recordVerdict(
    context.kube,
    { ...facts, revision: live.entry.helmRevision },
    {
      verdict: "bad",
      why: "a person rolled it back",
      by: "ctl",
      image: live.image,
      digest: live.digest,
      content: live.content,
    },
  );
}
