import { type CheckReport, type CheckResult, type CheckSpec, renderText } from "@safe-deploy/smoke";
import type { CheckVerdict } from "../domain/ledger.ts";

/** What a ledger entry keeps of each check. */
export function checkVerdicts({ checks }: CheckReport): CheckVerdict[] {
  return checks.map((check) => ({ name: check.name, outcome: check.status, detail: detailOf(check) }));
}

/** Of a release that no check was sent to. */
export function checksNotRun({ checks }: CheckSpec): CheckVerdict[] {
  return checks.map(({ name }) => ({ name, outcome: "notRun", detail: "the release did not come to serve" }));
}

/** Which checks failed and how, in the first line; what was asked and what came, in those after it. */
export function failedChecks(report: CheckReport): string {
  const failed = report.checks.filter(({ status }) => status === "failed");
  // The deadline may have come before any check could fail.
  const told = failed.length > 0 ? failed : report.checks.filter(({ status }) => status === "notRun");
  const words = told.map((check) => `${check.name}: ${detailOf(check)}`).join("; ");
  return `declared ${told.length === 1 ? "check" : "checks"} failed: ${words}\n${renderText(report)}`;
}

function detailOf({ reason, failure }: CheckResult): string {
  return failure === undefined ? reason : `${failure.method} ${failure.url}: ${reason}`;
}
