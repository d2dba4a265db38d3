import { randomUUID } from "node:crypto";
import { resources } from "@safe-deploy/kube";
import type { Context } from "../context.ts";
import { shortHash } from "../domain/canonical.ts";
import { rollbackTarget } from "../domain/ledger.ts";
import { type Operation, resumption } from "../domain/operation.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { observeRelease, requireRelease } from "../observe/release-state.ts";
import { type OperationReport, reportBase } from "../report/operation-report.ts";
import { rolloutState } from "../domain/rollout.ts";
import { plannedSeconds } from "../domain/rollout-duration.ts";
import { rolloutChanges } from "../domain/rollout-changes.ts";
import type { RolloutCommand } from "../domain/rollout-commands.ts";
import { commandRollout } from "./control-rollout.ts";
import { finishRollout } from "./finish-rollout.ts";
import { lockRelease } from "./operation-lock.ts";
import { isUsable } from "./rollback-target.ts";
import { finishRestore, takeBack } from "./take-back.ts";

export interface SteerIntent {
  command: RolloutCommand;
  /** Whether a release that fails is taken back. */
  rollback: boolean;
  timeoutSeconds: number;
  /** Whether the waits that the rollout has of itself come on top of the timeout. */
  addPlanned: boolean;
}

/** What is done to a rollout by these commands, in the words of a report. */
const kinds = {
  promote: "promote",
  promoteFull: "promote",
  retry: "retry",
  resume: "resume",
  abort: "abort",
  pause: "pause",
} as const satisfies Record<RolloutCommand, OperationReport["kind"]>;

/**
 * Gives a rollout one command. Those that let it go on follow it to its end as a deploy does; the patch itself needs no
 * Lease, so that a person can act on what another ctl follows.
 *
 * @throws CtlError CTL_E_LOCKED, once the command is given, when another ctl follows it already.
 */
export async function steerRollout(context: Context, intent: SteerIntent): Promise<OperationReport> {
  const deadline = Date.now() + intent.timeoutSeconds * 1000;
  const kind = kinds[intent.command];
  if (kind === "abort" || kind === "pause") return await stop(context, intent.command, kind, { deadline });

  const since = await give(context, intent.command);
  const lock = await lockRelease(context.kube, context.release, (what) => context.timeline.add({ kind: "note", what }));
  const plannedMs = intent.addPlanned ? (await planned(context)) * 1000 : 0;
  const o = { deadline: deadline + plannedMs, signal: AbortSignal.any([context.signal, lock.lost]) };
  try {
    const wanted = { kind, fingerprint: shortHash({ rollback: intent.rollback }) } as const;
    const left = resumption(lock.left, wanted).continue;
    if (left?.restore !== undefined) return await finishRestore(context, lock, left, o);
    const state = await observeRelease(context.kube, context.release);
    const { facts, newest } = requireRelease(state);
    const { target } = rollbackTarget(state.ledger, state.live?.content, isUsable(state.helm));
    const operation: Operation = left ?? {
      ...wanted,
      id: randomUUID(),
      startedAt: new Date().toISOString(),
      fromRevision: newest.version,
      backTo: target?.number ?? null,
    };
    await lock.record(operation);
    const finished = await finishRollout(context, kind, facts, o);
    if (finished.outcome === "ended") {
      await lock.finish();
      return finished.report;
    }
    return await takeBack(context, lock, operation, finished, { facts, since, wanted: intent.rollback, ...o });
  } finally {
    await lock.release();
  }
}

async function planned(context: Context): Promise<number> {
  const { workload } = await observeRelease(context.kube, context.release);
  const { items } = await context.kube.list(resources.AnalysisTemplate, {});
  return workload.rollout === undefined ? 0 : plannedSeconds(workload.rollout, items);
}

/** @returns the moment, in milliseconds since the epoch. */
async function give(context: Context, command: RolloutCommand): Promise<number> {
  const { facts } = requireRelease(await observeRelease(context.kube, context.release));
  const decision = await commandRollout(context.kube, facts, command, context.address);
  if (command === "retry" && decision.do === "patch") context.journal.beginAgain(context.kube.serverNow());
  return context.timeline.add(
    decision.do === "patch"
      ? { kind: "person", what: `${kinds[command]} asked for` }
      : { kind: "note", what: decision.why },
  );
}

async function stop(
  context: Context,
  command: RolloutCommand,
  kind: "abort" | "pause",
  o: { deadline: number },
): Promise<OperationReport> {
  await give(context, command);
  const { facts } = requireRelease(await observeRelease(context.kube, context.release));
  let last: ReturnType<typeof rolloutState> | undefined;
  for await (const seen of followWorkload(context.kube, facts, { ...o, signal: context.signal, withAnalyses: true })) {
    const { rollout } = seen.workload;
    context.journal.look(seen);
    if (rollout === undefined) throw new CtlError("CTL_E_NO_ROLLOUT", `Rollout ${facts.workload.name} was deleted`);
    const state = rolloutState({ ...seen.workload, rollout, analysisRuns: seen.analysisRuns });
    for (const change of rolloutChanges(last ?? state, state)) context.timeline.add(change);
    last = state;
    if (kind === "pause") {
      if (!state.isObserved) continue;
      return {
        ...reportBase(context, kind),
        result: "paused",
        exit: ExitCode.ok,
        summary: `${context.release} is paused where it stands`,
        next: `ctl resume ${context.address}, or ctl abort ${context.address}`,
      };
    }
    const isBack =
      state.abort?.at !== undefined &&
      (state.weight === undefined || state.weight.actual === 0) &&
      (state.services === undefined || state.services.active === state.stableHash);
    if (isBack) {
      return {
        ...reportBase(context, kind),
        result: "aborted",
        exit: ExitCode.ok,
        summary: `${context.release} is aborted: the stable pods take all traffic, and the release asked for is still ${facts.image}`,
        next: `ctl rollback ${context.address} makes the stable release the one asked for; ctl retry ${context.address} tries again`,
      };
    }
    context.progress.waiting("the stable pods to take all traffic");
  }
  context.signal.throwIfAborted();
  throw new CtlError("CTL_E_DEADLINE", `the deadline passed before the controller had acted on it`, {
    next: `ctl get ${context.address}`,
  });
}
