import { formatDate, formatDuration, formatLimit, formatOffset, formatTime, formatValue } from "./format.ts";
import type { AnalysisMetric, LogExcerpt, Report, Verification } from "./report.ts";
import { visible } from "./visible.ts";
import {
  changeName,
  changeValue,
  checkOutcomes,
  durationOf,
  kinds,
  phases,
  results,
  roleWord,
  stepStates,
  strategyText,
  type Word,
} from "./words.ts";

/** The report for a pull request or an incident: the verdict, why, what happened, the evidence folded, what next. */
export function toMarkdown(report: Report): string {
  const blocks = [
    ...head(report),
    ...why(report),
    ...changes(report),
    ...timeline(report),
    ...requests(report),
    ...evidence(report),
    ...verified(report),
    ...next(report),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function head({ verdict, kind, release, namespace, cluster, startedAt, endedAt, strategy, figures = {} }: Report) {
  const { sign, word } = results[verdict.result];
  const where = [release, `in ${namespace}`, ...(cluster === undefined ? [] : [`on ${cluster}`])].join(" ");
  const took = durationOf({ startedAt, endedAt } as Report);
  const { detectionSeconds, restoreSeconds, requests, failedRequests } = figures;
  const facts = [
    `${kinds[kind]} of ${where}`,
    strategy === undefined ? undefined : strategyText(strategy),
    `${formatDate(startedAt)}, ${formatTime(startedAt)} UTC`,
    took === undefined ? undefined : `took ${formatDuration(took)}`,
    detectionSeconds === undefined ? undefined : `found after ${formatDuration(detectionSeconds)}`,
    restoreSeconds === undefined ? undefined : `restored after ${formatDuration(restoreSeconds)}`,
    failedRequests === undefined
      ? undefined
      : `${formatValue(failedRequests)}${requests === undefined ? "" : ` of ${formatValue(requests)}`} requests failed`,
    verdict.exit === undefined ? undefined : `exit code ${verdict.exit}`,
    verdict.code,
  ].filter((fact) => fact !== undefined);
  return [
    `## ${sign} ${word}: ${text(verdict.summary)}`,
    ...(verdict.because === undefined ? [] : [text(verdict.because)]),
    facts.map(text).join(" · "),
  ];
}

function why({ fault, rejectedBy, analysis = [] }: Report): string[] {
  const blocks: string[] = [];
  if (fault !== undefined) blocks.push(`**${text(fault.kind)}**, ${code(fault.subject)}`, fence(fault.message));
  if (rejectedBy !== undefined) blocks.push(...checkTable(rejectedBy));
  for (const metric of analysis.filter(({ deciding }) => deciding === true)) blocks.push(...deciding(metric));
  const others = analysis.filter(({ deciding }) => deciding !== true);
  if (others.length > 0)
    blocks.push(
      table(
        ["Metric", "Outcome", "Last value", "Asked for"],
        others.map(({ name, phase, measurements = [], unit, threshold, condition, message }) => [
          code(name),
          [mark(phases[phase]), ...(message === undefined ? [] : [text(message)])].join(": "),
          measurements.length === 0 ? "" : formatValue(measurements.at(-1)?.value, unit),
          threshold === undefined ? text(condition ?? "") : formatLimit(threshold, unit),
        ]),
      ),
    );
  return section("Why", blocks);
}

function deciding({ name, phase, unit, threshold, condition, message, query, measurements = [] }: AnalysisMetric) {
  const shown = measurements.findLast((one) => one.phase === phase) ?? measurements.at(-1);
  const asked = threshold === undefined ? "" : `, asked for: ${formatLimit(threshold, unit)}`;
  const reading = shown === undefined ? "" : `: **${formatValue(shown.value, unit)}**${asked}`;
  const blocks = [`${mark(phases[phase])} ${code(name)}${reading}`];
  if (condition !== undefined) blocks.push(text(condition));
  if (message !== undefined) blocks.push(fence(message));
  if (measurements.length > 0)
    blocks.push(
      table(
        ["Time", "Value", "Outcome"],
        measurements.map(({ at, value, phase }) => [formatTime(at), formatValue(value, unit), mark(phases[phase])]),
      ),
    );
  if (query !== undefined) blocks.push(fence(query));
  return blocks;
}

function changes({ changes }: Report): string[] {
  if (changes === undefined) return [];
  if (changes.length === 0) return section("What changed", ["Nothing: what is live is what was asked for."]);
  const side = (value: string | null | undefined) => (value ? code(value) : changeValue(value));
  const rows = changes.map((change) => [text(changeName(change)), side(change.from), side(change.to)]);
  return section("What changed", [table(["What", "From", "To"], rows)]);
}

function timeline({ timeline, strategy, startedAt }: Report): string[] {
  const steps = (strategy?.steps ?? []).map(
    ({ text: name, state }) => `${stepStates[state].sign} ${text(name)} (${stepStates[state].word})`,
  );
  const rows = timeline.map(({ at, text: what, outcome }) => [
    formatTime(at),
    formatOffset(at, startedAt),
    `${outcome === undefined ? "" : outcome === "good" ? "✓ " : "✗ "}${text(what)}`,
  ]);
  return section("Timeline", [
    ...(steps.length === 0 ? [] : [`Steps: ${steps.join(" → ")}`]),
    ...(rows.length === 0 ? [] : [table(["UTC", "", "What"], rows)]),
  ]);
}

function requests({ strategy, figures: { requestsByVersion = [], uncounted } = {} }: Report): string[] {
  const rows = requestsByVersion.map(({ version, role, requests, failedRequests }) => [
    `${text(version)} (${roleWord(role, strategy)})`,
    formatValue(requests),
    `${formatValue(failedRequests)}${requests > 0 ? ` (${formatValue(failedRequests / requests, "ratio")})` : ""}`,
  ]);
  return section("Traffic by version", [
    ...(rows.length === 0 ? [] : [table(["Version", "Requests", "Failed"], rows)]),
    ...(uncounted === undefined ? [] : [`The requests were not counted. ${text(uncounted)}`]),
  ]);
}

function evidence({ podEvents = [], logs = [] }: Report): string[] {
  const blocks: string[] = [];
  if (podEvents.length > 0)
    blocks.push(
      folded(
        `Pod events (${podEvents.length})`,
        table(
          ["UTC", "Type", "Reason", "Message"],
          podEvents.map(({ at, type, reason, message, subject, count = 1 }) => [
            formatTime(at),
            type,
            `${text(reason)}${count > 1 ? ` (${count} times)` : ""}`,
            `${text(message)} ${code(subject)}`,
          ]),
        ),
      ),
    );
  blocks.push(...logs.map(logExcerpt));
  return section("Evidence", blocks);
}

function logExcerpt({ pod, container, previous, lines, matters = [] }: LogExcerpt): string {
  const name = [pod, container].filter((part) => part !== undefined).join(" / ");
  const marked = lines.map((line, index) =>
    matters.length === 0 ? line : `${matters.includes(index) ? ">" : " "} ${line}`,
  );
  return folded(`Log of ${name}${previous === true ? ", before the restart" : ""}`, fence(marked.join("\n")));
}

function verified({ restored, verification }: Report): string[] {
  const blocks: string[] = [];
  if (restored !== undefined) {
    const items = restored.items.map(({ what, to }) => `${what} ${text(to)}`);
    blocks.push(`**${text(restored.version)}** serves again${items.length === 0 ? "" : `: ${items.join(", ")}`}.`);
  }
  if (verification !== undefined) blocks.push(...checkTable(verification));
  return section(restored === undefined ? "How it was verified" : "What was restored, and how it was verified", blocks);
}

function checkTable({ checks, version }: Verification): string[] {
  if (checks.length === 0) return ["No check ran."];
  const passed = checks.filter(({ outcome }) => outcome === "passed").length;
  return [
    `${passed} of ${checks.length} checks${version === undefined ? "" : ` of ${text(version)}`} passed:`,
    table(
      ["Check", "Outcome", "What came"],
      checks.map(({ name, outcome, detail }) => [text(name), mark(checkOutcomes[outcome]), text(detail ?? "")]),
    ),
  ];
}

function next({ next = [] }: Report): string[] {
  return section(
    "What next",
    next.flatMap(({ why, command }) => [text(why), fence(command, "sh")]),
  );
}

function section(title: string, blocks: string[]): string[] {
  return blocks.length === 0 ? [] : [`### ${title}`, ...blocks];
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function folded(summary: string, body: string): string {
  return `<details><summary>${text(summary)}</summary>\n\n${body}\n\n</details>`;
}

function mark({ sign, word }: Word): string {
  return `${sign} ${word}`;
}

/**
 * Text of others on one line that means nothing to Markdown: no markup, no HTML, no link, no mention of a person, no
 * reference to an issue.
 */
function text(value: string): string {
  return visible(value)
    .replaceAll(/\s*\n\s*/g, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/[\\`*_~[\]|]/g, String.raw`\$&`)
    .replaceAll(/(?<=^|\W)[@#](?=\w)/g, "$&\u2060")
    .replaceAll(/\b(https?|ftp):\/\//gi, "$1:\u2060//")
    .replaceAll(/\bwww\./gi, "www\u2060.");
}

/** Text of others as inline code; a cell of a table may hold it. */
function code(value: string): string {
  const content = visible(value).replaceAll(/\s*\n\s*/g, " ");
  const longest = Math.max(0, ...[...content.matchAll(/`+/g)].map(([run]) => run.length));
  const ticks = "`".repeat(longest + 1);
  const pad = content.startsWith("`") || content.endsWith("`") ? " " : "";
  return `${ticks}${pad}${content.replaceAll("|", String.raw`\|`)}${pad}${ticks}`;
}

/** Text of others as a block, between more backticks than it holds in a row. */
function fence(value: string, language = ""): string {
  const content = visible(value);
  const longest = Math.max(2, ...[...content.matchAll(/`+/g)].map(([run]) => run.length));
  const ticks = "`".repeat(longest + 1);
  return `${ticks}${language}\n${content}\n${ticks}`;
}
