import { type Kube, type Pod, resources } from "@safe-deploy/kube";
import type { LogExcerpt, Report } from "@safe-deploy/report";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import { readTraffic, type TrafficSeries } from "../observe/prometheus-series.ts";
import { factsOf, readHelmReleases, readLedger, type ReleaseState } from "../observe/release-state.ts";
import { readVerdictRecord } from "../observe/verdict-record.ts";
import type { Evidence } from "./evidence.ts";
import type { Journal } from "./journal.ts";
import { logExcerpt } from "./log-excerpt.ts";
import { type Ending, type PageInput, pageReport } from "./page-report.ts";
import type { TimelineEntry } from "./timeline.ts";

export interface PageSubject {
  kube: Kube;
  release: string;
  journal: Journal;
  kind: Report["kind"];
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt?: number;
  timeline: readonly TimelineEntry[];
  ending: Ending;
  /** As the operation began. */
  before: ReleaseState | undefined;
  logs: LogExcerpt[];
}

/** Plots begin this long before the operation: what was normal shows what is not. In milliseconds. */
const leadMs = 60_000;

/** Reads what a page needs beyond what was seen, and puts it together. What cannot be read is left out. */
export async function collectPage(subject: PageSubject): Promise<Report> {
  const { kube, release, before, ending, journal, logs } = subject;
  const [helm, ledger] = await Promise.all([
    orElse(readHelmReleases(kube, release), [] as HelmRelease[]),
    orElse(readLedger(kube, release), before?.ledger ?? ([] as LedgerEntry[])),
  ]);
  const facts = allFacts(helm, before?.helm ?? []);
  const input: PageInput = {
    kind: subject.kind,
    release,
    namespace: kube.namespace,
    cluster: kube.server,
    startedAt: subject.startedAt,
    since: journal.since,
    ...(subject.endedAt === undefined ? {} : { endedAt: subject.endedAt }),
    ending,
    timeline: subject.timeline,
    journal,
    facts,
    ledger,
    configs: await readConfigs(kube, journal),
    logs,
  };
  const [traffic, evidence] = await Promise.all([readSeries(subject, facts), readEvidence(kube, journal, facts)]);
  return pageReport({
    ...input,
    ...(traffic === undefined ? {} : { traffic }),
    ...(evidence === undefined ? {} : { evidence }),
  });
}

/** The record of the sequential engine, if it is of the version that this is about. */
async function readEvidence(
  kube: Kube,
  { fresh }: Journal,
  facts: readonly ReleaseFacts[],
): Promise<Evidence | undefined> {
  const rollout = facts.find(({ workload }) => workload.kind === "Rollout")?.workload.name;
  if (rollout === undefined) return undefined;
  const record = await orElse(readVerdictRecord(kube, rollout), undefined);
  return record?.canary === fresh ? record : undefined;
}

/** Of every revision that Helm has or had, newest first. A rollback's revision tells what it was rendered as first. */
function allFacts(after: readonly HelmRelease[], before: readonly HelmRelease[]): ReleaseFacts[] {
  const known = new Set(after.map(({ version }) => version));
  return [...after, ...before.filter(({ version }) => !known.has(version))].flatMap((release) => {
    const facts = factsOf(release);
    return facts === undefined ? [] : [{ ...facts, revision: release.version }];
  });
}

async function readConfigs(kube: Kube, journal: Journal): Promise<Map<string, Record<string, string>>> {
  const names = [journal.stable, journal.fresh].flatMap((hash) => {
    const name = hash === undefined ? undefined : journal.templates.get(hash)?.configMap;
    return name === undefined ? [] : [name];
  });
  const read = async (name: string) => {
    const configMap = await orElse(kube.get(resources.ConfigMap, name), undefined);
    return configMap === undefined ? [] : [[name, configMap.data ?? {}] as const];
  };
  return new Map((await Promise.all(names.map(read))).flat());
}

async function readSeries(subject: PageSubject, facts: readonly ReleaseFacts[]): Promise<TrafficSeries | undefined> {
  const { kube, journal, startedAt, endedAt } = subject;
  const prometheus = facts.find((one) => one.prometheus !== undefined)?.prometheus;
  if (prometheus === undefined) return undefined;
  const hashes = [journal.stable, journal.fresh].filter((hash) => hash !== undefined);
  const ahead = aheadOf(kube);
  return await readTraffic(kube, {
    namespace: kube.namespace,
    facts: prometheus,
    hashes,
    from: startedAt - leadMs + ahead,
    to: (endedAt ?? Date.now()) + ahead,
    countFrom: startedAt + ahead,
    served: journal.stable,
  });
}

/** How far the API server's clock is ahead of this machine's, in milliseconds. */
function aheadOf(kube: Kube): number {
  return kube.serverNow() - Date.now();
}

/** Lines read from the end of a pod's log, among which those that matter are looked for. */
const readLines = 400;

/** Of so many pods the logs are read, and those shown that say most: others say the same. */
const pods = { read: 8, shown: 2 };

/** The logs of an update's pods, before they are gone. Never throws. */
export async function readPodLogs(
  kube: Kube,
  of: readonly Pod[],
  container: string | undefined,
): Promise<LogExcerpt[]> {
  const read = async ({ metadata: { name } }: Pod) => {
    const o = { tailLines: readLines, ...(container === undefined ? {} : { container }) };
    const text = await orElse(kube.logs(name, o), "");
    const excerpt = logExcerpt(text, { pod: name, ...(container === undefined ? {} : { container }) });
    return excerpt === undefined ? [] : [excerpt];
  };
  const excerpts = (await Promise.all(of.slice(0, pods.read).map(read))).flat();
  const mattering = ({ matters = [] }: LogExcerpt) => matters.length;
  const telling = excerpts.filter((excerpt) => mattering(excerpt) > 0);
  return (telling.length > 0 ? telling : excerpts).toSorted((a, b) => mattering(b) - mattering(a)).slice(0, pods.shown);
}

async function orElse<T>(promise: Promise<T>, otherwise: T): Promise<T> {
  return await promise.catch(() => otherwise);
}
