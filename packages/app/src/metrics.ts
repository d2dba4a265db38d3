import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import { RequestMetrics } from "./request-metrics.ts";

/** What a process of this image measures of itself. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests = new RequestMetrics(this.registry);
  #schemaVersion: Gauge | undefined;

  /** @param linesByLevel is read at each scrape. */
  constructor(build: { version: string; commit: string }, linesByLevel: Readonly<Record<string, number>>) {
    const { registry } = this;
    collectDefaultMetrics({ register: registry });
    const buildInfo = new Gauge({
      name: "app_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["version", "commit"],
      registers: [registry],
    });
    buildInfo.set(build, 1);
    const logLines = new Counter({
      name: "app_log_lines_total",
      help: "Lines of the log. Every level has its series from the start, so that none is a number too.",
      labelNames: ["level"],
      registers: [],
      collect() {
        this.reset();
        for (const [level, lines] of Object.entries(linesByLevel)) this.inc({ level }, lines);
      },
    });
    registry.registerMetric(logLines);
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
