import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { RequestMetrics } from "./request-metrics.ts";

/** What a process of this image measures of itself. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests = new RequestMetrics(this.registry);
  #schemaVersion: Gauge | undefined;

  constructor(build: { version: string; commit: string }) {
    const { registry } = this;
    collectDefaultMetrics({ register: registry });
    const buildInfo = new Gauge({
      name: "app_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["version", "commit"],
      registers: [registry],
    });
    buildInfo.set(build, 1);
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
