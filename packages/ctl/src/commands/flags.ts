import { deploy } from "../act/deploy.ts";
import type { GlobalOptions } from "../command-line.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { operate, timeoutSeconds } from "../run-command.ts";
import { type ReportOptions, withReport } from "./with-report.ts";

export interface FlagOptions extends GlobalOptions, ReportOptions {
  chart: string;
  flag: string;
  rollback: boolean;
}

/** Deploys what is live with one flag changed, and nothing else. */
export async function runFlag(options: FlagOptions, value: "true" | "false", signal: AbortSignal): Promise<Outcome> {
  return await operate(options, `${options.flag}=${value} ${options.release}`, signal, async (context) => {
    const { facts } = requireRelease(await observeRelease(context.kube, context.release));
    const now = facts.flags[options.flag] ?? "false";
    if (now === value) {
      const text = `${options.flag} is already ${value}`;
      return {
        exit: ExitCode.ok,
        text: `✓ ${text}\n`,
        json: { schemaVersion: 1, kind: "flag", changed: false, summary: text },
      };
    }
    const intent = {
      input: { chart: options.chart, files: [], set: [], setString: [`flags.${options.flag}=${value}`] },
      reuseValues: true,
      skipPreflight: false,
      rollback: options.rollback,
      createNamespace: false,
      pauseFirst: false,
      timeoutSeconds: timeoutSeconds(options),
      addPlanned: options.timeoutIsDefault === true,
    };
    return await withReport(context, options, "flag", () => deploy(context, intent));
  });
}
