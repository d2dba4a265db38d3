import { changeMode } from "../act/change-mode.ts";
import type { GlobalOptions } from "../command-line.ts";
import { CtlError } from "../errors.ts";
import type { Outcome } from "../output.ts";
import { operate, timeoutSeconds } from "../run-command.ts";
import { type ReportOptions, withReport } from "./with-report.ts";

export interface ModeOptions extends GlobalOptions, ReportOptions {
  chart: string;
}

/** Changes what kind of workload the release runs as, and nothing else. */
export async function runMode(mode: string, options: ModeOptions, signal: AbortSignal): Promise<Outcome> {
  if (mode !== "deployment" && mode !== "rollout") {
    throw new CtlError("CTL_E_USAGE", `there is no mode "${mode}"`, {
      next: "ctl mode rollout, or ctl mode deployment",
    });
  }
  return await operate(options, `mode ${mode} ${options.release}`, signal, async (context) => {
    const intent = { mode, chart: options.chart, timeoutSeconds: timeoutSeconds(options) } as const;
    return await withReport(context, options, "mode", () => changeMode(context, intent));
  });
}
