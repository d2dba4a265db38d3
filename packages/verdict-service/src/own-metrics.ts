import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { Answer } from "./record.ts";

/** What the service tells of itself. */
export class OwnMetrics {
  readonly registry = new Registry();
  readonly #looks = new Counter({
    name: "verdict_looks_total",
    help: "Looks at an attempt.",
    registers: [this.registry],
  });
  readonly #verdicts = new Counter({
    name: "verdict_verdicts_total",
    help: "Looks by their verdict.",
    labelNames: ["verdict"],
    registers: [this.registry],
  });
  readonly #blindSeconds = new Counter({
    name: "verdict_blind_seconds_total",
    help: "Time during which an attempt could not be judged, summed over attempts.",
    registers: [this.registry],
  });
  readonly #scrapeErrors = new Counter({
    name: "verdict_scrape_errors_total",
    help: "Pods that were asked for their counters and did not answer.",
    registers: [this.registry],
  });
  readonly #apiRequests = new Counter({
    name: "verdict_api_requests_total",
    help: "Requests to the Kubernetes API; a watch is one.",
    labelNames: ["verb", "resource"],
    registers: [this.registry],
  });
  readonly #saveErrors = new Counter({
    name: "verdict_save_errors_total",
    help: "Records that could not be written.",
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    for (const verdict of ["pass", "fail", "continue", "inconclusive", "blind"]) this.#verdicts.inc({ verdict }, 0);
  }

  /** Publishes how many attempts are open, and how many of them are blind, at each scrape. */
  follow(judge: { open: number; blind: number }): void {
    const gauges = [
      { name: "verdict_open_attempts", help: "Attempts that are judged now.", read: () => judge.open },
      { name: "verdict_blind_attempts", help: "Attempts that cannot be judged now.", read: () => judge.blind },
    ];
    for (const { name, help, read } of gauges) {
      void new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    }
  }

  looked(answer: Answer, scrapeErrors: number, before: Answer | undefined): void {
    this.#looks.inc();
    this.#verdicts.inc({ verdict: answer.verdict });
    this.#scrapeErrors.inc(scrapeErrors);
    if (answer.verdict === "blind" && before?.verdict === "blind") {
      this.#blindSeconds.inc(Math.max(0, answer.at - before.at) / 1000);
    }
  }

  asked(verb: string, resource: string): void {
    this.#apiRequests.inc({ verb, resource });
  }

  saveFailed(): void {
    this.#saveErrors.inc();
  }
}
