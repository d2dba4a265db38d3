import type { Kube } from "@safe-deploy/kube";
import { type CheckReport, type CheckSpec, runChecks } from "@safe-deploy/smoke";
import { contentId, digestOf } from "../domain/content.ts";
import { CtlError } from "../errors.ts";
import { diagnose, type Fault } from "../domain/diagnose.ts";
import { type ReleaseFacts, serviceUnderTest } from "../domain/facts.ts";
import type { CheckVerdict, LedgerEntry } from "../domain/ledger.ts";
import {
  noWorkload,
  presentTemplate,
  runningImageId,
  servesAlone,
  servesBehindItsService,
  servingUnchangedSince,
  templateHash,
  workloadOf,
  type WorkloadSnapshot,
} from "../domain/serving.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { checkVerdicts, checksNotRun, failedChecks } from "./check-verdicts.ts";
import { gatesNotTold } from "./check-gates.ts";
import { collectConfig } from "./collect-config.ts";
import { untilReachable } from "./reach-service.ts";
import { recordVerdict } from "./record-verdict.ts";
import { readLedger } from "../observe/release-state.ts";

export type VerifyOutcome =
  | { verdict: "pass"; entry: LedgerEntry; collected: string[]; checks: CheckReport }
  | { verdict: "fail"; why: string; fault?: Fault; checks?: CheckReport; entry: LedgerEntry | undefined };

export interface VerifyOptions {
  signal: AbortSignal;
  /** One line of progress. */
  say: (line: string) => void;
}

/**
 * Decides whether the release that was just applied is good: its template alone serves, and the declared checks pass.
 * As the gate of a rollout it judges the version under test, behind the Service that leads to it alone.
 * Writes the verdict into the ledger and, after a pass, deletes the config versions that nothing needs any more.
 * A release that another one replaces meanwhile is not judged at all.
 */
export async function verifyRelease(
  kube: Kube,
  facts: ReleaseFacts,
  checks: CheckSpec,
  { signal, say }: VerifyOptions,
): Promise<VerifyOutcome> {
  const deadline = Date.now() + facts.deadlineSeconds * 1000;
  const served = await untilServing(kube, facts, deadline, { signal, say });
  const template = presentTemplate(served.workload);
  if (served.superseded || template === undefined) {
    return { verdict: "fail", why: served.why ?? "the workload is gone", entry: undefined };
  }

  const record = async (
    verdict: "pass" | "fail",
    why: string,
    { workload, checks: told }: { workload: WorkloadSnapshot; checks: CheckVerdict[] },
  ) => {
    const digest = digestOf(runningImageId(workload, facts.container)) ?? digestOf(facts.image);
    return await recordVerdict(kube, facts, {
      verdict,
      why,
      by: "verify",
      image: facts.image,
      digest,
      content: contentId(template, digest),
      checks: told,
    });
  };

  if (served.why !== undefined) {
    const entry = await record("fail", served.why, { ...served, checks: checksNotRun(checks) });
    return { verdict: "fail", why: served.why, entry, ...(served.fault === undefined ? {} : { fault: served.fault }) };
  }

  const notTold = await gatesNotTold(kube, facts);
  if (notTold !== undefined) {
    const entry = await record("fail", notTold, { ...served, checks: checksNotRun(checks) });
    return { verdict: "fail", why: notTold, entry };
  }

  say(`${checks.checks.length} declared ${checks.checks.length === 1 ? "check" : "checks"} against ${facts.baseUrl}`);
  await untilReachable(facts.baseUrl, Math.min(deadline, Date.now() + reachMs), signal);
  const report = await runChecks(checks, { baseUrl: facts.baseUrl, signal });
  signal.throwIfAborted();
  if (report.outcome !== "passed") {
    const why = failedChecks(report);
    const entry = await record("fail", why, { ...served, checks: checkVerdicts(report) });
    return { verdict: "fail", why, checks: report, entry };
  }

  // The checks took time: what serves now must still be this template alone.
  const asked = workloadOf(served.workload)?.spec.template;
  const after = await untilServing(kube, facts, deadline, { signal, say, template: asked });
  if (after.why !== undefined) {
    const entry = after.superseded
      ? undefined
      : await record("fail", after.why, { ...after, checks: checkVerdicts(report) });
    return {
      verdict: "fail",
      why: after.why,
      checks: report,
      entry,
      ...(after.fault === undefined ? {} : { fault: after.fault }),
    };
  }
  const how = serviceUnderTest(facts) === undefined ? "it alone serves" : "all its pods serve";
  const entry = await record("pass", `${how}, and every declared check passed`, {
    ...after,
    checks: checkVerdicts(report),
  });
  const collected = await collectConfig(kube, facts, await readLedger(kube, facts.release));
  return { verdict: "pass", entry, collected, checks: report };
}

