import { steerRollout } from "../act/steer-rollout.ts";
import type { GlobalOptions } from "../command-line.ts";
import type { RolloutCommand } from "../domain/rollout-commands.ts";
import { CtlError } from "../errors.ts";
import type { Outcome } from "../output.ts";
import { renderOperation } from "../report/render-operation.ts";
import { operate, timeoutSeconds } from "../run-command.ts";
import { runWait } from "./wait.ts";
import { type ReportOptions, withReport } from "./with-report.ts";

export interface SteerOptions extends GlobalOptions, ReportOptions {
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
      if (kind !== undefined) return await withReport(context, options, kind, () => steerRollout(context, intent));
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
