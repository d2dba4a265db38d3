import type { Kube } from "@safe-deploy/kube";
import type { PrometheusFacts } from "../domain/facts.ts";

export type TrafficMetric = "requestRate" | "errorRatio" | "latencyP50" | "latencyP95" | "latencyP99";

/** Series by pod template over one grid of times, or why there are none. */
export type TrafficSeries = SeriesByTemplate | NoSeries;

export interface SeriesByTemplate {
  source: string;
  /** Seconds since the epoch, rising. */
  times: number[];
  series: { hash: string; metric: TrafficMetric; query: string; values: (number | null)[] }[];
  /** Of each template that answered anything since the operation began. */
  counts: CountedRequests[] | NoCounts;
}

export interface CountedRequests {
  hash: string;
  requests: number;
  failedRequests: number;
}

export interface NoCounts {
  why: string;
}

export interface NoSeries {
  source: string;
  why: string;
}

export interface SeriesRequest {
  namespace: string;
  facts: PrometheusFacts;
  /** Of the templates to tell apart. */
  hashes: string[];
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  /** Requests are counted from here on; milliseconds since the epoch. */
  countFrom: number;
  /** Of the template whose pods served when the counting began; undefined: none did. */
  served: string | undefined;
}

/** Points of a plot: more than a phone has columns, fewer than make a page slow. */
const points = 240;

/** How far back samples are counted, in seconds: not beyond the start of pods that are a minute old, if that will do. */
const densities = [60, 600];

/**
 * Asks Prometheus, through the API server and so with the rights that ctl has anyway, for what each version did. Never
 * throws: a report is worth having without its plots.
 */
export async function readTraffic(kube: Pick<Kube, "raw">, request: SeriesRequest): Promise<TrafficSeries> {
  const { facts, hashes } = request;
  const source = `Prometheus, ${facts.address}`;
  const none = (why: string): NoSeries => ({ source, why });
  const proxy = proxyPath(facts.address);
  if (proxy === undefined) return none("its address is not that of a Service in the cluster");
  if (hashes.length === 0) return none("no pods were seen");
  try {
    const window = await windowOf(kube, proxy, request);
    if (window === undefined) return none(`it has no ${facts.names.requests} of these pods`);
    const grid = gridOf(request);
    const range = async (query: string): Promise<Row[]> => {
      const parameters = new URLSearchParams({
        query,
        start: String(grid.times[0]),
        end: String(grid.times.at(-1)),
        step: String(grid.step),
      });
      return resultOf<Row>(await kube.raw("GET", `${proxy}/api/v1/query_range?${parameters.toString()}`));
    };
    const queries = Object.entries(trafficQueries(request, window)) as [TrafficMetric, string][];
    const { all, failed } = countQueries(request);
    const [counters, failures, ...answers] = await Promise.all([
      range(all),
      range(failed),
      ...queries.map(async ([metric, query]) => ({ metric, query, rows: await range(query) })),
    ]);
    const series = answers.flatMap(({ metric, query, rows }) =>
      rows.flatMap((row) => {
        const hash = row.metric[facts.names.hashLabel];
        return hash === undefined ? [] : [{ hash, metric, query, values: onGrid(row.values, grid.times) }];
      }),
    );
    return { source, times: grid.times, series, counts: countRequests(request, { all: counters, failed: failures }) };
  } catch (error) {
    return none((error as Error).message);
  }
}

/**
 * The path by which the API server forwards to a Service, from an address such as `http://prometheus.monitoring.svc:9090`.
 * Undefined where the address is no Service's.
 */
export function proxyPath(address: string): string | undefined {
  const url = URL.parse(address);
  if (url === null) return undefined;
  const match = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?$/.exec(url.hostname);
  if (match === null) return undefined;
  const [, name = "", namespace = ""] = match;
  const scheme = url.protocol === "https:" ? "https:" : "";
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const prefix = url.pathname.replace(/\/+$/, "");
  return `/api/v1/namespaces/${namespace}/services/${scheme}${name}:${port}/proxy${prefix}`;
}

/** What is asked for each metric; `window` in seconds. */
export function trafficQueries(
  { namespace, facts: { names }, hashes }: Pick<SeriesRequest, "namespace" | "facts" | "hashes">,
  window: number,
): Record<TrafficMetric, string> {
  const pods = `${names.namespaceLabel}="${namespace}",${names.hashLabel}=~"${hashes.join("|")}"`;
  const errors = `${names.statusLabel}=~${JSON.stringify(names.errorStatus)}`;
  const pick = (metric: string, more: string, then = "") => `sum without (role) (${metric}{${pods}${more}}${then})`;
  // A pod's first sample counts from zero: a rate needs two, and a bad canary may not live to see them. The label `role`
  // changes when a pod is promoted, and its counters go on.
  const growth = (by: string, metric: string, more = "") => {
    const now = pick(metric, more);
    return `sum by (${by}) (clamp_min((${now} - ${pick(metric, more, ` offset ${window}s`)}) or ${now}, 0))`;
  };
  const requests = growth(names.hashLabel, names.requests);
  const buckets = growth(`${names.hashLabel}, le`, names.durationBucket);
  const quantile = (q: number) => `histogram_quantile(${q}, ${buckets})`;
  return {
    requestRate: `${requests} / ${window}`,
    // Where nothing failed there is no series of failures, and 0 / 0 is no number.
    errorRatio: `(${growth(names.hashLabel, names.requests, `,${errors}`)} or 0 * ${requests}) / (${requests} > 0)`,
    latencyP50: quantile(0.5),
    latencyP95: quantile(0.95),
    latencyP99: quantile(0.99),
  };
}

