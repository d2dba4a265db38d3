interface Metric {
  values: Record<string, number>;
  thresholds?: Record<string, { ok: boolean }>;
}

/** What k6 hands to handleSummary, as far as it is used here. */
export interface SummaryData {
  metrics: Record<string, Metric>;
  state: { testRunDurationMs: number };
}

export interface Summary {
  durationMs: number;
  requests: number;
  failed: number;
  unanswered: number;
  dropped: number;
  /** Milliseconds by statistic; empty when nothing was answered. */
  latencyMs: Record<string, number>;
  thresholds: { metric: string; condition: string; passed: boolean }[];
}

/** Writes the summary to the file that SUMMARY names, else to stdout. */
export function writeSummary(data: SummaryData): Record<string, string> {
  return { [__ENV.SUMMARY ?? "stdout"]: `${JSON.stringify(summarize(data), null, 2)}\n` };
}

function summarize({ metrics, state }: SummaryData): Summary {
  const count = (name: string, value = "count"): number => metrics[name]?.values[value] ?? 0;
  // A Rate counts as "passes" what was added as true.
  const failed = count("failed_requests", "passes");
  return {
    durationMs: Math.round(state.testRunDurationMs),
    requests: failed + count("failed_requests", "fails"),
    failed,
    unanswered: count("unanswered"),
    dropped: count("dropped_iterations"),
    latencyMs: metrics.answers?.values ?? {},
    thresholds: Object.entries(metrics).flatMap(([metric, { thresholds = {} }]) =>
      Object.entries(thresholds).map(([condition, { ok }]) => ({ metric, condition, passed: ok })),
    ),
  };
}