/**
 * The declared checks against the version under test, once it has all its pods behind its Service; no verdict is written.
 *
 * @throws CtlError when it does not come to serve there.
 */
export async function checkVersionUnderTest(
  kube: Kube,
  facts: ReleaseFacts,
  checks: CheckSpec,
  o: VerifyOptions,
): Promise<CheckReport> {
  const deadline = Date.now() + facts.deadlineSeconds * 1000;
  const { why } = await untilServing(kube, facts, deadline, o);
  if (why !== undefined) throw new CtlError("CTL_E_FAILED", `no check was sent: ${why}`);
  await untilReachable(facts.baseUrl, Math.min(deadline, Date.now() + reachMs), o.signal);
  return await runChecks(checks, { baseUrl: facts.baseUrl, signal: o.signal });
}

/**
 * For how long the template must have served alone before it is tested, in milliseconds. Nodes learn of a Service's new
 * endpoints a little later than the API server (kube-proxy gathers changes for up to a second); until then a check could
 * still be answered by a pod of the release before, and pass.
 */
const settleMs = 1_500;

/** A node that has not learned of the Service after this time, in milliseconds, is a fault that the checks report. */
const reachMs = 20_000;

interface Served {
  workload: WorkloadSnapshot;
  /** Undefined when the template alone serves. */
  why?: string;
  fault?: Fault;
  superseded: boolean;
}

async function untilServing(
  kube: Kube,
  facts: ReleaseFacts,
  deadline: number,
  o: VerifyOptions & { template?: unknown },
): Promise<Served> {
  let template: string | undefined = o.template === undefined ? undefined : JSON.stringify(o.template);
  let said = "";
  let since: number | undefined;
  let last: { workload: WorkloadSnapshot; waitingFor: string } | undefined;
  const underTest = serviceUnderTest(facts);
  const serves = underTest === undefined ? servesAlone : servesBehindItsService;
  const service = { ...facts.service, name: underTest ?? facts.service.name };
  for await (const { workload, events, now, wakeAt } of followWorkload(
    kube,
    { ...facts, service },
    { signal: o.signal, deadline },
  )) {
    const asked = workloadOf(workload)?.spec.template;
    if (facts.replaces !== undefined && templateHash(workloadOf(workload)) === facts.replaces) {
      last = { workload, waitingFor: "the release to be applied" };
      continue;
    }
    const present = JSON.stringify(asked);
    template ??= present;
    if (present !== template) {
      return { workload, superseded: true, why: "another release was applied meanwhile; this one was not judged" };
    }
    const serving = serves(workload);
    if (serving.done) {
      since ??= Math.min(now, servingUnchangedSince(workload) ?? now);
      if (now >= since + settleMs || o.template !== undefined) return { workload, superseded: false };
      wakeAt(since + settleMs);
      continue;
    }
    since = undefined;
    const diagnosis = diagnose(workload, events, now);
    if (diagnosis.fault !== undefined) {
      const { fault } = diagnosis;
      return { workload, superseded: false, fault, why: `${fault.kind}: ${fault.subject}: ${fault.message}` };
    }
    if (diagnosis.lookAgainAt !== undefined) wakeAt(diagnosis.lookAgainAt);
    if (serving.waitingFor !== said) o.say(`waiting for ${serving.waitingFor}`);
    said = serving.waitingFor;
    last = { workload, waitingFor: serving.waitingFor };
  }
  return {
    workload: last?.workload ?? noWorkload,
    // A template that was never seen cannot be judged.
    superseded: template === undefined,
    why: `the deadline of ${facts.deadlineSeconds} s passed; still waiting for ${last?.waitingFor ?? "the API server's first answer"}`,
  };
}
