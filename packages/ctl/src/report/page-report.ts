import { type AnalysisMeasurement, type CanaryStep, type Event, lastSeenMs } from "@safe-deploy/kube";
import type {
  AnalysisMetric,
  Change,
  Command,
  Figures,
  Limit,
  LogExcerpt,
  Report,
  Result,
  Role,
  Step,
  Strategy,
  Threshold,
  TimelineEntry as PageEntry,
  Traffic,
  Unit,
  Verification,
  Version,
} from "@safe-deploy/report";
import { formatLimit, formatValue } from "@safe-deploy/report";
import { eventStart } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { toldIn } from "../domain/gate-answers.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import { durationSeconds, secondsWords, stepWords } from "../domain/rollout.ts";
import type { TrafficMetric, TrafficSeries } from "../observe/prometheus-series.ts";
import { shortDigests } from "../ui/short-digests.ts";
import { type Evidence, evidenceMetrics } from "./evidence.ts";
import { type Journal, jobProvider, type SeenAnalysis } from "./journal.ts";
import type { OperationReport } from "./operation-report.ts";
import type { TimelineEntry } from "./timeline.ts";

/** All that a page is drawn from. */
export interface PageInput {
  kind: Report["kind"];
  release: string;
  namespace: string;
  /** The API server's address. */
  cluster: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** The same by the API server's clock, which the ledger and all objects carry. */
  since: number;
  /** Undefined while it goes on. */
  endedAt?: number;
  ending: Ending;
  timeline: readonly TimelineEntry[];
  journal: Journal;
  /** Of every revision that Helm had, before or after; newest first. */
  facts: readonly ReleaseFacts[];
  ledger: readonly LedgerEntry[];
  /** Data of the ConfigMaps of both config versions, by name. */
  configs: ReadonlyMap<string, Record<string, string>>;
  logs: LogExcerpt[];
  /** Undefined: the chart does not say where its metrics are. */
  traffic?: TrafficSeries;
  /** What the sequential engine saw of the version under test; undefined where it does not judge. */
  evidence?: Evidence;
}

/** How it ended, or stands. */
export type Ending = Pick<
  OperationReport,
  "summary" | "next" | "live" | "fault" | "detectionSeconds" | "restoreSeconds"
> & { result: Result; exit?: number; code?: string };

/** What a report calls an operation's result. */
export function pageResult(result: OperationReport["result"]): Result {
  if (result === "goingOn") return "deadline";
  // The traffic is back, and the release asked for is still the one that was aborted.
  return result === "aborted" ? "unverified" : result;
}

/** The page's document, from what ctl saw and did. Pure. */
export function pageReport(input: PageInput): Report {
  const { journal, ending, release, namespace, cluster, kind } = input;
  const versions = versionsOf(input);
  const analysis = [...analysesOf(input), ...(input.evidence === undefined ? [] : evidenceMetrics(input.evidence))];
  const strategy = strategyOf(input);
  const fresh = versions.find(({ role }) => role === "new");
  const stable = versions.find(({ role }) => role === "stable");
  const changes = changesOf(input, stable, fresh);
  const traffic = trafficOf(input, versions, analysis);
  const restored = restoredOf(input, stable);
  const verification = verificationOf(input);
  const rejectedBy = rejectionOf(input, fresh);
  const figures: Figures = {
    ...requestsOf(input, versions),
    ...(ending.detectionSeconds === undefined ? {} : { detectionSeconds: ending.detectionSeconds }),
    ...(ending.restoreSeconds === undefined ? {} : { restoreSeconds: ending.restoreSeconds }),
  };
  return {
    schemaVersion: 1,
    kind,
    release,
    namespace,
    cluster,
    startedAt: time(input.startedAt),
    ...(input.endedAt === undefined ? {} : { endedAt: time(input.endedAt) }),
    verdict: {
      result: ending.result,
      ...words(input, { stable, fresh, analysis }),
      ...(ending.exit === undefined ? {} : { exit: ending.exit }),
      ...(ending.code === undefined ? {} : { code: ending.code }),
    },
    ...(changes === undefined ? {} : { changes }),
    ...(versions.length === 0 ? {} : { versions }),
    ...(strategy === undefined ? {} : { strategy }),
    timeline: timelineOf(input),
    ...(journal.weights.length === 0
      ? {}
      : { weights: journal.weights.map(({ at, weight }) => ({ at: time(at), weight })) }),
    ...(Object.keys(figures).length === 0 ? {} : { figures }),
    ...(ending.fault === undefined
      ? {}
      : { fault: { kind: ending.fault.kind, subject: ending.fault.subject, message: readable(ending.fault.message) } }),
    ...(rejectedBy === undefined ? {} : { rejectedBy }),
    ...(analysis.length === 0 ? {} : { analysis }),
    ...(traffic === undefined ? {} : { traffic }),
    podEvents: tellingEvents(journal.events).slice(-mostEvents).map(podEvent),
    ...(input.logs.length === 0 ? {} : { logs: input.logs }),
    ...(restored === undefined ? {} : { restored }),
    ...(verification === undefined ? {} : { verification }),
    next: nextOf(input),
  };
}

