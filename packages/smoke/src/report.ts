export type CheckStatus = "passed" | "failed" | "notRun";

/** Where a failing request went and what came back. */
export interface FailedRequest {
  method: string;
  url: string;
  /** Everything that was wrong, in plain words. */
  problems: string[];
  /** Absent when no answer came. */
  response?: {
    status: number;
    /** The telling ones, and those that the check asserts. */
    headers: Record<string, string>;
    /** The first 500 characters. */
    body: string;
    bodyTruncated: boolean;
    latencyMs: number;
  };
  /** The system's or TLS's own error code when no answer came, such as ECONNREFUSED. */
  errorCode?: string;
}

export interface CheckResult {
  name: string;
  status: CheckStatus;
  /** One sentence in plain words. */
  reason: string;
  /** Of the last attempt: how many requests passed, were finished, were declared, and had to pass. */
  requests: { passed: number; finished: number; times: number; needed: number };
  attempts: number;
  durationMs: number;
  /** Over the answers of the last attempt; absent when none came. */
  latencyMs?: { median: number; max: number };
  /** The first failing request of the last finished attempt. */
  failure?: FailedRequest;
}

/**
 * - passed: every check passed.
 * - failed: a check failed.
 * - deadline: no check failed by itself, but the total deadline cut one off.
 * - interrupted: the caller's signal ended the run.
 */
export type Outcome = "passed" | "failed" | "deadline" | "interrupted";

export interface CheckReport {
  schemaVersion: 1;
  outcome: Outcome;
  baseUrl: string;
  /** ISO 8601, UTC. */
  startedAt: string;
  durationMs: number;
  deadlineMs: number;
  counts: { total: number; passed: number; failed: number; notRun: number };
  checks: CheckResult[];
}

export type CheckProgress =
  | { type: "attemptFailed"; check: string; attempt: number; attempts: number; reason: string; retryInMs: number }
  | { type: "checkFinished"; result: CheckResult };
