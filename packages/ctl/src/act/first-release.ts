import { randomUUID } from "node:crypto";
import type { Context } from "../context.ts";
import { shortHash } from "../domain/canonical.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { Failure } from "../domain/failure.ts";
import { isRouteHeld, releaseRoute, waitsForRoute } from "../domain/first-release.ts";
import type { Operation } from "../domain/operation.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, type ReleaseState, requireRelease } from "../observe/release-state.ts";
import { liveReport, type OperationReport, reportBase } from "../report/operation-report.ts";
import { recordVerdict } from "../verify/record-verdict.ts";
import { type FinishedRollout, type FinishOptions, finishRollout } from "./finish-rollout.ts";
import { reapply, type ReapplyOptions, refuseOtherPods, sameBut } from "./reapply.ts";
import { observeWithoutPending, resumable } from "./resumable.ts";
import { runHook } from "./run-hook.ts";
import { finishRestore, takeBack } from "./take-back.ts";

// A first release has nothing beside it to be compared with, so that a person may want to look at it before anybody
// else does: it is installed and verified without its routes, and waits.

export interface PromoteFirstIntent {
  chart: string;
  /** Whether a release that fails is removed. */
  rollback: boolean;
  timeoutSeconds: number;
}

/** A first release that was verified, and waits. */
export function heldReport(context: Context, verified: OperationReport): OperationReport {
  const { summary } = verified;
  context.timeline.add({ kind: "decision", mark: "waits", what: "no route leads to it until a person promotes it" });
  return {
    ...verified,
    result: "paused",
    exit: ExitCode.paused,
    code: "CTL_E_PAUSED",
    summary: `paused: ${summary}, and no route leads to it: it is the first release, and waits to be promoted`,
    next: `ctl promote ${context.address} verifies it again and makes the routes; ctl abort ${context.address} removes it`,
  };
}

/** @throws CtlError CTL_E_NOT_NOW while a first release waits: a deploy would decide for the person. */
export function refuseWhileHeld(context: Context, state: ReleaseState): void {
  if (!waitsForRoute(state)) return;
  throw new CtlError("CTL_E_NOT_NOW", "the first release waits to be promoted, and no route leads to it", {
    next: `ctl promote ${context.address}, or ctl abort ${context.address}, then the same command`,
  });
}

/** Verifies a first release once more, and makes its routes. Killed anywhere, the same command goes on. */
export async function promoteFirst(context: Context, intent: PromoteFirstIntent): Promise<OperationReport> {
  const wanted = { kind: "promote", fingerprint: shortHash({ first: true, rollback: intent.rollback }) } as const;
  const interrupted = "the promotion was interrupted";
  const { timeoutSeconds } = intent;
  return await resumable(context, wanted, { timeoutSeconds, interrupted }, async ({ lock, left, deadline, signal }) => {
    const state = await observeWithoutPending(context);
    const { newest, facts } = requireRelease(state);
    if (left === undefined && waitsForRoute({ ...state, operation: undefined }))
      await refuseOtherPods(context, newest, sameBut(newest, intent.chart, [releaseRoute]), {
        withWhat: "the routes",
        next: `the same command with the chart that it was deployed with, or ctl abort ${context.address}`,
      });
    const operation: Operation = left ?? {
      ...wanted,
      id: randomUUID(),
      startedAt: new Date().toISOString(),
      fromRevision: newest.version,
      ...(state.live === undefined ? {} : { from: state.live.content }),
      backTo: 0,
    };
    await lock.record(operation);
    const since = context.timeline.add({ kind: "person", what: "promotion of the first release asked for" });
    const o = { deadline, signal };
    const failed = await openRoutes(context, intent, { operation: operation.id, ...o });
    const finished =
      failed === undefined ? await served(context, facts, o) : ({ outcome: "failed", ...failed } as const);
    if (finished.outcome === "failed")
      return await takeBack(context, lock, operation, finished, { facts, since, wanted: intent.rollback, ...o });
    await lock.finish();
    return finished.report;
  });
}

