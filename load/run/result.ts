import type { ScenarioName } from "../lib/scenarios.ts";

/** What one run of a scenario sent and got, in a form that is kept and compared. */
export interface LoadResult {
  schemaVersion: 1;
  scenario: ScenarioName;
  baseUrl: string;
  /** Sent with every request, with names in lower case. */
  headers: Record<string, string>;
  /** Requests per second asked for, at its highest but for a spike. */
  rate: number;
  /** ISO 8601, UTC. */
  startedAt: string;
  endedAt: string;
  /** stop() ended it before its duration was over. Requests in flight at that moment are not counted. */
  stopped: boolean;
  totals: {
    /** Requests that ended, well or badly. */
    requests: number;
    /** Of those: no answer, or status 400 and above. */
    failed: number;
    /** Requests that should have been sent, but all virtual users still waited for answers. */
    dropped: number;
    /** Answers by their x-app-version header; "unknown" where it is missing. */
    byVersion: Record<string, number>;
    /** Failed requests by the version that answered; "none" where there was no answer. Versions without one are absent. */
    failedByVersion: Record<string, number>;
    /** Requests by status; "0" stands for no answer. */
    byStatus: Record<string, number>;
    /** Requests without an answer by reason. */
    errors: Record<string, number>;
    /** Over all answers, from connecting to the last byte; absent when there was none. */
    latencyMs?: { min: number; median: number; p90: number; p95: number; p99: number; max: number };
  };
  /** The scenario's pass or fail contract. */
  thresholds: { metric: string; condition: string; passed: boolean }[];
  /** Every threshold held. */
  passed: boolean;
  /** Ended requests per second, by version and status, in order of time; status 0 and version "none" for no answer. */
  series: SeriesPoint[];
}

export interface SeriesPoint {
  /** Unix time in whole seconds. */
  t: number;
  version: string;
  status: number;
  count: number;
}

/** No answer (status 0), or an answer that tells of an error. */
export function hasFailed(status: number): boolean {
  return status === 0 || status >= 400;
}
