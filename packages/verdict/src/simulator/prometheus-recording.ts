import type { Recording } from "./scenario.ts";

/** How the counter of requests is labelled: `analysis.names` of the chart's values. */
export interface RecordingLabels {
  /** Label with the status of an answer, and the regular expression of those that are bad. */
  status: string;
  errorStatus: string;
}

/** What a dump of Prometheus recorded. `canary` is undefined when no series is labelled `role="canary"`. */
export interface RecordedVersions {
  stable: Recording[];
  canary: Recording[] | undefined;
}

/** A dump that cannot be replayed. */
export class RecordingError extends Error {
  /** What would help. */
  readonly next: string;

  constructor(message: string, next: string) {
    super(message);
    this.name = "RecordingError";
    this.next = next;
  }
}

interface SeriesDump {
  metric: Record<string, string>;
  values: [at: number, value: string][];
}

const howToAsk =
  "ask for the counter itself: curl -G $PROMETHEUS/api/v1/query_range --data-urlencode 'query=http_requests_total{namespace=\"shop\"}' -d start=… -d end=… -d step=5s";

/**
 * Reads the answer of Prometheus' `/api/v1/query_range` for a counter of requests. Series of the same version are added
 * up; one that falls was reset, one that appears later began at 0. Second 0 is the canary's first request, or the first
 * sample.
 *
 * @param document the JSON as it came.
 * @throws RecordingError
 */
export function readRecording(document: unknown, labels: RecordingLabels): RecordedVersions {
  const all = seriesOf(document);
  if (!all.some(({ metric }) => labels.status in metric)) {
    throw new RecordingError(
      `no series has the label ${labels.status}, so bad requests cannot be told from good ones`,
      "keep that label in the query, or name another one in analysis.names.statusLabel",
    );
  }
  const isBad = new RegExp(`^(?:${labels.errorStatus})$`);
  const times = [...new Set(all.flatMap(({ values }) => values.map(([at]) => at)))].toSorted((a, b) => a - b);
  if (times.length < 2) throw new RecordingError("the dump holds fewer than two moments, so it has no rate", howToAsk);
  const add = (chosen: readonly SeriesDump[]): Recording[] => {
    const requests = Array.from(times, () => 0);
    const bad = Array.from(times, () => 0);
    const places = new Map(times.map((at, index) => [at, index]));
    for (const { metric, values } of chosen) {
      const counts = isBad.test(metric[labels.status] ?? "");
      let before = values[0]![0] === times[0] ? Number(values[0]![1]) : 0;
      for (const [at, text] of values) {
        const value = Number(text);
        const growth = value >= before ? value - before : value;
        before = value;
        const place = places.get(at)!;
        requests[place]! += growth;
        if (counts) bad[place]! += growth;
      }
    }
    let sums = { requests: 0, bad: 0 };
    return times.map((at, index) => {
      sums = { requests: sums.requests + requests[index]!, bad: sums.bad + bad[index]! };
      return { second: at, ...sums };
    });
  };
  const isCanary = ({ metric }: SeriesDump) => metric["role"] === "canary";
  const stable = add(all.filter((series) => !isCanary(series)));
  const canary = all.some(isCanary) ? add(all.filter(isCanary)) : undefined;
  if (stable.at(-1)!.requests === 0) {
    throw new RecordingError("the dump counts no request of a stable version", howToAsk);
  }
  const begins = canary?.findIndex(({ requests }) => requests > 0) ?? 0;
  const zero = times[Math.max(0, begins - 1)]!;
  const shifted = (recording: Recording[]) => recording.map((each) => ({ ...each, second: each.second - zero }));
  return { stable: shifted(stable), canary: canary === undefined ? undefined : shifted(canary) };
}

function seriesOf(document: unknown): SeriesDump[] {
  const answer = document as {
    status?: unknown;
    error?: unknown;
    data?: { resultType?: unknown; result?: unknown };
  } | null;
  if (answer?.status === "error") {
    throw new RecordingError(`the dump is an error of Prometheus: ${String(answer.error)}`, "correct the query");
  }
  if (answer?.data?.resultType !== "matrix" || !Array.isArray(answer.data.result)) {
    throw new RecordingError("the dump is no answer of /api/v1/query_range (data.resultType: matrix)", howToAsk);
  }
  const all = (answer.data.result as SeriesDump[]).filter(({ values }) => values.length > 0);
  if (all.length === 0) throw new RecordingError("the dump holds no series", howToAsk);
  for (const { metric, values } of all) {
    const falls = values.filter(
      ([, value], index) => index > 0 && Number(value) < Number(values[index - 1]![1]),
    ).length;
    const unusable = values.find(([, value]) => !(Number(value) >= 0));
    if (unusable !== undefined || falls > 2 + values.length / 10) {
      const what =
        unusable === undefined ? `falls ${falls} times in ${values.length} samples` : `has the value ${unusable[1]}`;
      throw new RecordingError(`series ${JSON.stringify(metric)} ${what}: it is no counter`, howToAsk);
    }
  }
  return all;
}
