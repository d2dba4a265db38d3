import type { Context } from "../context.ts";
import { diagnose, diagnoseJob, type Diagnosis, type Fault } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { eventsAbout, type Failure } from "../domain/failure.ts";
import type { Job } from "@safe-deploy/kube";
import { noWorkload, servesAlone, templateHash, workloadOf, type WorkloadSnapshot } from "../domain/serving.ts";
import { type FollowedWorkload, followWorkload } from "../observe/follow-workload.ts";
import { podsInOrder, readLedger } from "../observe/release-state.ts";
import { podLine } from "../ui/pod-line.ts";
import { type HelmChild, type HelmResult, helmWords } from "./helm.ts";

export type Applied =
  | { outcome: "verified"; workload: WorkloadSnapshot }
  | ({ outcome: "failed" } & Failure)
  | { outcome: "interrupted" };

export interface ApplyOptions {
  facts: ReleaseFacts;
  /** Hash of the workload's pod template before the upgrade; undefined at a first deploy. */
  templateBefore: string | undefined;
  /** Uids of the hooks' Jobs before the upgrade. */
  jobsBefore: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal;
}

/**
 * Watches what an upgrade does in the cluster while Helm is at work, and ends it at the first fault that waiting cannot
 * heal. Helm ends well only after the release's own verification has passed.
 */
export async function applyAndWatch(context: Context, child: HelmChild, o: ApplyOptions): Promise<Applied> {
  const done = new AbortController();
  let helm: HelmResult | undefined;
  const helmEnds = child.result.then((result) => {
    helm = result;
    done.abort();
  });

  let last: FollowedWorkload | undefined;
  let fault: Fault | undefined;
  try {
    const signal = AbortSignal.any([done.signal, o.signal]);
    for await (const seen of followWorkload(context.kube, o.facts, { signal, deadline: o.deadline })) {
      last = seen;
      context.journal.look(seen);
      context.progress.pods(podsInOrder(seen.workload).map(podLine));
      context.progress.waiting(awaited(seen, o));
      const diagnosis = diagnoseRelease(seen, o);
      if (diagnosis.fault !== undefined) {
        fault = diagnosis.fault;
        break;
      }
      if (diagnosis.lookAgainAt !== undefined) seen.wakeAt(diagnosis.lookAgainAt);
    }
  } catch (error) {
    if (!done.signal.aborted && !o.signal.aborted) throw error;
  } finally {
    if (helm === undefined) await child.stop();
    await helmEnds.catch(() => undefined);
  }

  const workload = last?.workload ?? noWorkload;
  if (fault === undefined && o.signal.aborted) return { outcome: "interrupted" };
  if (fault === undefined && helm?.code === 0) return { outcome: "verified", workload };
  fault ??=
    helm === undefined || !done.signal.aborted ? deadlineFault(last, o) : await helmFault(context, helm, o, last);
  return {
    outcome: "failed",
    fault,
    workload,
    events: eventsAbout(fault.subject, last?.events ?? [], context.journal.since),
    at: Date.now(),
  };
}

function diagnoseRelease(seen: FollowedWorkload, o: ApplyOptions): Diagnosis {
  const fresh = seen.hooks.jobs.filter((job) => !o.jobsBefore.has(job.metadata.uid ?? ""));
  const hooks = fresh
    // What its own Job found is in the ledger, in more words than the Job's condition has.
    .filter((job) => !hasFailed(job))
    .map((job) => diagnoseJob(job, seen.hooks.pods, seen.events, seen.now));
  const isApplied = templateHash(workloadOf(seen.workload)) !== o.templateBefore;
  // Until Helm has applied the new template, what is wrong with the old pods says nothing about it.
  const workload = isApplied ? diagnose(seen.workload, seen.events, seen.now) : {};
  const faulty = [...hooks, workload].find(({ fault }) => fault !== undefined);
  if (faulty !== undefined) return faulty;
  const moments = [...hooks, workload].flatMap((d) =>
    "lookAgainAt" in d && d.lookAgainAt !== undefined ? [d.lookAgainAt] : [],
  );
  return moments.length === 0 ? {} : { lookAgainAt: Math.min(...moments) };
}

function awaited(seen: FollowedWorkload, o: ApplyOptions): string {
  const running = seen.hooks.jobs.find(
    (job) => !o.jobsBefore.has(job.metadata.uid ?? "") && (job.status?.active ?? 0) > 0,
  );
  const serving = servesAlone(seen.workload);
  if (templateHash(workloadOf(seen.workload)) === o.templateBefore) {
    return running === undefined ? "Helm to apply the release" : `hook ${running.metadata.name}`;
  }
  if (!serving.done) return serving.waitingFor;
  return running === undefined ? "Helm to finish" : `hook ${running.metadata.name}`;
}

function hasFailed(job: Job): boolean {
  return job.status?.conditions?.some(({ type, status }) => type === "Failed" && status === "True") ?? false;
}

/** Helm ended badly: because a hook said no, or because the API server refused something. */
async function helmFault(
  context: Context,
  helm: HelmResult,
  { facts, jobsBefore }: ApplyOptions,
  last: FollowedWorkload | undefined,
): Promise<Fault> {
  const newest = (await readLedger(context.kube, facts.release))[0];
  if (
    newest?.verdict === "fail" &&
    newest.helmRevision === facts.revision &&
    Date.parse(newest.at) >= context.journal.since
  ) {
    return { kind: "VerificationFailed", subject: `Job/${facts.workload.name}-verify`, message: newest.why };
  }
  const failed = last?.hooks.jobs.find((job) => !jobsBefore.has(job.metadata.uid ?? "") && hasFailed(job));
  const fault = failed && last && diagnoseJob(failed, last.hooks.pods, last.events, last.now).fault;
  return fault ?? { kind: "HelmFailed", subject: `Release/${facts.release}`, message: helmWords(helm) };
}

function deadlineFault(last: FollowedWorkload | undefined, o: ApplyOptions): Fault {
  const waitingFor = last === undefined ? "the API server's first answer" : awaited(last, o);
  return {
    kind: "DeadlineExceeded",
    subject: `${o.facts.workload.kind}/${o.facts.workload.name}`,
    message: `the deadline passed; still waiting for ${waitingFor}`,
  };
}