const mostEvents = 60;

/** The sentence after the result's word, and what made it so. */
function words(
  { ending, journal }: PageInput,
  { stable, fresh, analysis }: { stable: Version | undefined; fresh: Version | undefined; analysis: AnalysisMetric[] },
): { summary: string; because?: string } {
  const { fault, result } = ending;
  const name = fresh?.version ?? "the release";
  const before = stable?.version ?? "what was there before";
  const own: Partial<Record<Result, string>> = {
    restored: `${name} failed and was taken back. ${before} serves again, verified.`,
    removed: `${name}, the first release, did not work.`,
    failed:
      journal.rollout?.abort !== undefined
        ? `${name} was aborted. ${before} takes all traffic.`
        : `${name} does not work, and was left as it is.`,
  };
  const summary = fault === undefined ? undefined : own[result];
  return {
    summary: summary ?? readable(ending.summary.replace(/^(paused|interrupted|running|verified): /, "")),
    ...(fault === undefined ? {} : { because: becauseOf(fault, analysis) }),
  };
}

function becauseOf({ kind, subject, message }: NonNullable<Ending["fault"]>, analysis: AnalysisMetric[]): string {
  const measured = kind === "RolloutAborted" ? analysis.find(({ deciding }) => deciding === true) : undefined;
  const reading = measured === undefined ? undefined : readingOf(measured);
  if (reading !== undefined) return reading;
  // The controller's own words name the metric, those of a verification the check: the object adds nothing to them.
  const where = kind === "RolloutAborted" || kind === "VerificationFailed" ? "" : `${subject}: `;
  // What a check or a log says line by line stands below.
  return readable(`${where}${message.split("\n")[0] ?? ""}`);
}

/** `error-ratio was 36.4 %, and at most 2.5 % is asked for`; undefined where it is no number against a limit. */
function readingOf({ name, phase, unit, threshold, measurements = [] }: AnalysisMetric): string | undefined {
  const value = measurements.findLast((one) => one.phase === phase)?.value;
  if (threshold === undefined || value === undefined || value === null) return undefined;
  return `${name} was ${formatValue(value, unit)}, and ${formatLimit(threshold, unit)} is asked for`;
}

/** Without the digits that tell a person nothing. */
function readable(text: string): string {
  return shortDigests(text).replaceAll(/(\b\d+\.\d{4})\d+/g, "$1");
}

// ---- versions and changes

