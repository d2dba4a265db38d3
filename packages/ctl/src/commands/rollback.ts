import { hashLabel } from "@safe-deploy/kube";
import { removeFirst } from "../act/first-release.ts";
import { chooseTarget, rollback } from "../act/rollback.ts";
import type { GlobalOptions } from "../command-line.ts";
import { waitsForRoute } from "../domain/first-release.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import { planRollback } from "../domain/rollout-commands.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, type ReleaseState, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { operate, timeoutSeconds } from "../run-command.ts";
import { type ReportOptions, withReport } from "./with-report.ts";

export interface RollbackOptions extends GlobalOptions, ReportOptions {
  to: string;
  toRevision?: string;
  dryRun: boolean;
}

export async function runRollback(options: RollbackOptions, signal: AbortSignal): Promise<Outcome> {
  const to = parseTarget(options.toRevision ?? options.to);
  return await operate(options, `rollback ${options.release}`, signal, async (context) => {
    const state = await observeRelease(context.kube, context.release);
    const removes = to === "verified" && waitsForRoute(state);
    if (options.dryRun && removes) {
      const text = "would remove the release: it is the first one, and waits to be promoted";
      return { exit: ExitCode.ok, text: `${text}\n`, json: { schemaVersion: 1, kind: "plan", removes: true } };
    }
    if (options.dryRun) {
      requireRelease(state);
      const target = chooseTarget(state, to, context.address);
      const steps = state.rollout === undefined ? [] : planRollback(state.rollout, isStable(state, target));
      const lines = steps.map((step, at) => `  ${at + 1}. ${stepNames[step.do]}: ${step.why}\n`);
      return {
        exit: ExitCode.ok,
        text: `would go back to revision ${target.helmRevision}: ${target.image}, verified ${target.at}\n${lines.join("")}`,
        json: { schemaVersion: 1, kind: "plan", target, ...(steps.length === 0 ? {} : { steps }) },
      };
    }
    const intent = { to, timeoutSeconds: timeoutSeconds(options) };
    return await withReport(context, options, "rollback", () =>
      removes ? removeFirst(context, "rollback", intent) : rollback(context, intent),
    );
  });
}

const stepNames = {
  abort: "abort the rollout",
  applyTarget: "helm rollback",
  promoteFully: "promote it in full",
  verify: "verify",
} as const;

/** Whether the stable template of the Rollout is that of the target: its image with its config. */
function isStable({ rollout, workload, facts }: ReleaseState, target: LedgerEntry): boolean {
  const stable = workload.replicaSets.find(({ metadata }) => metadata.labels?.[hashLabel] === rollout?.stableHash);
  const container = stable?.spec.template?.spec.containers.find(({ name }) => name === facts?.container);
  const configs = (container?.envFrom ?? []).map(({ configMapRef }) => configMapRef?.name);
  return container?.image === target.image && configs.includes(target.configMap);
}

function parseTarget(text: string): number | "verified" {
  if (text === "verified") return "verified";
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new CtlError("CTL_E_USAGE", `--to ${text} is neither a revision nor "verified"`, {
    next: "ctl history lists the revisions",
  });
}
