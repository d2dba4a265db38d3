import { chooseTarget, rollback } from "../act/rollback.ts";
import type { GlobalOptions } from "../command-line.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { renderOperation } from "../report/render-operation.ts";
import { operate, timeoutSeconds } from "../run-command.ts";

export interface RollbackOptions extends GlobalOptions {
  to: string;
  toRevision?: string;
  dryRun: boolean;
}

export async function runRollback(options: RollbackOptions, signal: AbortSignal): Promise<Outcome> {
  const to = parseTarget(options.toRevision ?? options.to);
  return await operate(options, `rollback ${options.release}`, signal, async (context) => {
    if (options.dryRun) {
      const state = await observeRelease(context.kube, context.release);
      requireRelease(state);
      const target = chooseTarget(state, to, context.address);
      return {
        exit: ExitCode.ok,
        text: `would go back to revision ${target.helmRevision}: ${target.image}, verified ${target.at}\n`,
        json: { schemaVersion: 1, kind: "plan", target },
      };
    }
    const report = await rollback(context, { to, timeoutSeconds: timeoutSeconds(options) });
    return { exit: report.exit, text: renderOperation(report), json: report };
  });
}

function parseTarget(text: string): number | "verified" {
  if (text === "verified") return "verified";
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new CtlError("CTL_E_USAGE", `--to ${text} is neither a revision nor "verified"`, {
    next: "ctl history lists the revisions",
  });
}