/** The counters of each pod, told apart by what Prometheus scrapes; `role` changes when a pod is promoted. */
function countQueries({ namespace, facts: { names }, hashes }: SeriesRequest): { all: string; failed: string } {
  const pods = `${names.namespaceLabel}="${namespace}",${names.hashLabel}=~"${hashes.join("|")}"`;
  const counters = (more: string) =>
    `sum by (${names.hashLabel}, instance) (max without (role) (${names.requests}{${pods}${more}}))`;
  return { all: counters(""), failed: counters(`,${names.statusLabel}=~${JSON.stringify(names.errorStatus)}`) };
}

/** Counted from sample to sample, so that nothing is extrapolated: what came after the last sample is not in it. */
function countRequests(
  { facts: { names }, countFrom, served }: SeriesRequest,
  rows: { all: Row[]; failed: Row[] },
): CountedRequests[] | NoCounts {
  const grown = (row: Row) => growth(row.values, countFrom / 1000);
  const hashOf = ({ metric }: Row) => metric[names.hashLabel] ?? "";
  const wasThere = rows.all.some(
    (row) => hashOf(row) === served && (row.values[0]?.[0] ?? Infinity) <= countFrom / 1000,
  );
  // Without a sample of before, all that the pods ever answered would count.
  if (served !== undefined && !wasThere) return { why: "it has no sample from before the operation of what served" };
  const sum = (some: Row[], hash: string) =>
    Math.round(some.filter((row) => hashOf(row) === hash).reduce((total, row) => total + grown(row), 0));
  return [...new Set(rows.all.map(hashOf))].map((hash) => ({
    hash,
    requests: sum(rows.all, hash),
    failedRequests: sum(rows.failed, hash),
  }));
}

/** By how much a counter has grown since a moment, in seconds; a counter that restarts or begins counts from zero. */
function growth(values: Row["values"], since: number): number {
  const numbers = values
    .map(([at, text]) => ({ at, value: Number(text) }))
    .filter(({ value }) => Number.isFinite(value));
  let before = numbers.findLast(({ at }) => at <= since)?.value ?? 0;
  let sum = 0;
  for (const { at, value } of numbers) {
    if (at <= since) continue;
    sum += value >= before ? value - before : value;
    before = value;
  }
  return sum;
}

/** Four samples: what was lost of one or two changes little. Seconds; undefined: there are no samples. */
async function windowOf(kube: Pick<Kube, "raw">, proxy: string, o: SeriesRequest): Promise<number | undefined> {
  const { names } = o.facts;
  const pods = `${names.namespaceLabel}="${o.namespace}",${names.hashLabel}=~"${o.hashes.join("|")}"`;
  for (const seconds of densities) {
    const samples = await samplesWithin(`max(count_over_time(${names.requests}{${pods}}[${seconds}s]))`);
    if (samples > 0) return Math.ceil((4 * seconds) / samples);
  }
  return undefined;

  async function samplesWithin(query: string): Promise<number> {
    const parameters = new URLSearchParams({ query, time: String(o.to / 1000) });
    const answer = await kube.raw("GET", `${proxy}/api/v1/query?${parameters.toString()}`);
    const [, text] = resultOf<{ value: [number, string] }>(answer)[0]?.value ?? [];
    return Number(text ?? 0);
  }
}

function gridOf({ from, to }: SeriesRequest): { times: number[]; step: number } {
  const [start, end] = [Math.floor(from / 1000), Math.max(Math.ceil(to / 1000), Math.floor(from / 1000) + 1)];
  const step = Math.max(1, Math.ceil((end - start) / points));
  return { step, times: Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, i) => start + i * step) };
}

interface Row {
  metric: Record<string, string>;
  values: [at: number, value: string][];
}

/** @throws Error in Prometheus' own words. */
function resultOf<T>(answer: unknown): T[] {
  const { status, error, data } = (answer ?? {}) as { status?: string; error?: string; data?: { result?: T[] } };
  if (status === "success") return data?.result ?? [];
  throw new Error(error ?? "what answers there is not Prometheus");
}

/** No sample, and what is no number, is no data. */
function onGrid(values: Row["values"], times: number[]): (number | null)[] {
  const known = new Map(values.map(([at, text]) => [Math.round(at), Number(text)]));
  return times.map((at) => {
    const value = known.get(at);
    return value === undefined || !Number.isFinite(value) ? null : value;
  });
}
