import { promoteFirst, removeFirst } from "../act/first-release.ts";
import { steerRollout } from "../act/steer-rollout.ts";
import type { GlobalOptions } from "../command-line.ts";
import type { Context } from "../context.ts";
import { waitsForRoute } from "../domain/first-release.ts";
import type { RolloutCommand } from "../domain/rollout-commands.ts";
import { CtlError } from "../errors.ts";
import { observeRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import type { OperationReport } from "../report/operation-report.ts";
import { renderOperation } from "../report/render-operation.ts";
import { operate, timeoutSeconds } from "../run-command.ts";
import { runWait } from "./wait.ts";
import { type ReportOptions, withReport } from "./with-report.ts";

export interface SteerOptions extends GlobalOptions, ReportOptions {
  /** Of a promotion: a first release's routes come with it. */
  chart?: string;
  full?: boolean;
  rollback?: boolean;
}

/** What the report on it is called; a pause ends nothing, so there is none on it. */
const pageKinds = { promote: "promote", abort: "abort", retry: "retry", resume: "promote", pause: undefined } as const;

/** Gives the rollout a command and follows what comes of it. */
export async function runSteer(
  name: Exclude<RolloutCommand, "promoteFull">,
  options: SteerOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const command = name === "promote" && options.full === true ? "promoteFull" : name;
  const intent = {
    command,
    rollback: options.rollback !== false,
    timeoutSeconds: timeoutSeconds(options),
    addPlanned: options.timeoutIsDefault === true,
  } as const;
  try {
    return await operate(options, `${name} ${options.release}`, signal, async (context) => {
      const kind = pageKinds[name];
      const act = async () =>
        (await isFirst(context, name)) ? await steerFirst(context, name, options) : await steerRollout(context, intent);
      if (kind !== undefined) return await withReport(context, options, kind, act);
      const report = await steerRollout(context, intent);
      return { exit: report.exit, text: renderOperation(report), json: report };
    });
  } catch (error) {
    if (!(error instanceof CtlError) || error.code !== "CTL_E_LOCKED") throw error;
    // The command is given; whoever follows the rollout decides what becomes of it.
    process.stderr.write(`${error.message}; waiting for it to end\n`);
    return await runWait(options, signal);
  }
}

/** Whether the command is about a first release that waits without its routes, of whichever mode. */
async function isFirst({ kube, release }: Context, name: RolloutCommand): Promise<boolean> {
  return (name === "promote" || name === "abort") && waitsForRoute(await observeRelease(kube, release));
}

async function steerFirst(context: Context, name: RolloutCommand, options: SteerOptions): Promise<OperationReport> {
  const time = { timeoutSeconds: timeoutSeconds(options) };
  if (name === "abort") return await removeFirst(context, "abort", time);
  return await promoteFirst(context, { chart: options.chart ?? "", rollback: options.rollback !== false, ...time });
}