function versionsOf({ journal, facts, ledger, ending, kind }: PageInput): Version[] {
  const isSecond = (hash: string | undefined) => hash !== undefined && journal.templates.has(hash);
  const find = (role: Role) => {
    const hash = role === "stable" ? journal.stable : journal.fresh;
    const template = hash === undefined ? undefined : journal.templates.get(hash);
    if (template === undefined) return undefined;
    const known = facts.find(({ image, configMap }) => image === template.image && configMap === template.configMap);
    const judged = ledger.find(({ image, configMap }) => image === template.image && configMap === template.configMap);
    return { role, template, known, digest: judged?.digest ?? digestIn(template.image) };
  };
  const found = [find("stable"), find("new")].filter((one) => one !== undefined);
  // A release that never came to have pods: the chart's own word for it.
  const [newest] = facts;
  if (!isSecond(journal.fresh) && newest !== undefined && kind === "deploy" && ending.result !== "nothingToDo") {
    const isKnown = found.some(({ known }) => known === newest);
    const template = { hash: "", image: newest.image, configMap: newest.configMap };
    if (!isKnown) found.push({ role: "new", template, known: newest, digest: digestIn(newest.image) });
  }
  const names = found.map(({ template }) => tagOf(template.image));
  const areEqual = names.length === 2 && names[0] === names[1];
  return found.map(({ role, template, known, digest }, index) => ({
    version: areEqual ? `${names[index]} (${role === "new" ? "new" : "before"})` : (names[index] ?? ""),
    role,
    image: template.image.replace(/@.*$/, ""),
    ...(digest === undefined ? {} : { digest }),
    ...(template.configMap === undefined ? {} : { configMap: template.configMap }),
    ...(known === undefined
      ? {}
      : {
          flags: known.flags,
          ...(known.schema === null ? {} : { schema: known.schema }),
          chart: known.chart,
          helmRevision: known.revision,
        }),
  }));
}

/** `registry.local/myapp:v2@sha256:…` is `v2`; without a tag its digest's first figures. */
function tagOf(image: string): string {
  const [name = "", digest] = image.split("@");
  const tag = /:([^:/]+)$/.exec(name)?.[1];
  return tag ?? digest?.replace(/^(sha256:.{8}).*$/, "$1") ?? (name === "" ? "unknown" : name);
}

function digestIn(image: string): string | undefined {
  return image.split("@")[1];
}

function changesOf(
  input: PageInput,
  stable: Version | undefined,
  fresh: Version | undefined,
): Report["changes"] | undefined {
  if (fresh === undefined || stable === undefined) return undefined;
  const [before, after] = [stable, fresh].map(({ image, configMap, helmRevision }) =>
    input.facts.find(
      (facts) =>
        withoutDigest(facts.image) === image && facts.configMap === configMap && facts.revision === helmRevision,
    ),
  );
  const changes: Change[] = [];
  const compare = (what: Change["what"], from: string | undefined, to: string | undefined) => {
    if (from !== to) changes.push({ what, from: from ?? null, to: to ?? null });
  };
  compare("image", stable.image, fresh.image);
  if (stable.digest !== undefined && fresh.digest !== undefined) compare("digest", stable.digest, fresh.digest);
  changes.push(...configChanges(input, stable, fresh));
  if (before === undefined || after === undefined) return changes;
  for (const name of keysOf(before.flags, after.flags)) {
    const [from, to] = [before.flags[name] ?? null, after.flags[name] ?? null];
    if (from !== to) changes.push({ what: "flag", name, from, to });
  }
  compare("schema", before.schema ?? undefined, after.schema ?? undefined);
  compare("chart", before.chart, after.chart);
  compare("mode", modeOf(before), modeOf(after));
  compare("strategy", before.rollout?.strategy, after.rollout?.strategy);
  return changes;
}

function configChanges({ configs, facts }: PageInput, stable: Version, fresh: Version): Change[] {
  if (stable.configMap === undefined || fresh.configMap === undefined || stable.configMap === fresh.configMap)
    return [];
  const [from, to] = [configs.get(stable.configMap), configs.get(fresh.configMap)];
  if (from === undefined || to === undefined) return [{ what: "config", from: stable.configMap, to: fresh.configMap }];
  // Flags are told as flags.
  const flags = new Set(facts.flatMap((one) => Object.keys(one.flags)));
  const keys = keysOf(from, to).filter((key) => from[key] !== to[key]);
  // One name stands for config and secrets: when no key of the former differs, a secret does.
  if (keys.length === 0) return [{ what: "secret" }];
  return keys
    .filter((key) => !flags.has(key))
    .map((name) => ({ what: "config", name, from: from[name] ?? null, to: to[name] ?? null }));
}

function keysOf(...maps: Record<string, string>[]): string[] {
  return [...new Set(maps.flatMap((map) => Object.keys(map)))].toSorted();
}

function modeOf({ workload }: ReleaseFacts): string {
  return workload.kind === "Rollout" ? "rollout" : "deployment";
}

