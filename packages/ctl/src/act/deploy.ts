import { randomUUID } from "node:crypto";
import type { KubeObject } from "@safe-deploy/kube";
import { loadAll } from "js-yaml";
import type { Context } from "../context.ts";
import { shortHash } from "../domain/canonical.ts";
import { digestOf } from "../domain/content.ts";
import { checksFile, factsFile, parseFacts, type ReleaseFacts } from "../domain/facts.ts";
import { type LedgerEntry, rollbackTarget, verdictOf } from "../domain/ledger.ts";
import { type Operation, resumption } from "../domain/operation.ts";
import { plannedSecondsOf } from "../domain/rollout-duration.ts";
import { holdRoute, waitsForRoute } from "../domain/first-release.ts";
import { templateHash, workloadOf } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { resolveImage } from "../observe/registry.ts";
import { observeRelease, type ReleaseState } from "../observe/release-state.ts";
import type { Finding } from "../preflight/finding.ts";
import { namespaceExists, preflight } from "../preflight/preflight.ts";
import { liveReport, type OperationReport, reportBase } from "../report/operation-report.ts";
import { type Applied, applyAndWatch } from "./apply-and-watch.ts";
import { bake } from "./bake.ts";
import { clearPending } from "./clear-pending.ts";
import { type FinishedRollout, finishRollout } from "./finish-rollout.ts";
import { handBackReplicas, handOverReplicas } from "./hand-over-replicas.ts";
import { heldReport, refuseWhileHeld } from "./first-release.ts";
import type { ChartInput } from "./helm.ts";
import { lockRelease, type OperationLock } from "./operation-lock.ts";
import { isUsable } from "./rollback-target.ts";
import { retryAborted } from "./settle-rollout.ts";
import { finishRestore, takeBack } from "./take-back.ts";

export interface DeployIntent {
  input: Omit<ChartInput, "base">;
  /** Keeps the values that the live release was installed with, under those given now. */
  reuseValues: boolean;
  skipPreflight: boolean;
  /** Whether a release that fails is taken back. */
  rollback: boolean;
  createNamespace: boolean;
  timeoutSeconds: number;
  /** Whether the waits that a rollout has of itself come on top of the timeout. */
  addPlanned: boolean;
  /** Whether a first release is to wait for a person without its routes. Later ones have been let in already. */
  pauseFirst: boolean;
  /** For how long a verified release is watched before it is left alone. */
  bakeSeconds?: number;
}

/** A deploy made ready: rendered, looked at, not applied. */
export interface Prepared {
  input: ChartInput;
  objects: KubeObject[];
  facts: ReleaseFacts;
  state: ReleaseState;
  /** What the release goes back to when it fails; `undefined`: nothing verified is there to go back to. */
  backTo: LedgerEntry | "remove" | undefined;
  findings: Finding[];
  /** Whether the namespace is not there yet and is to be made. */
  createNamespace: boolean;
  /** Whether it is a first release without its routes. */
  holdsRoute: boolean;
}

