import { isDeclared, missingOf, type Policy, readExposition, type Sample, type Series } from "@safe-deploy/verdict";
import type { EventMatch, ReleaseSettings } from "./release-settings.ts";

/** Seconds since the epoch at which the process started; every official client exports it. */
const startTime = "process_start_time_seconds";

/** The cumulative counters of one process, as a sample needs them. */
export type Readout = Pick<Sample, "requests" | "errors" | "buckets" | "events" | "startedAt"> & {
  /** What the settings name and the process does not export, not even without a value; undefined where it has all. */
  missing?: string;
};

/** Adds up what a service's settings ask for. Made once for each release: it compiles the patterns. */
export class CounterReader {
  readonly #names: ReleaseSettings["names"];
  readonly #isError: RegExp;
  readonly #events: { name: string; status: RegExp | undefined; route: RegExp | undefined }[];
  readonly #wantsBuckets: boolean;
  readonly #wantsStatus: boolean;
  /** Names of the series that are read. */
  readonly wanted: readonly string[];

  constructor({ names, events, policy }: Pick<ReleaseSettings, "names" | "events"> & { policy: Policy }) {
    this.#names = names;
    this.#isError = whole(names.errorStatus);
    this.#events = Object.entries(events).map(([name, { status, route }]: [string, EventMatch]) => ({
      name,
      status: status === undefined ? undefined : whole(status),
      route: route === undefined ? undefined : whole(route),
    }));
    this.#wantsBuckets = policy.rules.some(({ bad }) => bad.kind === "slower");
    this.#wantsStatus =
      policy.rules.some(({ bad }) => bad.kind === "errors") || this.#events.some(({ status }) => status !== undefined);
    this.wanted = [names.requests, startTime, ...(this.#wantsBuckets ? [names.durationBucket] : [])];
  }

  /** Reads the text that a process exports (Prometheus' text format 0.0.4, or OpenMetrics). */
  readText(text: string): Readout {
    const { missing, ...counters } = this.read(readExposition(text, this.wanted));
    return missing === undefined || (missing === this.#names.requests && isDeclared(text, missing))
      ? counters
      : { ...counters, missing };
  }

  read(series: readonly Series[]): Readout {
    const { requests: counter, statusLabel, routeLabel, durationBucket } = this.#names;
    let [requests, errors] = [0, 0];
    let startedAt: number | undefined;
    const events: Record<string, number> = Object.fromEntries(this.#events.map(({ name }) => [name, 0]));
    const buckets = new Map<number, number>();
    for (const { name, labels, value } of series) {
      if (name === counter) {
        requests += value;
        const status = labels[statusLabel] ?? "";
        if (this.#isError.test(status)) errors += value;
        for (const event of this.#events) {
          const isMeant = event.status?.test(status) !== false && event.route?.test(labels[routeLabel] ?? "") !== false;
          if (isMeant) events[event.name]! += value;
        }
      } else if (name === startTime) {
        startedAt = value * 1000;
      } else if (name === durationBucket) {
        const le = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
        buckets.set(le, (buckets.get(le) ?? 0) + value);
      }
    }
    const missing = missingOf(this.#names, series);
    return {
      requests,
      errors,
      ...(this.#wantsBuckets && buckets.size > 0
        ? { buckets: [...buckets].map(([le, count]) => ({ le, count })).toSorted((a, b) => a.le - b.le) }
        : {}),
      ...(this.#events.length > 0 ? { events } : {}),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(missing === undefined || (missing !== counter && !this.#wantsStatus) ? {} : { missing }),
    };
  }
}

/** A regular expression that the whole text must match, as Prometheus' own do. */
function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}
