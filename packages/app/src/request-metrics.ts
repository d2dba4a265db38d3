import type { Metric, Registry } from "prom-client";

const DURATION = "http_request_duration_seconds";
/** Seconds; the steps around 0.1, 0.5, 0.8 and 1 are the limits that release analyses use. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 2, 5, 10];

type Labels = { method: string; route: string; status: string };
/** `buckets[i]` counts the requests whose duration is over bound i - 1 and at most bound i. */
type Series = { labels: Labels; count: number; seconds: number; buckets: number[] };
type Sample = { metricName?: string; labels: Record<string, string | number>; value: number };

/**
 * Counts requests and their durations, and hands both to the registry when it is scraped. prom-client's own histogram
 * hashes the labels of every observation, which costs a request ten times what this does.
 */
export class RequestMetrics {
  readonly #series = new Map<string, Series>();

  constructor(registry: Registry) {
    const publish = (name: string, type: string, help: string, values: (series: Series) => Sample[]) => {
      const metric = {
        name,
        reset: () => this.#series.clear(),
        get: async () => ({ name, type, help, values: [...this.#series.values()].flatMap(values) }),
      };
      // The registry asks no more of a metric than this; the type names prom-client's own classes.
      registry.registerMetric(metric as unknown as Metric);
    };
    publish("http_requests_total", "counter", "Requests answered. Probes and metrics are not counted.", (series) => [
      { labels: series.labels, value: series.count },
    ]);
    publish(
      DURATION,
      "histogram",
      "Time from the arrival of a request to the end of its response. Probes and metrics are not counted.",
      durationSamples,
    );
  }

  /** Counts one answered request. */
  record(method: string, route: string, status: number, seconds: number): void {
    const key = `${status} ${method} ${route}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const labels = { method, route, status: String(status) };
      series = { labels, count: 0, seconds: 0, buckets: DURATION_BUCKETS.map(() => 0) };
      this.#series.set(key, series);
    }
    series.count += 1;
    series.seconds += seconds;
    const bucket = DURATION_BUCKETS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.buckets[bucket]! += 1;
  }

  /** Totals since the start: requests, those answered with 5xx, and the mean latency in milliseconds. */
  totals(): { requests: number; errors: number; meanLatencyMs: number } {
    let [requests, errors, seconds] = [0, 0, 0];
    for (const series of this.#series.values()) {
      requests += series.count;
      seconds += series.seconds;
      if (series.labels.status.startsWith("5")) errors += series.count;
    }
    return { requests, errors, meanLatencyMs: requests === 0 ? 0 : (seconds / requests) * 1000 };
  }
}

function durationSamples({ labels, count, seconds, buckets }: Series): Sample[] {
  let upTo = 0;
  return [
    ...DURATION_BUCKETS.map((le, index) => ({
      metricName: `${DURATION}_bucket`,
      labels: { le, ...labels },
      value: (upTo += buckets[index]!),
    })),
    { metricName: `${DURATION}_bucket`, labels: { le: "+Inf", ...labels }, value: count },
    { metricName: `${DURATION}_sum`, labels, value: seconds },
    { metricName: `${DURATION}_count`, labels, value: count },
  ];
}