/** Deploys, decides whether the release is good, and puts back what was there when it is not. */
export async function deploy(context: Context, intent: DeployIntent): Promise<OperationReport> {
  let deadline = Date.now() + intent.timeoutSeconds * 1000;
  const lock = await lockRelease(context.kube, context.release, (what) => context.timeline.add({ kind: "note", what }));
  const signal = AbortSignal.any([context.signal, lock.lost]);
  try {
    const wanted = { kind: "deploy", fingerprint: fingerprintOf(intent) } as const;
    const left = resumption(lock.left, wanted).continue;
    if (left?.restore !== undefined) return await finishRestore(context, lock, left, { deadline, signal });
    if (left !== undefined)
      context.timeline.add({
        kind: "note",
        what: `going on with the deploy that was interrupted at ${left.startedAt}`,
      });

    const before = await observeRelease(context.kube, context.release);
    if (await clearPending(context.kube, before.helm[0]))
      context.timeline.add({ kind: "note", what: "ended the Helm operation that was left pending" });
    if (left === undefined) refuseWhileHeld(context, before);
    const prepared = await prepareDeploy(context, intent);
    refuseFindings(context, prepared.findings);
    if (intent.addPlanned) deadline += plannedSecondsOf(prepared.objects) * 1000;

    const operation: Operation = left ?? {
      ...wanted,
      id: randomUUID(),
      startedAt: new Date().toISOString(),
      fromRevision: prepared.state.helm[0]?.version ?? 0,
      ...(prepared.state.live === undefined ? {} : { from: prepared.state.live.content }),
      ...templateOf(prepared.state),
      backTo: prepared.backTo === "remove" ? 0 : (prepared.backTo?.number ?? null),
    };
    await lock.record(operation);

    const since = context.timeline.add({
      kind: "change",
      mark: "deploy",
      what: `helm upgrade to ${prepared.facts.image}`,
    });
    const applied = await apply(context, prepared, operation, { deadline, signal });
    if (applied.outcome === "interrupted") throw interrupted(context, intent, lock);
    const ended =
      applied.outcome === "failed"
        ? applied
        : await bakeVerified(
            context,
            intent,
            prepared,
            signal,
            await finish(context, prepared, operation, { deadline, signal }),
          );
    if (ended.outcome === "failed") {
      const { facts } = prepared;
      return await takeBack(context, lock, operation, ended, {
        facts,
        since,
        wanted: intent.rollback,
        deadline,
        signal,
      });
    }
    await lock.finish();
    const isGood = ended.report.result === "verified";
    return prepared.holdsRoute && isGood ? heldReport(context, ended.report) : ended.report;
  } finally {
    await lock.release();
  }
}

/** Renders the release, pins its image, and looks for what would make it fail. Changes nothing. */
export async function prepareDeploy(context: Context, intent: DeployIntent): Promise<Prepared> {
  const state = await observeRelease(context.kube, context.release);
  const base = intent.reuseValues ? withoutPin(state.helm[0]?.config ?? {}) : undefined;
  const holdsRoute = intent.pauseFirst && (backTo(state) === "remove" || waitsForRoute(state));
  const set = [...intent.input.set, ...(holdsRoute ? [holdRoute] : [])];
  const unpinned: ChartInput = { ...intent.input, set, base };
  const isUpgrade = state.helm.length > 0;
  const kubeVersion = await serverVersion(context);
  const render = async (input: ChartInput) =>
    (
      loadAll(await context.helm.template(input, { isUpgrade, kubeVersion })) as (KubeObject | null | undefined)[]
    ).filter((object): object is KubeObject => object !== null && object !== undefined);

  let input = unpinned;
  let objects = await render(input);
  let rendered = renderedFacts(context, objects);
  const digest = await pinFor(rendered.facts.image, intent.reuseValues ? state.facts?.image : undefined);
  if (digest !== undefined) {
    input = { ...unpinned, set: [...unpinned.set, `image.digest=${digest}`] };
    objects = await render(input);
    rendered = renderedFacts(context, objects);
  }
  const revision = (state.helm[0]?.version ?? 0) + 1;
  const exists = await namespaceExists(context.kube);
  const findings = intent.skipPreflight
    ? []
    : await preflight({
        kube: context.kube,
        objects,
        facts: rendered.facts,
        checks: rendered.checks,
        workload: state.workload,
        newest: state.helm[0],
        namespace: { exists, create: intent.createNamespace },
      });
  // Helm asks for the right to make namespaces as soon as it is told to, even when there is nothing to make.
  const createNamespace = intent.createNamespace && !exists;
  const facts = { ...rendered.facts, revision };
  return { input, objects, facts, state, backTo: backTo(state), findings, createNamespace, holdsRoute };
}