/** Removes a first release that waits, and what belongs to it: nothing was there before. */
export async function removeFirst(
  context: Context,
  kind: "abort" | "rollback",
  { timeoutSeconds }: { timeoutSeconds: number },
): Promise<OperationReport> {
  const wanted = { kind, fingerprint: shortHash({ first: true }) } as const;
  const interrupted = "the removal was interrupted";
  const report = await resumable(
    context,
    wanted,
    { timeoutSeconds, interrupted },
    async ({ lock, deadline, signal }) => {
      const operation = await beginRemoval(context, wanted);
      await lock.record(operation);
      return await finishRestore(context, lock, operation, { deadline, signal });
    },
  );
  if (report.result !== "removed") return report;
  const { code: _code, ...removed } = report;
  return { ...removed, exit: ExitCode.ok, summary: `the first release of ${context.release} is removed` };
}

async function beginRemoval(context: Context, wanted: Pick<Operation, "kind" | "fingerprint">): Promise<Operation> {
  const state = await observeWithoutPending(context);
  const { newest, facts } = requireRelease(state);
  if (!waitsForRoute({ ...state, operation: undefined })) {
    throw new CtlError("CTL_E_NOT_NOW", "the first release is promoted; there is nothing to remove", {
      next: `ctl status ${context.address}`,
    });
  }
  const why = "a person gave it up before it was promoted";
  if (state.live?.entry?.verdict === "pass") {
    const { image, digest, content } = state.live;
    await recordVerdict(context.kube, facts, { verdict: "bad", why, by: "ctl", image, digest, content });
  }
  const now = new Date().toISOString();
  return {
    ...wanted,
    id: randomUUID(),
    startedAt: now,
    fromRevision: newest.version,
    backTo: 0,
    restore: { targetNumber: 0, why, detectedAt: now },
  };
}

/** @returns why the release is not good, or Helm's words. */
async function openRoutes(
  context: Context,
  { chart }: PromoteFirstIntent,
  o: ReapplyOptions,
): Promise<Failure | undefined> {
  const state = await observeRelease(context.kube, context.release);
  const { newest, facts } = requireRelease(state);
  if (newest.info.status === "deployed" && !isRouteHeld(newest)) return undefined;
  const failed = await verifyAhead(context, { ...facts, revision: newest.version + 1 }, state, o);
  if (failed !== undefined) return failed;
  context.timeline.add({ kind: "change", mark: "routes", what: "helm upgrade: the routes lead to it" });
  return await reapply(context, sameBut(newest, chart, [releaseRoute]), o);
}

/**
 * Verifies what serves as the revision that it is about to be, so that no user meets it before, and the ledger names a
 * revision that has its routes.
 */
async function verifyAhead(
  context: Context,
  facts: ReleaseFacts,
  state: ReleaseState,
  o: ReapplyOptions,
): Promise<Failure | undefined> {
  context.timeline.add({ kind: "verify", what: "verifying it before the routes lead to it" });
  const say = (line: string) => context.progress.waiting(line);
  const { newest } = requireRelease(state);
  const run = await runHook(context.kube, newest, "verify", { ...o, say, facts });
  if (run.succeeded) return undefined;
  const fault = {
    kind: "VerificationFailed",
    subject: `Job/${facts.workload.name}-verify`,
    message: run.why,
  } as const;
  return { fault, workload: state.workload, events: [], at: Date.now() };
}

/** The pods are those that were verified; a Rollout has yet to see that it steers a router now. */
async function served(context: Context, facts: ReleaseFacts, o: FinishOptions): Promise<FinishedRollout> {
  if (facts.workload.kind === "Rollout") return await finishRollout(context, "promote", facts, o);
  const state = await observeRelease(context.kube, context.release);
  const entry = state.live?.entry;
  context.timeline.add({
    kind: "verify",
    outcome: "good",
    mark: "verified",
    what: "verified, and its routes lead to it",
  });
  const report: OperationReport = {
    ...reportBase(context, "promote"),
    result: "verified",
    exit: ExitCode.ok,
    summary: `${context.release} runs ${facts.image}, promoted and verified`,
    ...(entry === undefined ? {} : { live: liveReport(entry, state.helm[0]?.version ?? entry.helmRevision) }),
  };
  return { outcome: "ended", report };
}
