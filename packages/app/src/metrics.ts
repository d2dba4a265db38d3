import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** Seconds; the steps around 0.1, 0.5, 0.8 and 1 are the limits that release analyses use. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 2, 5, 10];

type RequestLabels = { method: string; route: string; status: string };
type Series = { labels: RequestLabels; count: number; seconds: number; observe: (seconds: number) => void };

/** What the service measures of itself. */
export class Metrics {
  readonly registry = new Registry();
  readonly #series = new Map<string, Series>();
  readonly #duration: Histogram<keyof RequestLabels>;
  #schemaVersion: Gauge | undefined;

  constructor(build: { version: string; commit: string }) {
    const { registry } = this;
    const series = this.#series;
    collectDefaultMetrics({ register: registry });
    const buildInfo = new Gauge({
      name: "app_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["version", "commit"],
      registers: [registry],
    });
    buildInfo.set(build, 1);
    this.#duration = new Histogram({
      name: "http_request_duration_seconds",
      help: "Time from the arrival of a request to the end of its response. Probes and metrics are not counted.",
      labelNames: ["method", "route", "status"],
      buckets: DURATION_BUCKETS,
      registers: [registry],
    });
    // Counted in #series and copied when scraped: one map look-up less for each request.
    const requests = new Counter({
      name: "http_requests_total",
      help: "Requests answered. Probes and metrics are not counted.",
      labelNames: ["method", "route", "status"],
      registers: [],
      collect() {
        this.reset();
        for (const { labels, count } of series.values()) this.inc(labels, count);
      },
    });
    registry.registerMetric(requests);
  }

  /** Counts one answered request. */
  record(method: string, route: string, status: number, seconds: number): void {
    const key = `${status} ${method} ${route}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const labels = { method, route, status: String(status) };
      const child = this.#duration.labels(labels);
      series = { labels, count: 0, seconds: 0, observe: (value) => child.observe(value) };
      this.#series.set(key, series);
    }
    series.count += 1;
    series.seconds += seconds;
    series.observe(seconds);
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

  /** Publishes the database's schema version; before the first call there is no such series. */
  setSchemaVersion(version: string): void {
    this.#schemaVersion ??= new Gauge({
      name: "app_schema_version",
      help: "Newest migration applied to the database, 0 before the first.",
      registers: [this.registry],
    });
    this.#schemaVersion.set(Number(version));
  }
}