function templateOf(state: ReleaseState): Pick<Operation, "fromTemplate"> {
  const fromTemplate = templateHash(workloadOf(state.workload));
  return fromTemplate === undefined ? {} : { fromTemplate };
}

/**
 * Where a failed deploy goes: to what was live, when that was verified; else to the newest verified release; and where no
 * revision ever served, to nothing at all.
 */
export function backTo(state: ReleaseState): LedgerEntry | "remove" | undefined {
  const served = state.helm.some(({ info }) => info.status === "deployed" || info.status === "superseded");
  if (!served) return "remove";
  const usable = isUsable(state.helm);
  const live = verdictOf(state.ledger, state.live?.content);
  // An update under way is not what served until now.
  const isUnderWay = state.rollout !== undefined && !state.rollout.isPromoted;
  if (live?.verdict === "pass" && !isUnderWay && usable(live)) return live;
  return rollbackTarget(state.ledger, state.live?.content, usable).target;
}

/** @throws CtlError CTL_E_PREFLIGHT with every finding that refuses. */
export function refuseFindings(context: Context, findings: Finding[]): void {
  for (const finding of findings.filter(({ status }) => status === "unknown")) {
    context.timeline.add({ kind: "note", what: `preflight could not tell: ${finding.check}: ${finding.what}` });
  }
  const refusals = findings.filter(({ status }) => status === "refused");
  if (refusals.length === 0) {
    if (findings.length > 0)
      context.timeline.add({
        kind: "note",
        what: `preflight: ${findings.filter(({ status }) => status === "ok").length} checks passed`,
      });
    for (const { check, what } of findings.filter(({ isTold }) => isTold === true))
      context.timeline.add({ kind: "note", what: `${check}: ${what}` });
    return;
  }
  const code = refusals.every(({ check }) => check === "rights") ? "CTL_E_FORBIDDEN" : "CTL_E_PREFLIGHT";
  throw new CtlError(code, refusals.map(({ check, what }) => `${check}: ${what}`).join("\n"), {
    next: refusals.map(({ next }) => next).find((next) => next !== undefined),
    details: findings,
  });
}

/**
 * The digest to pin the image to, so that the pods of this release always run what was verified, wherever its tag goes.
 * A deploy that keeps the live release's values and tag keeps its digest too: it changes something else.
 */
async function pinFor(image: string, kept: string | undefined): Promise<string | undefined> {
  if (digestOf(image) !== undefined) return undefined;
  if (kept?.startsWith(`${image}@`) === true) return digestOf(kept);
  const resolution = await resolveImage(image);
  return resolution.state === "found" ? resolution.digest : undefined;
}

/** The digest that an earlier deploy pinned a tag to must not outlive that tag. */
function withoutPin(values: Record<string, unknown>): Record<string, unknown> {
  const image = values["image"] as { tag?: string; digest?: string } | undefined;
  if (image?.tag === undefined || image.tag === "") return values;
  const { digest: _digest, ...rest } = image;
  return { ...values, image: rest };
}

function renderedFacts(context: Context, objects: KubeObject[]): { facts: ReleaseFacts; checks: string } {
  for (const object of objects) {
    const data = object["data"] as Record<string, string> | undefined;
    const text = object.kind === "ConfigMap" ? data?.[factsFile] : undefined;
    if (text !== undefined) return { facts: parseFacts(text), checks: data?.[checksFile] ?? "" };
  }
  throw new CtlError(
    "CTL_E_NO_VERIFY",
    "the chart renders no verification, so nothing could say that the release is good",
    {
      next: `ctl deploy ${context.address} --set verify.enabled=true`,
    },
  );
}

async function serverVersion(context: Context): Promise<string> {
  const { gitVersion } = (await context.kube.raw("GET", "/version")) as { gitVersion: string };
  return gitVersion;
}

function fingerprintOf(intent: DeployIntent): string {
  const { input, reuseValues, rollback, pauseFirst } = intent;
  return shortHash({ input, reuseValues, rollback, pauseFirst });
}

