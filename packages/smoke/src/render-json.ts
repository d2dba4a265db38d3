import type { CheckReport } from "./report.ts";

/** The report as one JSON document. */
export function renderJson(report: CheckReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
