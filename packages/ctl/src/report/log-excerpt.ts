import type { LogExcerpt } from "@safe-deploy/report";

/** Lines that speak of a fault: by a level in JSON (pino's are numbers), by an answer's status, or by a word. */
const matters =
  /"level":\s*"?(warn|warning|error|fatal|[456]0)\b|"status(Code)?":\s*5\d\d|\b(error|exception|panic|fatal|traceback|unhandled)\b/i;

/** As many as a person reads. */
const mostLines = 15;
/** Where none of them speaks of a fault, its end says that it was at work, and nothing more. */
const linesOfNone = 5;

/** What of a log belongs into a report: the lines that matter, or where none does its end. Undefined for an empty log. */
export function logExcerpt(
  text: string,
  from: Omit<LogExcerpt, "lines" | "matters" | "truncated">,
): LogExcerpt | undefined {
  const all = text.split("\n").filter((line) => line.trim() !== "");
  if (all.length === 0) return undefined;
  const bad = all.filter((line) => matters.test(line));
  const isWhole = all.length <= mostLines;
  const lines = isWhole ? all : bad.length > 0 ? bad.slice(-mostLines) : all.slice(-linesOfNone);
  return {
    ...from,
    lines,
    matters: lines.flatMap((line, index) => (matters.test(line) ? [index] : [])),
    ...(isWhole ? {} : { truncated: true }),
  };
}
