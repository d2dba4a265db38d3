import type { LogExcerpt, Report } from "@safe-deploy/report";
import type { Context } from "../context.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, type ReleaseState } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { collectPage, readPodLogs } from "../report/collect-page.ts";
import { logExcerpt } from "../report/log-excerpt.ts";
import type { OperationReport } from "../report/operation-report.ts";
import { type Ending, pageResult } from "../report/page-report.ts";
import { renderOperation } from "../report/render-operation.ts";
import { writeReport } from "../report/report-folder.ts";

export interface ReportOptions {
  /** Where the report is written; undefined: a folder of ctl's own. */
  report?: string;
}

/** Errors after which the release is not what it was, or not what was asked for. */
const toldErrors = new Set<ExitCode>([ExitCode.deadline, ExitCode.notRestored, ExitCode.interrupted]);

/** Runs an operation, writes the report on it, and says where. A report that cannot be written changes nothing else. */
export async function withReport(
  context: Context,
  options: ReportOptions,
  kind: Report["kind"],
  run: () => Promise<OperationReport>,
): Promise<Outcome> {
  const evidence = gatherEvidence(context);
  const write = async (ending: Ending, log: LogExcerpt[]) =>
    await writePage(context, options, {
      kind,
      ending,
      before: await evidence.before,
      logs: [...log, ...(await evidence.logs())],
    });
  let report: OperationReport;
  try {
    report = await run();
  } catch (error) {
    if (error instanceof CtlError && toldErrors.has(error.exit)) {
      const page = await write(endingOf(error), []);
      if (page !== undefined) process.stderr.write(`report: ${page}\n`);
    }
    throw error;
  }
  const page =
    report.result === "nothingToDo"
      ? undefined
      : await write({ ...report, result: pageResult(report.result) }, faultLog(report));
  return {
    exit: report.exit,
    text: `${renderOperation(report)}${page === undefined ? "" : `  ${"report:".padEnd(16)}${page}\n`}`,
    json: page === undefined ? report : { ...report, report: page },
  };
}

/** Looks at what is there before, and keeps what will be gone after. */
function gatherEvidence({ kube, release, journal, timeline }: Context): {
  before: Promise<ReleaseState | undefined>;
  logs: () => Promise<LogExcerpt[]>;
} {
  const before = observeRelease(kube, release).then(
    (state) => {
      journal.begin(state.workload, timeline.startedAt + kube.serverNow() - Date.now());
      return state;
    },
    () => undefined,
  );
  let logs: Promise<LogExcerpt[]> = Promise.resolve([]);
  journal.onAbort = (pods) => {
    logs = before.then((state) => readPodLogs(kube, pods, state?.facts?.container));
  };
  return { before, logs: () => logs };
}

function faultLog({ fault, log }: OperationReport): LogExcerpt[] {
  if (fault?.log === undefined || log === undefined) return [];
  const { pod, container, previous } = fault.log;
  const excerpt = logExcerpt(log, { pod, container, ...(previous ? { previous } : {}) });
  return excerpt === undefined ? [] : [excerpt];
}

function endingOf(error: CtlError): Ending {
  const results = {
    [ExitCode.deadline]: "deadline",
    [ExitCode.notRestored]: "restoreFailed",
    [ExitCode.interrupted]: "interrupted",
  } as const;
  return {
    result: results[error.exit as keyof typeof results],
    summary: error.message,
    exit: error.exit,
    code: error.code,
    ...(error.next === undefined ? {} : { next: error.next }),
  };
}

async function writePage(
  context: Context,
  { report: folder }: ReportOptions,
  o: { kind: Report["kind"]; ending: Ending; before: ReleaseState | undefined; logs: LogExcerpt[] },
): Promise<string | undefined> {
  const { kube, release, journal, timeline } = context;
  try {
    const report = await collectPage({
      ...{ kube, release, journal, ...o },
      startedAt: timeline.startedAt,
      endedAt: Date.now(),
      timeline: timeline.entries,
    });
    return await writeReport(report, folder);
  } catch (error) {
    process.stderr.write(`ctl: no report could be written: ${(error as Error).message}\n`);
    return undefined;
  }
}