async function apply(
  context: Context,
  prepared: Prepared,
  operation: Operation,
  o: { deadline: number; signal: AbortSignal },
): Promise<Applied> {
  await handOverReplicas(context, prepared.facts, prepared.objects, prepared.state.helm);
  const child = context.helm.upgrade(prepared.input, {
    timeoutSeconds: Math.max(1, Math.ceil((o.deadline - Date.now()) / 1000)),
    operation: operation.id,
    createNamespace: prepared.createNamespace,
  });
  const { items } = await context.kube.list<KubeObject>(
    { apiVersion: "batch/v1", kind: "Job" },
    { labelSelector: `safe-deploy.dev/hook,app.kubernetes.io/instance=${context.release}` },
  );
  // Helm needs longer to render than this list takes; a Job that it has made already is told by its age.
  const jobsBefore = new Set(
    items
      .filter(({ metadata }) => Date.parse(metadata.creationTimestamp ?? "") < Date.parse(operation.startedAt) - 1000)
      .map(({ metadata }) => metadata.uid ?? ""),
  );
  return await applyAndWatch(context, child, {
    facts: prepared.facts,
    templateBefore: operation.fromTemplate,
    jobsBefore,
    ...o,
  });
}

/** What Helm has applied is verified, or a rollout of it goes on. */
async function finish(
  context: Context,
  prepared: Prepared,
  operation: Operation,
  o: { deadline: number; signal: AbortSignal },
): Promise<FinishedRollout> {
  const { facts } = prepared;
  await handBackReplicas(context, facts);
  if (facts.workload.kind !== "Rollout") return { outcome: "ended", report: await verifiedReport(context, facts) };
  await retryAborted(context, facts, operation.fromTemplate);
  return await finishRollout(context, "deploy", facts, o);
}

/** Only what is verified is worth watching. */
async function bakeVerified(
  context: Context,
  intent: DeployIntent,
  { facts }: Prepared,
  signal: AbortSignal,
  ended: FinishedRollout,
): Promise<FinishedRollout> {
  if (ended.outcome === "failed" || ended.report.result !== "verified" || (intent.bakeSeconds ?? 0) === 0) return ended;
  const failure = await bake(context, facts, { seconds: intent.bakeSeconds ?? 0, signal });
  return failure === undefined ? ended : { outcome: "failed", ...failure };
}

async function verifiedReport(context: Context, facts: ReleaseFacts): Promise<OperationReport> {
  const state = await observeRelease(context.kube, context.release);
  const entry = state.live?.entry;
  const base = reportBase(context, "deploy");
  if (entry?.verdict !== "pass") {
    return {
      ...base,
      result: "unverified",
      exit: ExitCode.inconclusive,
      code: "CTL_E_UNVERIFIED",
      summary: `Helm finished, but the ledger has no verdict on what is live (${facts.image})`,
      next: `ctl status ${context.address}`,
    };
  }
  context.timeline.add({ kind: "verify", outcome: "good", mark: "verified", what: `verified: ${entry.why}` });
  return {
    ...reportBase(context, "deploy"),
    result: "verified",
    exit: ExitCode.ok,
    summary: `${context.release} runs ${entry.image}, verified`,
    live: liveReport(entry, state.helm[0]?.version ?? entry.helmRevision),
  };
}

function interrupted(context: Context, intent: DeployIntent, lock: OperationLock): CtlError {
  if (lock.lost.aborted) {
    return new CtlError(
      "CTL_E_LOCKED",
      "this ctl lost its Lease on the release and stopped; another one may have taken over",
      {
        next: `ctl wait ${context.address}`,
      },
    );
  }
  return new CtlError(
    "CTL_E_INTERRUPTED",
    `Helm was stopped; the cluster goes on rolling out what was applied, unverified${intent.rollback ? ", and nothing takes it back now" : ""}`,
    { next: `the same command goes on with it; ctl rollback ${context.address} takes it back` },
  );
}
