import { type Deployment, type KubeObject, observe, resources, type Rollout, type Service } from "@safe-deploy/kube";
import { loadAll } from "js-yaml";
import type { Context } from "../context.ts";
import { digestOf } from "../domain/content.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { type LedgerEntry, ledgerLabels } from "../domain/ledger.ts";
import { differencesFrom } from "../domain/restored.ts";
import { templateHash, workloadOf } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { followWorkload, hookLabel } from "../observe/follow-workload.ts";
import { resolveImage } from "../observe/registry.ts";
import { podLine } from "../ui/pod-line.ts";
import {
  factsOf,
  observeRelease,
  podsInOrder,
  readHelmReleases,
  requireRelease,
  workloadResource,
} from "../observe/release-state.ts";
import { liveReport, type LiveReport } from "../report/operation-report.ts";
import { clearPending } from "./clear-pending.ts";
import { handBackReplicas, handOverReplicas } from "./hand-over-replicas.ts";
import { helmWords } from "./helm.ts";
import { type HookRun, runHook, stopHooks } from "./run-hook.ts";
import { promoteVerified, routingDifferences } from "./settle-rollout.ts";

export interface RestoreOptions {
  operation: string;
  /** Helm's newest revision when the operation began; a later one that equals the target is this rollback, done. */
  fromRevision: number;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/**
 * Puts the release back to a ledger entry, runs the verification on it, and compares what is live with the entry.
 * Can be repeated: what is already done is not done again.
 *
 * @throws CtlError CTL_E_RESTORE_FAILED with every difference that is left.
 */
export async function restoreTo(context: Context, target: LedgerEntry, o: RestoreOptions): Promise<LiveReport> {
  await stopHooks(context.kube, context.release);
  const helm = await readHelmReleases(context.kube, context.release);
  const wanted = helm.find((release) => release.version === target.helmRevision);
  if (wanted === undefined) {
    throw new CtlError(
      "CTL_E_RESTORE_FAILED",
      `Helm no longer has revision ${target.helmRevision} of "${context.release}"`,
      {
        next: `ctl history ${context.address}`,
      },
    );
  }
  const run = isDone(helm[0], wanted, o.fromRevision)
    ? await verifyApplied(context, wanted, { ...o, revision: helm[0].version })
    : await rollBackAndVerify(context, target, wanted, o);
  const live = await compare(context, target, wanted);
  if (!run.succeeded || live.differences.length > 0) {
    const words = [...(run.succeeded ? [] : [run.why]), ...live.differences].join("; ");
    throw new CtlError(
      "CTL_E_RESTORE_FAILED",
      `revision ${target.helmRevision} was applied again, but: ${words}${run.log === "" ? "" : `\n${run.log}`}`,
      {
        next: `ctl status ${context.address}`,
      },
    );
  }
  return live.report;
}

async function verifyApplied(
  context: Context,
  wanted: HelmRelease,
  { revision, deadline, signal }: RestoreOptions & { revision: number },
): Promise<HookRun> {
  await promoteVerified(context, requireFacts(context, wanted), { deadline, signal });
  return await verify(context, wanted, signal, { revision, deadline });
}

/**
 * The verification's pod takes as long to start as Helm takes to apply, so both go at once: the verification is told
 * which template it must wait to see gone.
 */
async function rollBackAndVerify(
  context: Context,
  target: LedgerEntry,
  wanted: HelmRelease,
  o: RestoreOptions,
): Promise<HookRun> {
  const before = await observeRelease(context.kube, context.release);
  const { newest, facts } = requireRelease(before);
  if (await clearPending(context.kube, newest))
    context.timeline.add({ kind: "note", what: "ended the Helm operation that was left pending" });
  context.timeline.add({
    kind: "restore",
    mark: "take back",
    what: `helm rollback to revision ${target.helmRevision} (${target.image}), and its verification`,
  });
  const replaced = templateHash(workloadOf(before.workload));
  const release = { revision: newest.version + 1, deadline: o.deadline };
  const inVain = new AbortController();
  const verification = verify(context, wanted, AbortSignal.any([o.signal, inVain.signal]), {
    ...release,
    ...(replaced === undefined ? {} : { replaces: replaced }),
  });
  // Waited for below; until then a rejection must not end the process.
  verification.catch(() => undefined);

  try {
    const objects = (loadAll(wanted.manifest) as (KubeObject | null)[]).filter((object) => object !== null);
    await handOverReplicas(context, facts, objects, before.helm);
    const child = context.helm.rollback(target.helmRevision, {
      timeoutSeconds: secondsUntil(o.deadline),
      operation: o.operation,
    });
    const stop = () => void child.stop();
    o.signal.addEventListener("abort", stop);
    const result = await child.result.finally(() => o.signal.removeEventListener("abort", stop));
    o.signal.throwIfAborted();
    if (result.code !== 0) {
      await stopHooks(context.kube, context.release);
      throw new CtlError(
        "CTL_E_RESTORE_FAILED",
        `helm rollback to revision ${target.helmRevision} failed: ${helmWords(result)}`,
        { next: `ctl rollback ${context.address}` },
      );
    }
    await handBackReplicas(context, facts);
    const after = await context.kube.get<Deployment | Rollout>(workloadResource(facts), facts.workload.name);
    await promoteVerified(context, requireFacts(context, wanted), { deadline: o.deadline, signal: o.signal });
    if (replaced === undefined || templateHash(after) !== replaced) return await verification;
  } finally {
    // Its watches would keep this process alive until the deadline.
    inVain.abort();
  }
  // Helm never came to apply the release that failed: the template was the right one all the time.
  return await verify(context, wanted, o.signal, release);
}

function requireFacts(context: Context, wanted: HelmRelease): ReleaseFacts {
  const facts = factsOf(wanted);
  if (facts !== undefined) return facts;
  throw new CtlError("CTL_E_RESTORE_FAILED", `revision ${wanted.version} of "${wanted.name}" does not say what it is`, {
    next: `ctl history ${context.address}`,
  });
}

async function verify(
  context: Context,
  wanted: HelmRelease,
  signal: AbortSignal,
  { deadline, ...more }: Pick<ReleaseFacts, "revision" | "replaces"> & { deadline: number },
): Promise<HookRun> {
  const facts = requireFacts(context, wanted);
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const run = runHook(context.kube, wanted, "verify", {
    signal: either,
    deadline,
    say: (line) => context.progress.waiting(line),
    facts: { ...facts, ...more },
  });
  // The verdict is in the ledger a second or two before the kubelet reports that the pod which wrote it has ended.
  const passed = untilPassed(context, more.revision, either);
  const view = showPods(context, facts, { signal: either, deadline });
  for (const each of [run, passed, view]) each.catch(() => undefined);
  return await Promise.race([run, passed]).finally(() => ended.abort());
}

async function showPods(
  context: Context,
  facts: ReleaseFacts,
  o: { signal: AbortSignal; deadline: number },
): Promise<void> {
  for await (const seen of followWorkload(context.kube, facts, o)) {
    context.journal.look(seen);
    context.progress.pods(podsInOrder(seen.workload).map(podLine));
  }
}

/** Resolves when the verification of a revision has written that it is good; for all else its Job has the words. */
async function untilPassed(context: Context, revision: number, signal: AbortSignal): Promise<HookRun> {
  const ledger = {
    resource: resources.ConfigMap,
    labelSelector: `${ledgerLabels.release}=${context.release},${ledgerLabels.verdict}=pass`,
  };
  for await (const seen of observe(context.kube, { ledger }, signal).changes()) {
    const entries = seen.ledger.map(({ data }) => JSON.parse(data?.["entry.json"] ?? "{}") as Partial<LedgerEntry>);
    const isPassed = entries.some(({ helmRevision, by }) => helmRevision === revision && by === "verify");
    if (isPassed) return { succeeded: true, why: "", log: "" };
  }
  throw new Error("the watch on the ledger ended");
}

/**
 * A tag may name another image by now, and going back by it would run code that was never verified.
 *
 * @throws CtlError CTL_E_TAG_MOVED, also when the registry cannot say.
 */
export async function refuseMovedTag(context: Context, target: LedgerEntry): Promise<void> {
  if (digestOf(target.image) !== undefined) return;
  const resolution = await resolveImage(target.image);
  if (resolution.state === "found" && resolution.digest === target.digest) return;
  const what =
    resolution.state === "found"
      ? `names ${resolution.digest} now; it was verified as ${target.digest ?? "an unknown digest"}`
      : `cannot be resolved: ${resolution.why}`;
  const repository = target.image.replace(/:[^:/]*$/, "");
  throw new CtlError("CTL_E_TAG_MOVED", `image ${target.image} of revision ${target.helmRevision} ${what}`, {
    next:
      target.digest === undefined
        ? `ctl history ${context.address}`
        : `ctl deploy ${context.address} --image ${repository}@${target.digest}`,
  });
}

/** Removes a release that never served: the release itself, and what Helm leaves behind of hooks and kept objects. */
export async function removeRelease(context: Context, o: RestoreOptions): Promise<void> {
  await stopHooks(context.kube, context.release);
  context.timeline.add({ kind: "restore", mark: "take back", what: "helm uninstall (nothing was there before)" });
  const result = await context.helm.uninstall({ timeoutSeconds: secondsUntil(o.deadline), operation: o.operation })
    .result;
  if (result.code !== 0) {
    throw new CtlError("CTL_E_RESTORE_FAILED", `helm uninstall failed: ${helmWords(result)}`, {
      next: `helm uninstall ${context.release} -n ${context.namespace}`,
    });
  }
  await Promise.all(
    leftovers(context.release).map(async ({ apiVersion, kind, labelSelector }) => {
      const { items } = await context.kube.list<KubeObject>({ apiVersion, kind }, { labelSelector });
      await Promise.all(items.map((item) => context.kube.delete({ apiVersion, kind }, item.metadata.name)));
    }),
  );
}

function leftovers(release: string) {
  const hooks = `${hookLabel},app.kubernetes.io/instance=${release}`;
  const config = `safe-deploy.dev/config,safe-deploy.dev/release=${release}`;
  return [
    { ...resources.ConfigMap, labelSelector: config },
    { ...resources.Secret, labelSelector: config },
    { ...resources.ConfigMap, labelSelector: hooks },
    { ...resources.Secret, labelSelector: hooks },
    { apiVersion: "v1", kind: "ServiceAccount", labelSelector: hooks },
    { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", labelSelector: hooks },
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", labelSelector: hooks },
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", labelSelector: hooks },
  ];
}

function isDone(newest: HelmRelease | undefined, wanted: HelmRelease, fromRevision: number): newest is HelmRelease {
  return (
    newest !== undefined &&
    newest.version > fromRevision &&
    newest.info.status === "deployed" &&
    newest.manifest === wanted.manifest
  );
}

async function compare(
  context: Context,
  target: LedgerEntry,
  wanted: HelmRelease,
): Promise<{ differences: string[]; report: LiveReport }> {
  const state = await observeRelease(context.kube, context.release);
  const { facts, newest } = requireRelease(state);
  const service = await context.kube.get(resources.Service, facts.service.name);
  const template = workloadOf(state.workload)?.spec.template;
  const configMaps = JSON.stringify(template ?? {});
  const live = {
    content: state.live?.content,
    image: state.live?.image,
    digest: state.live?.digest,
    configMap: configMaps.includes(`"${target.configMap}"`) ? target.configMap : undefined,
    flags: facts.flags,
    serviceSelector: service?.spec.selector ?? {},
    verdict: state.live?.entry?.verdict,
  };
  return {
    differences: [
      ...differencesFrom(target, live, renderedSelector(wanted, facts.service.name)),
      ...(await routingDifferences(context, facts)),
    ],
    report: liveReport(target, newest.version),
  };
}

function renderedSelector(release: HelmRelease, service: string): Record<string, string> {
  const objects = loadAll(release.manifest) as (Service | null | undefined)[];
  return objects.find((object) => object?.kind === "Service" && object.metadata.name === service)?.spec.selector ?? {};
}

function secondsUntil(deadline: number): number {
  return Math.max(1, Math.ceil((deadline - Date.now()) / 1000));
}