function withoutDigest(image: string): string {
  return image.replace(/@.*$/, "");
}

// ---- strategy and timeline

function strategyOf({ journal, ending, facts }: PageInput): Strategy | undefined {
  const { rollout } = journal;
  if (rollout === undefined) return journal.deployment === undefined ? undefined : { kind: journal.deployment };
  const router = facts.find((one) => one.rollout !== undefined)?.rollout?.router;
  return {
    kind: rollout.strategy,
    ...(router === undefined || router === "none" ? {} : { router }),
    ...(rollout.step === undefined ? {} : { steps: stepsOf(journal, rollout.step.steps, ending) }),
  };
}

function stepsOf(journal: Journal, steps: readonly CanaryStep[], ending: Ending): Step[] {
  const { rollout } = journal;
  const last = Math.max(-1, ...journal.steps.keys());
  const isThrough = rollout?.isPromoted === true || (rollout?.step?.index ?? 0) >= steps.length;
  const isOver = ending.result !== "running" && !["paused", "inconclusive", "deadline"].includes(ending.result);
  return steps.map((step, index): Step => {
    const seen = journal.steps.get(index);
    const isLast = index === last;
    const state: Step["state"] = isThrough
      ? "done"
      : index < last
        ? "done"
        : isLast
          ? isOver
            ? "failed"
            : "current"
          : isOver
            ? "skipped"
            : "pending";
    return {
      text: stepText(step),
      state,
      ...(seen === undefined ? {} : { startedAt: time(seen.startedAt) }),
      ...(seen?.endedAt === undefined ? {} : { endedAt: time(seen.endedAt) }),
    };
  });
}

function stepText(step: CanaryStep): string {
  if (step.setWeight !== undefined) return `weight ${step.setWeight} %`;
  if (step.pause?.duration !== undefined) return `wait ${secondsWords(durationSeconds(step.pause.duration))}`;
  return stepWords(step);
}

/** Two marks closer than this cover each other, in milliseconds. */
const markGapMs = 2_000;

function timelineOf({ timeline, traffic, journal }: PageInput): PageEntry[] {
  const entries = timeline.map(({ at, kind, what, outcome, mark }): PageEntry => ({
    at,
    kind,
    text: readable(what),
    ...(outcome === undefined ? {} : { outcome }),
    ...(mark === undefined ? {} : { mark }),
  }));
  if (traffic !== undefined && "why" in traffic && journal.templates.size > 0) {
    entries.push({
      at: timeline.at(-1)?.at ?? time(0),
      kind: "note",
      text: `no series by version: ${traffic.source}: ${traffic.why}`,
    });
  }
  return thinned(entries);
}

/** Of marks that would cover each other the weightier stays, and of two alike the first. */
function thinned(entries: PageEntry[]): PageEntry[] {
  const weigh = ({ outcome }: PageEntry) => (outcome === undefined ? 0 : 1);
  let last: PageEntry | undefined;
  for (const entry of entries) {
    if (entry.mark === undefined) continue;
    if (last !== undefined && Date.parse(entry.at) - Date.parse(last.at) < markGapMs) {
      const loser = weigh(entry) > weigh(last) ? last : entry;
      delete loser.mark;
      if (loser === entry) continue;
    }
    last = entry;
  }
  return entries;
}

// ---- analysis and traffic

function analysesOf({ journal, ending }: PageInput): AnalysisMetric[] {
  const analyses = [...journal.analyses.values()];
  const isDeciding = decidingOf(analyses, ending);
  const count = (name: string) =>
    analyses.filter(({ metrics }) => metrics.some((metric) => metric.name === name)).length;
  return analyses.flatMap((analysis) =>
    analysis.metrics.map((metric): AnalysisMetric => {
      const limit = limitOf(analysis, metric.name);
      const unit = unitOf(metric.name);
      const provider = analysis.providers.get(metric.name);
      return {
        name: count(metric.name) > 1 ? `${metric.name} (${whenOf(analysis)})` : metric.name,
        phase: metric.phase,
        ...(isDeciding?.analysis === analysis && isDeciding.metric === metric.name ? { deciding: true } : {}),
        condition: [
          `measured ${whenOf(analysis)}`,
          ...(metric.wanted === undefined || limit !== undefined ? [] : [`wanted ${metric.wanted}`]),
        ].join("; "),
        ...(unit === undefined ? {} : { unit }),
        ...(limit === undefined ? {} : { threshold: limit }),
        ...(provider === undefined ? {} : { provider }),
        ...(metric.query === undefined ? {} : { query: metric.query.trim() }),
        ...(metric.message === "" ? {} : { message: metric.message }),
        // A Job passes or fails: there is no number of it.
        ...(provider === jobProvider
          ? {}
          : { measurements: (analysis.measurements.get(metric.name) ?? []).map(measurement) }),
      };
    }),
  );
}

