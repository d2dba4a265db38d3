import { randomUUID } from "node:crypto";
import { type Deployment, type KubeObject, resources, type Rollout } from "@safe-deploy/kube";
import type { Context } from "../context.ts";
import { shortHash } from "../domain/canonical.ts";
import type { Failure } from "../domain/failure.ts";
import { diagnose, type Fault } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { type Mode, modeSteps } from "../domain/mode.ts";
import type { Operation } from "../domain/operation.ts";
import { noWorkload, servesBeside } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { factsOf, observeRelease, podsInOrder, readHelmReleases, requireRelease } from "../observe/release-state.ts";
import { liveReport, type OperationReport, reportBase } from "../report/operation-report.ts";
import { podLine } from "../ui/pod-line.ts";
import type { ChartInput } from "./helm.ts";
import { reapply, refuseOtherPods, sameBut } from "./reapply.ts";
import { observeWithoutPending, resumable } from "./resumable.ts";
import { runHook } from "./run-hook.ts";
import { takeBack } from "./take-back.ts";

export interface ModeIntent {
  mode: Mode;
  chart: string;
  timeoutSeconds: number;
}

interface StepOptions {
  operation: string;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/**
 * For how long both workloads serve before the old one goes, in milliseconds: until every node and the router has
 * learned of the new pods.
 */
const settleMs = 3_000;

/**
 * Runs a release as the other kind of workload, without a moment in which fewer pods serve than before: the new
 * workload comes up beside the old one, and the old one goes when all pods of the new one serve. Killed anywhere, the
 * same command goes on.
 */
export async function changeMode(context: Context, intent: ModeIntent): Promise<OperationReport> {
  const wanted = { kind: "mode", fingerprint: shortHash({ mode: intent.mode }) } as const;
  const interrupted = "the change of mode was interrupted; what serves goes on serving";
  const { timeoutSeconds } = intent;
  return await resumable(context, wanted, { timeoutSeconds, interrupted }, async ({ lock, left, deadline, signal }) => {
    const state = await observeWithoutPending(context);
    const { newest, facts } = requireRelease(state);
    const steps = modeSteps(newest, intent.mode, left !== undefined);
    const { entry } = state.live ?? {};
    if (left === undefined) {
      if (steps.length === 0) return unchanged(context, intent.mode);
      if (entry?.verdict !== "pass") {
        throw new CtlError(
          "CTL_E_NOT_NOW",
          "what is live is not verified, so nothing says that it would serve as well",
          {
            next: `ctl status ${context.address}`,
          },
        );
      }
      await refuseOtherPods(context, newest, inputOf(newest, intent, false), {
        withWhat: "the mode",
        next: `ctl deploy ${context.address} --reuse-values --chart ${intent.chart}, then the same command`,
      });
    }
    const operation: Operation = left ?? {
      ...wanted,
      id: randomUUID(),
      startedAt: new Date().toISOString(),
      fromRevision: newest.version,
      ...(state.live === undefined ? {} : { from: state.live.content }),
      backTo: entry?.number ?? null,
    };
    await lock.record(operation);
    const since = Date.now();
    const o = { operation: operation.id, deadline, signal };
    const failed = await walk(context, intent, facts, { ...o, steps });
    if (failed !== undefined)
      return await takeBack(context, lock, operation, failed, { facts, since, wanted: true, deadline, signal });
    await lock.finish();
    return await report(context, intent.mode);
  });
}

async function walk(
  context: Context,
  intent: ModeIntent,
  before: ReleaseFacts,
  o: StepOptions & { steps: ReturnType<typeof modeSteps> },
): Promise<Failure | undefined> {
  const kind = intent.mode === "rollout" ? "Rollout" : "Deployment";
  if (o.steps.includes("begin")) {
    context.timeline.add({ kind: "change", mark: `${kind} added`, what: `helm upgrade: a ${kind} beside what serves` });
    // Its hooks would judge a release that does not serve alone.
    const failure = await upgrade(context, intent, { ...o, handover: true });
    if (failure !== undefined) return failure;
  }
  if (o.steps.length > 0) {
    const facts = await newestFacts(context);
    await takeOverReplicas(context, facts);
    const failure = await untilBeside(context, facts, o);
    if (failure !== undefined) return failure;
    context.timeline.add({
      kind: "change",
      mark: "hand-over",
      what: `the ${kind} serves beside what served; helm upgrade: the latter goes`,
    });
    const completed = await upgrade(context, intent, { ...o, handover: false });
    if (completed !== undefined) return completed;
  }
  return await verifyMode(context, before, o);
}

async function upgrade(
  context: Context,
  intent: ModeIntent,
  o: StepOptions & { handover: boolean },
): Promise<Failure | undefined> {
  const newest = (await readHelmReleases(context.kube, context.release))[0];
  return await reapply(context, inputOf(newest, intent, o.handover), { ...o, noHooks: o.handover });
}

function inputOf(release: HelmRelease | undefined, intent: ModeIntent, handover: boolean): ChartInput {
  return sameBut(release, intent.chart, [`mode=${intent.mode}`, `rollout.handover=${handover}`]);
}

/** An autoscaler owns the number of pods, and a new workload begins with one. */
async function takeOverReplicas(context: Context, facts: ReleaseFacts): Promise<void> {
  const { name, kind } = facts.workload;
  const [deployment, rollout] = await Promise.all([
    context.kube.get<Deployment>(resources.Deployment, name),
    context.kube.get<Rollout>(resources.Rollout, name),
  ]);
  const [from, to] = kind === "Rollout" ? [deployment, rollout] : [rollout, deployment];
  const wanted = from?.spec.replicas ?? 0;
  if (to === undefined || (to.spec.replicas ?? 1) >= wanted) return;
  const resource = kind === "Rollout" ? resources.Rollout : resources.Deployment;
  await context.kube.patch<KubeObject>(resource, name, { spec: { replicas: wanted } });
  context.timeline.add({ kind: "pods", what: `${wanted} pods for the ${kind}, as many as serve now` });
}

async function untilBeside(context: Context, facts: ReleaseFacts, o: StepOptions): Promise<Failure | undefined> {
  let waitingFor = "the API server's first answer";
  let since: number | undefined;
  for await (const seen of followWorkload(context.kube, facts, o)) {
    context.journal.look(seen);
    context.progress.pods(podsInOrder(seen.workload).map(podLine));
    const serving = servesBeside(seen.workload);
    if (serving.done) {
      since ??= seen.now;
      if (seen.now >= since + settleMs) return undefined;
      seen.wakeAt(since + settleMs);
      continue;
    }
    since = undefined;
    const diagnosis = diagnose(seen.workload, seen.events, seen.now);
    if (diagnosis.fault !== undefined) return { ...failure(diagnosis.fault), workload: seen.workload };
    if (diagnosis.lookAgainAt !== undefined) seen.wakeAt(diagnosis.lookAgainAt);
    ({ waitingFor } = serving);
    context.progress.waiting(waitingFor);
  }
  o.signal.throwIfAborted();
  return failure({
    kind: "DeadlineExceeded",
    subject: `${facts.workload.kind}/${facts.workload.name}`,
    message: `the deadline passed; still waiting for ${waitingFor}`,
  });
}

/** The same pods, judged anew as what they are now: the ledger then has a revision to go back to in this mode. */
async function verifyMode(context: Context, before: ReleaseFacts, o: StepOptions): Promise<Failure | undefined> {
  const state = await observeRelease(context.kube, context.release);
  const { newest } = requireRelease(state);
  if (state.live?.entry?.verdict === "pass" && state.live.entry.helmRevision === newest.version) return undefined;
  context.timeline.add({ kind: "verify", what: "verifying it in its new mode" });
  const run = await runHook(context.kube, newest, "verify", {
    signal: o.signal,
    deadline: o.deadline,
    say: (line) => context.progress.waiting(line),
    facts: { ...(factsOf(newest) ?? before), revision: newest.version },
  });
  if (run.succeeded) return undefined;
  return failure({ kind: "VerificationFailed", subject: `Job/${before.workload.name}-verify`, message: run.why });
}

async function newestFacts(context: Context): Promise<ReleaseFacts> {
  return requireRelease(await observeRelease(context.kube, context.release)).facts;
}

function failure(fault: Fault): Failure {
  return { fault, workload: noWorkload, events: [], at: Date.now() };
}

async function report(context: Context, mode: Mode): Promise<OperationReport> {
  const state = await observeRelease(context.kube, context.release);
  const entry = state.live?.entry;
  return {
    ...reportBase(context, "mode"),
    result: "verified",
    exit: ExitCode.ok,
    summary: `${context.release} runs in mode ${mode}, verified`,
    ...(entry === undefined ? {} : { live: liveReport(entry, state.helm[0]?.version ?? entry.helmRevision) }),
  };
}

function unchanged(context: Context, mode: Mode): OperationReport {
  return {
    ...reportBase(context, "mode"),
    result: "nothingToDo",
    exit: ExitCode.ok,
    summary: `${context.release} runs in mode ${mode} already`,
  };
}
