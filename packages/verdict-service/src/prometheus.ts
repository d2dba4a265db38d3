import type { Series } from "@safe-deploy/verdict";
import { type CounterReader, type Readout } from "./exposition.ts";
import type { PrometheusSource } from "./release-settings.ts";

const timeoutMs = 5_000;

/** A pod's newest sample that Prometheus has. */
export interface Scraped {
  pod: string;
  hash: string;
  /** When Prometheus read it, in milliseconds since the epoch. */
  at: number;
  readout: Readout;
}

interface Matrix {
  status: string;
  error?: string;
  data?: { result: { metric: Record<string, string>; values: [number, string][] }[] };
}

/**
 * Raw samples with their own moments, by an instant query for a range: `increase()` would extrapolate, and an instant
 * vector has the moment of the question instead of the sample's.
 *
 * @param hashes of the pods' templates.
 * @throws Error in a few words when Prometheus does not answer as it should.
 */
export async function askPrometheus(
  { address, namespaceLabel, hashLabel, scrapeSeconds }: PrometheusSource,
  { namespace, hashes, reader }: { namespace: string; hashes: readonly string[]; reader: CounterReader },
): Promise<Scraped[]> {
  const names = reader.wanted.join("|");
  const range = Math.ceil(3 * scrapeSeconds);
  const query = `{__name__=~"${names}",${namespaceLabel}="${namespace}",${hashLabel}=~"${hashes.join("|")}"}[${range}s]`;
  const answer = await ask(new URL("/api/v1/query", address), query);
  const byPod = new Map<string, { hash: string; series: (Series & { at: number })[] }>();
  for (const { metric, values } of answer) {
    const { __name__: name = "", pod } = metric;
    const last = values.at(-1);
    if (pod === undefined || last === undefined) continue;
    const entry = byPod.get(pod) ?? { hash: metric[hashLabel] ?? "", series: [] };
    entry.series.push({ name, labels: metric, value: Number(last[1]), at: last[0] * 1000 });
    byPod.set(pod, entry);
  }
  return [...byPod].map(([pod, { hash, series }]) => {
    const at = Math.max(...series.map((each) => each.at));
    // Series that this scrape did not have are those of a process before it.
    return { pod, hash, at, readout: reader.read(series.filter((each) => each.at === at)) };
  });
}

async function ask(url: URL, query: string): Promise<NonNullable<Matrix["data"]>["result"]> {
  let text: string;
  let status: number;
  try {
    const response = await fetch(url, {
      method: "POST",
      body: new URLSearchParams({ query }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    const { cause, name } = error as Error & { cause?: NodeJS.ErrnoException };
    const why =
      name === "TimeoutError" ? `no answer in ${timeoutMs / 1000} s` : (cause?.code ?? (error as Error).message);
    throw new Error(`Prometheus at ${url.host}: ${why}`, { cause: error });
  }
  let matrix: Matrix;
  try {
    matrix = JSON.parse(text) as Matrix;
  } catch (error) {
    throw new Error(`Prometheus at ${url.host}: HTTP ${status}, and no JSON`, { cause: error });
  }
  if (matrix.status !== "success" || matrix.data === undefined) {
    throw new Error(`Prometheus at ${url.host}: ${matrix.error ?? `HTTP ${status}`}`);
  }
  return matrix.data.result;
}