function decidingOf(
  analyses: SeenAnalysis[],
  ending: Ending,
): { analysis: SeenAnalysis; metric: string | undefined } | undefined {
  const wanted = ending.result === "inconclusive" ? ["Inconclusive"] : ["Failed", "Error"];
  const isBad = ending.fault !== undefined || ending.result === "inconclusive" || ending.result === "failed";
  const analysis = isBad ? analyses.findLast(({ phase }) => wanted.includes(phase)) : undefined;
  if (analysis === undefined) return undefined;
  return {
    analysis,
    metric: analysis.metrics.find(({ phase, isDryRun }) => wanted.includes(phase) && !isDryRun)?.name,
  };
}

function whenOf({ kind, step }: SeenAnalysis): string {
  const kinds = {
    step: step === undefined ? "as a step" : `at step ${step + 1}`,
    background: "all the time",
    prePromotion: "before the promotion",
    postPromotion: "after the promotion",
  };
  return kinds[kind];
}

/** What the values are compared with, read from the metric's condition. */
function limitOf(analysis: SeenAnalysis, name: string): Limit | undefined {
  const wanted = analysis.metrics.find((metric) => metric.name === name)?.wanted;
  return wanted === undefined ? undefined : limitIn(wanted);
}

/** `result[0] < 0.05` has a maximum, `not (result[0] < 0.95)` and `!(result[0] < 0.95)` a minimum. */
export function limitIn(condition: string): Limit | undefined {
  const match = /result\[0\]\s*(<=?|>=?)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)/i.exec(condition);
  if (match === null) return undefined;
  const [, sign = "", text = ""] = match;
  const isNegated = /(!|\bnot )\s*\(\s*(?:len\(result\) > 0 && )?result/.test(condition);
  const isBelow = sign.startsWith("<") !== isNegated;
  return isBelow ? { max: Number(text) } : { min: Number(text) };
}

/** By the chart's names; a metric of another name is shown as the plain number it is. */
function unitOf(name: string): Unit | undefined {
  if (/ratio|^memory|^cpu|versus/.test(name)) return "ratio";
  if (/^(latency|queue-lag)/.test(name)) return "seconds";
  return /^(restarts|log-errors|no-recent-errors)/.test(name) ? "count" : undefined;
}

function measurement({ value, phase, message: said, finishedAt, startedAt }: AnalysisMeasurement) {
  // A verdict service tells why; that is no number.
  const message = toldIn(value)?.reason ?? said;
  const number = Number(/^\[?\s*(-?[\d.]+(?:e[+-]?\d+)?)\s*\]?$/i.exec(value ?? "")?.[1] ?? Number.NaN);
  return {
    at: time(Date.parse(finishedAt ?? startedAt ?? "")),
    value: Number.isFinite(number) ? number : null,
    phase,
    ...(message === undefined || message === "" ? {} : { message }),
  };
}

function trafficOf(
  { traffic, journal }: PageInput,
  versions: Version[],
  analysis: AnalysisMetric[],
): Traffic | undefined {
  if (traffic === undefined) return undefined;
  if ("why" in traffic) return { source: `${traffic.source} (${traffic.why})`, times: [], series: [] };
  const roles = new Map<string | undefined, Role>([
    [journal.fresh, "new"],
    [journal.stable, "stable"],
  ]);
  return {
    source: traffic.source,
    times: traffic.times,
    series: traffic.series.flatMap(({ hash, metric, query, values }) => {
      const role = roles.get(hash);
      const version = versions.find((one) => one.role === role);
      return role === undefined || version === undefined
        ? []
        : [{ version: version.version, role, metric, query, values }];
    }),
    thresholds: thresholdsOf(analysis),
  };
}

