import { hasFailed, type LoadResult, type SeriesPoint } from "./result.ts";

/** Gathers the samples that k6 writes, one JSON document a line, into totals and a series. */
export class Samples {
  requests = 0;
  failed = 0;
  dropped = 0;
  readonly byVersion = new Map<string, number>();
  readonly failedByVersion = new Map<string, number>();
  readonly byStatus = new Map<string, number>();
  readonly errors = new Map<string, number>();
  private readonly latencies: number[] = [];
  private readonly points = new Map<string, SeriesPoint>();

  add(line: string): void {
    // Most lines are metrics of k6's own that are not looked at; parsing them would cost more than the rest.
    if (!/^\{"metric":"(answers|unanswered|dropped_iterations)"/.test(line)) return;
    const { metric, data } = JSON.parse(line) as Sample;
    const { time, value, tags } = data;
    if (metric === "dropped_iterations") {
      this.dropped += value;
      return;
    }
    const { version = "none", status = "0", error } = tags ?? {};
    this.requests++;
    if (hasFailed(Number(status))) {
      this.failed++;
      increment(this.failedByVersion, version);
    }
    increment(this.byStatus, status);
    if (error !== undefined) increment(this.errors, error);
    if (metric === "answers") {
      increment(this.byVersion, version);
      this.latencies.push(value);
    }
    const t = Math.floor(Date.parse(time) / 1000);
    const key = `${t} ${status} ${version}`;
    const point = this.points.get(key) ?? { t, version, status: Number(status), count: 0 };
    point.count++;
    this.points.set(key, point);
  }

  totals(): LoadResult["totals"] {
    return {
      requests: this.requests,
      failed: this.failed,
      dropped: this.dropped,
      byVersion: Object.fromEntries(this.byVersion),
      failedByVersion: Object.fromEntries(this.failedByVersion),
      byStatus: Object.fromEntries(this.byStatus),
      errors: Object.fromEntries(this.errors),
      ...(this.latencies.length === 0 ? {} : { latencyMs: this.percentiles() }),
    };
  }

  series(): SeriesPoint[] {
    return [...this.points.values()].sort(
      (a, b) => a.t - b.t || a.status - b.status || a.version.localeCompare(b.version),
    );
  }

  private percentiles(): NonNullable<LoadResult["totals"]["latencyMs"]> {
    const sorted = Float64Array.from(this.latencies).sort();
    // Nearest rank: the smallest answer time that at least this share of the answers kept to.
    const at = (share: number): number => Number(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!.toFixed(3));
    return { min: at(0), median: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) };
  }
}

interface Sample {
  metric: "answers" | "unanswered" | "dropped_iterations";
  data: { time: string; value: number; tags?: { version?: string; status?: string; error?: string } };
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
