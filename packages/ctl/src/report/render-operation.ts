import { shortDigests } from "../ui/short-digests.ts";
import type { OperationReport } from "./operation-report.ts";

/** The result of an operation as a person reads it: what runs, why, the evidence, the figures, the next command. */
export function renderOperation(report: OperationReport): string {
  const lines = [`${mark(report)} ${shortDigests(report.summary)}`];
  if (report.live !== undefined) {
    const { helmRevision, digest, configMap, flags } = report.live;
    lines.push(field("revision", String(helmRevision)));
    if (digest !== undefined) lines.push(field("digest", digest));
    lines.push(field("config", configMap));
    const pairs = Object.entries(flags).map(([name, value]) => `${name}=${value}`);
    if (pairs.length > 0) lines.push(field("flags", pairs.join(" ")));
  }
  if (report.fault !== undefined) {
    lines.push(field("cause", `${report.fault.kind}, ${report.fault.subject}`));
    lines.push(...indented(report.fault.message));
  }
  if (report.events !== undefined && report.events.length > 0)
    lines.push("  events:", ...report.events.flatMap(indented));
  if (report.log !== undefined && report.log.trim() !== "") lines.push("  log:", ...indented(report.log.trimEnd()));
  if (report.detectionSeconds !== undefined)
    lines.push(field("detected after", `${report.detectionSeconds.toFixed(1)} s`));
  if (report.restoreSeconds !== undefined) lines.push(field("restored after", `${report.restoreSeconds.toFixed(1)} s`));
  if (report.next !== undefined) lines.push(field("next", report.next));
  return `${lines.join("\n")}\n`;
}

/** Readable without colour: the mark and the words carry the meaning. */
function mark(report: OperationReport): string {
  if (report.exit === 0) return "✓";
  const marks: Partial<Record<OperationReport["result"], string>> = {
    restored: "↩",
    removed: "↩",
    paused: "‖",
    inconclusive: "?",
    goingOn: "…",
  };
  return marks[report.result] ?? "✗";
}

function field(name: string, value: string): string {
  return `  ${`${name}:`.padEnd(16)}${value}`;
}

function indented(text: string): string[] {
  return text.split("\n").map((line) => `    ${line}`);
}