/** Limits of the analysis that mean the same in a plot. */
function thresholdsOf(analysis: AnalysisMetric[]): Threshold[] {
  const found = analysis.flatMap(({ name, threshold }): Threshold[] => {
    const metric = plottedAs(name);
    if (threshold === undefined || metric === undefined) return [];
    // A share of successes is a share of errors seen from the other side.
    if (metric === "errorRatio" && name.includes("success"))
      return threshold.min === undefined ? [] : [{ metric, max: Number((1 - threshold.min).toFixed(6)), name }];
    return [{ metric, ...threshold, name }];
  });
  const isNew = ({ metric, max, min }: Threshold, index: number) =>
    found.findIndex((one) => one.metric === metric && one.max === max && one.min === min) === index;
  return found.filter(isNew);
}

function plottedAs(name: string): TrafficMetric | undefined {
  const [plain = ""] = name.split(" ");
  const names: Record<string, TrafficMetric> = {
    "error-ratio": "errorRatio",
    "success-ratio": "errorRatio",
    "latency-p50": "latencyP50",
    "latency-p95": "latencyP95",
    "latency-p99": "latencyP99",
  };
  return names[plain];
}

// ---- evidence, restore, next

/** Without the probes of containers that are being stopped: they are bound to fail. */
function tellingEvents(events: Event[]): Event[] {
  const stopped = new Map<string, number>();
  // A container that is killed to be started again has another message.
  for (const event of events.filter(({ message }) => message?.startsWith("Stopping container") === true)) {
    const uid = event.involvedObject.uid ?? "";
    stopped.set(uid, Math.min(stopped.get(uid) ?? Infinity, eventStart(event)));
  }
  return events.filter((event) => {
    const isAfterIt = eventStart(event) >= (stopped.get(event.involvedObject.uid ?? "") ?? Infinity);
    return event.reason !== "Unhealthy" || !isAfterIt;
  });
}

function podEvent(event: Event) {
  const { involvedObject, count } = event;
  return {
    at: time(lastSeenMs(event)),
    subject: `${involvedObject.kind ?? "Object"}/${involvedObject.name ?? ""}`,
    type: event.type === "Warning" ? ("Warning" as const) : ("Normal" as const),
    reason: event.reason ?? "",
    message: event.message ?? "",
    ...(count === undefined || count <= 1 ? {} : { count }),
  };
}

function restoredOf({ ending, kind, journal }: PageInput, stable: Version | undefined): Report["restored"] {
  const { live } = ending;
  if (live === undefined || (ending.result !== "restored" && kind !== "rollback")) return undefined;
  const items: NonNullable<Report["restored"]>["items"] = [{ what: "image", to: withoutDigest(live.image) }];
  if (live.digest !== undefined) items.push({ what: "digest", to: live.digest });
  items.push({ what: "config", to: live.configMap });
  for (const [name, value] of Object.entries(live.flags)) items.push({ what: "flag", to: `${name}=${value}` });
  if (journal.rollout !== undefined) items.push({ what: "traffic", to: "all of it" });
  return { version: kind === "rollback" ? tagOf(live.image) : (stable?.version ?? tagOf(live.image)), items };
}

function verificationOf(input: PageInput): Report["verification"] {
  const { ending, ledger } = input;
  const { live } = ending;
  if (live === undefined) return undefined;
  const judged = ledger.toSorted((a, b) => b.number - a.number).find(({ content }) => content === live.content);
  return judged === undefined ? undefined : verification(judged);
}

/** Of the version that came, when its own verification is what refused it. */
function rejectionOf({ journal, ledger, since, ending }: PageInput, fresh: Version | undefined): Report["rejectedBy"] {
  const template = journal.fresh === undefined ? undefined : journal.templates.get(journal.fresh);
  if (template === undefined || fresh === undefined || ending.fault === undefined) return undefined;
  const judged = ledger
    .toSorted((a, b) => b.number - a.number)
    .find(({ image, configMap, by, checks, at }) => {
      const isItsOwn = image === template.image && configMap === template.configMap && by === "verify";
      return isItsOwn && checks !== undefined && Date.parse(at) >= since;
    });
  if (judged?.verdict !== "fail") return undefined;
  return { version: fresh.version, ...verification(judged) };
}

