import { holderOf, type Kube, resources } from "@safe-deploy/kube";
import { stateOf } from "../act/process-identity.ts";
import type { GlobalOptions } from "../command-line.ts";
import { chartLabel } from "../domain/helm-release.ts";
import { type RolloutState, stepWords } from "../domain/rollout.ts";
import { waitingCommands } from "../domain/rollout-commands.ts";
import { rolloutVerdict, type RolloutVerdict } from "../domain/rollout-verdict.ts";
import { releaseStatus, type ReleaseStatus } from "../domain/release-status.ts";
import { observeRelease, podsInOrder, type ReleaseState, requireRelease } from "../observe/release-state.ts";
import { leaseName } from "../act/operation-lock.ts";
import type { Outcome } from "../output.ts";
import { connect } from "../run-command.ts";
import { podLine } from "../ui/pod-line.ts";

export async function runStatus(options: GlobalOptions, signal: AbortSignal): Promise<Outcome> {
  const { kube, release, address } = await connect(options, signal);
  const state = await observeRelease(kube, release);
  return describe(state, await isHeld(kube, release), address, kube.serverNow());
}

/** Whether a ctl that is not known to be dead holds the release. */
export async function isHeld(kube: Kube, release: string): Promise<boolean> {
  const lease = await kube.get(resources.Lease, leaseName(release));
  const holder = lease === undefined ? undefined : holderOf(lease);
  if (holder === undefined || holder.expiresAt.getTime() <= kube.serverNow()) return false;
  return stateOf(holder.about["process"] ?? "") !== "gone";
}

/** @param now milliseconds since the epoch, by the cluster's clock. */
export function describe(state: ReleaseState, operationRuns: boolean, address: string, now = Date.now()): Outcome {
  const { facts, newest } = requireRelease(state);
  const { live, operation } = state;
  const rollout = state.rollout === undefined ? undefined : rolloutVerdict(state.rollout, now);
  const status = releaseStatus({ newest, verdict: live?.entry, workload: state.workload, rollout, operationRuns });
  const left = operation !== undefined && !operationRuns ? operation : undefined;
  const pods = podsInOrder(state.workload).map(podLine);
  const marks = {
    verified: "✓",
    inProgress: "…",
    failed: "✗",
    unverified: "?",
    paused: "‖",
    inconclusive: "?",
    aborted: "✗",
  } as const;
  const row = (name: string, value: string) => `  ${`${name}:`.padEnd(12)}${value}`;
  const flags = Object.entries(facts.flags).map(([name, value]) => `${name}=${value}`);
  const next = nextCommand(status.state, { isLeft: left !== undefined, rollout, address });
  const lines = [
    `${marks[status.state]} ${state.release} in ${state.namespace}: ${status.state === "inProgress" ? "in progress" : status.state}: ${status.why}`,
    row("revision", `${newest.version} (${newest.info.status}), chart ${chartLabel(newest)}`),
    row("image", live?.image ?? "none"),
    row("digest", live?.digest ?? "no pod has run yet"),
    row("config", facts.configMap),
    ...(flags.length > 0 ? [row("flags", flags.join(" "))] : []),
    ...rolloutRows(state.rollout).map(([name, value]) => row(name, value)),
    row("pods", pods.length === 0 ? "none" : ""),
    ...pods.map(
      (pod) =>
        `    ${pod.ready ? "●" : "○"} ${pod.isNew ? "new" : "old"}  ${pod.name}  ${pod.state}${pod.restarts > 0 ? `  ${pod.restarts} restarts` : ""}`,
    ),
    ...(left === undefined ? [] : [row("left over", `a ${left.kind} of ${left.startedAt} that was interrupted`)]),
    ...(next === undefined ? [] : [row("next", next)]),
  ];
  return {
    exit: status.exit,
    text: `${lines.join("\n")}\n`,
    json: {
      schemaVersion: 1,
      kind: "status",
      release: state.release,
      namespace: state.namespace,
      state: status.state,
      why: status.why,
      helm: { revision: newest.version, status: newest.info.status, chart: chartLabel(newest) },
      live: live === undefined ? null : { image: live.image, digest: live.digest ?? null, content: live.content },
      configMap: facts.configMap,
      flags: facts.flags,
      verdict: live?.entry ?? null,
      rollout: rollout === undefined ? null : { ...rollout, weight: state.rollout?.weight ?? null },
      pods,
      interrupted: left ?? null,
    },
  };
}

function rolloutRows(rollout: RolloutState | undefined): [string, string][] {
  if (rollout === undefined) return [];
  const { step, weight, services, isPromoted } = rollout;
  const present = step?.steps[step.index];
  return [
    ...(present === undefined || isPromoted || step === undefined
      ? []
      : [["step", `${step.index + 1} of ${step.steps.length} (${stepWords(present)})`] satisfies [string, string]]),
    ...(weight === undefined || isPromoted ? [] : [["canary", `${weight.actual} %`] satisfies [string, string]]),
    ...(services === undefined || isPromoted
      ? []
      : [["active", services.active === rollout.currentHash ? "new pods" : "old pods"] satisfies [string, string]]),
  ];
}

function nextCommand(
  state: ReleaseStatus["state"],
  { isLeft, rollout, address }: { isLeft: boolean; rollout: RolloutVerdict | undefined; address: string },
): string | undefined {
  if (isLeft) return `run the interrupted command again, or: ctl rollback ${address}`;
  if (state === "inProgress") return `ctl wait ${address}`;
  if (rollout?.kind === "paused" || rollout?.kind === "inconclusive") return waitingCommands(rollout, address);
  if (state === "paused") return `ctl promote ${address}, or ctl abort ${address}`;
  if (state === "failed" || state === "aborted") return `ctl rollback ${address}`;
  if (state === "unverified") return `ctl smoke ${address}`;
  return undefined;
}