/** A verdict without its checks is one of an older ctl, or of a person. */
function verification({ checks, verdict, why, number, at }: LedgerEntry): Verification {
  const outcome = verdict === "pass" ? ("passed" as const) : ("failed" as const);
  return {
    by: `ledger entry ${number}, ${at}`,
    checks: checks ?? [{ name: "the release's own verification", outcome, detail: why }],
  };
}

function requestsOf({ traffic, journal }: PageInput, versions: Version[]): Figures {
  if (traffic === undefined)
    return journal.templates.size === 0 ? {} : { uncounted: "the chart does not say where its metrics are" };
  const source = traffic.source;
  if ("why" in traffic) return { uncounted: `${source}: ${traffic.why}` };
  const { counts } = traffic;
  if ("why" in counts) return { uncounted: `${source}: ${counts.why}` };
  const roles: [Role, string | undefined][] = [
    ["stable", journal.stable],
    ["new", journal.fresh],
  ];
  const requestsByVersion = roles.flatMap(([role, hash]) => {
    const count = counts.find((one) => one.hash === hash);
    const version = versions.find((one) => one.role === role)?.version;
    if (count === undefined || version === undefined) return [];
    return [{ version, role, requests: count.requests, failedRequests: count.failedRequests }];
  });
  const sum = (of: "requests" | "failedRequests") => requestsByVersion.reduce((total, one) => total + one[of], 0);
  return { requests: sum("requests"), failedRequests: sum("failedRequests"), requestsByVersion };
}

function nextOf({ ending, release, namespace, kind, journal }: PageInput): Command[] {
  if (ending.next !== undefined) return commandsOf(ending.next);
  const address = `--release ${release} -n ${namespace}`;
  const failed: Command[] = [
    { command: `ctl deploy ${address} --image …`, why: "once what is named above is corrected" },
    { command: `ctl history ${address}`, why: "shows every verdict, and where a rollback would go" },
  ];
  switch (ending.result) {
    case "restored":
    case "removed":
      return failed;
    case "failed":
      return [{ command: `ctl rollback ${address}`, why: whyOf("ctl rollback") }, ...failed];
    case "verified":
      // Before a first release there is nothing to go back to.
      return kind === "rollback" || journal.stable === undefined
        ? failed.slice(1)
        : [{ command: `ctl rollback ${address}`, why: "takes it back, should it turn out to be ill after all" }];
    case "running":
      return [
        { command: `ctl abort ${address}`, why: whyOf("ctl abort") },
        { command: `ctl pause ${address}`, why: "holds it where it is" },
      ];
    default:
      return [{ command: `ctl status ${address}`, why: whyOf("ctl status") }];
  }
}

/** `ctl promote -n shop, or ctl abort -n shop` are two commands; prose stays one. */
export function commandsOf(next: string): Command[] {
  return next.split(/, or (?=ctl )|; (?=ctl )/).map((part) => {
    const match = /^(ctl .*?)(?: (makes|tries|sends|takes|goes|shows|lists) (.*))?$/.exec(part);
    if (match?.[1] === undefined) return { command: part, why: "" };
    const [, command, verb, rest] = match;
    return { command, why: verb === undefined ? whyOf(command) : `${verb} ${rest ?? ""}` };
  });
}

function whyOf(command: string): string {
  const [, name = ""] = command.split(" ");
  const known: Record<string, string> = {
    promote: "lets it go on",
    abort: "sends all traffic back to what served before",
    rollback: "goes back to the last verified release",
    retry: "begins it again",
    resume: "goes on where it was paused",
    wait: "waits until it has ended",
    status: "shows what runs, and what to do",
    get: "shows where it stands",
    history: "shows every verdict",
    deploy: "deploys a release that works",
  };
  return known[name] ?? "the next command";
}

function time(ms: number): string {
  return new Date(Number.isFinite(ms) ? ms : 0).toISOString();
}
