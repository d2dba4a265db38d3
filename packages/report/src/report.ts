/**
 * What one operation on a release was about, what it did and why it ended as it did: the document `report.json`.
 *
 * Only the core is required. What was not looked at is left out; what was looked at and found empty is an empty list.
 * Times are RFC 3339 in UTC. report.schema.json is the same as a JSON Schema, and docs/report.md explains the fields.
 */
export interface Report {
  schemaVersion: 1;
  kind: Kind;
  release: string;
  namespace: string;
  /** The cluster as its user names it. */
  cluster?: string;
  /** When the operation started. */
  startedAt: string;
  /** Absent while it goes on. */
  endedAt?: string;
  /** Who or what started it. */
  startedBy?: string;
  verdict: Verdict;
  /** What the operation set out to change. */
  changes?: Change[];
  versions?: Version[];
  strategy?: Strategy;
  /** In the order it happened. */
  timeline: TimelineEntry[];
  /** The new version's share of the traffic, each from its moment on. */
  weights?: Weight[];
  figures?: Figures;
  /** Why the release cannot serve, as the cluster tells it. */
  fault?: Fault;
  /** What the declared checks said of the version that failed, where it came to be verified. */
  rejectedBy?: Verification;
  analysis?: AnalysisMetric[];
  traffic?: Traffic;
  podEvents?: PodEvent[];
  logs?: LogExcerpt[];
  restored?: Restored;
  verification?: Verification;
  /** What a person may run next, the likeliest first. */
  next?: Command[];
}

export type Kind = "deploy" | "rollback" | "promote" | "abort" | "retry" | "undo" | "flag" | "mode";

/**
 * - running: goes on.
 * - verified: the release serves and its checks passed.
 * - restored: the release failed, and what served before serves again, verified.
 * - removed: a first release failed and was removed.
 * - failed: the release failed and was left as it is.
 * - restoreFailed: the release failed and so did taking it back.
 * - unverified: all was done, but nothing has verified it.
 * - paused: waits for a person.
 * - inconclusive: the evidence decides neither way; waits for a person.
 * - deadline: the time was over and work goes on.
 * - interrupted: a signal ended the command.
 * - nothingToDo: all was as it should be.
 */
export type Result =
  | "running"
  | "verified"
  | "restored"
  | "removed"
  | "failed"
  | "restoreFailed"
  | "unverified"
  | "paused"
  | "inconclusive"
  | "deadline"
  | "interrupted"
  | "nothingToDo";

export interface Verdict {
  result: Result;
  /** One sentence that says what happened. Whoever shows it puts the result's word in front. */
  summary: string;
  /** A sentence or two more: what made it so. */
  because?: string;
  /** The command's exit code; absent while it runs. */
  exit?: number;
  /** The stable code of the error. */
  code?: string;
}

export interface Change {
  what: "image" | "digest" | "config" | "secret" | "flag" | "schema" | "chart" | "strategy" | "replicas" | "mode";
  /** The key of a config, secret or flag. */
  name?: string;
  /** null: was not there. Absent: not shown, as of a secret. */
  from?: string | null;
  /** null: is no longer there. Absent: not shown. */
  to?: string | null;
}

/** stable: what served before. new: what the operation brings. */
export type Role = "stable" | "new";

export interface Version {
  /** How everything else in the report names it; the image's tag, as a rule. */
  version: string;
  role: Role;
  image?: string;
  digest?: string;
  /** The ConfigMap of its config version. */
  configMap?: string;
  flags?: Record<string, string>;
  schema?: string;
  chart?: string;
  helmRevision?: number;
}

export interface Strategy {
  kind: "rolling" | "recreate" | "canary" | "blueGreen";
  /** What splits the traffic; absent: the Service alone, by the number of pods. */
  router?: string;
  steps?: Step[];
}

export interface Step {
  /** "set weight to 10 %" */
  text: string;
  state: "done" | "current" | "pending" | "failed" | "skipped";
  startedAt?: string;
  endedAt?: string;
}

export interface TimelineEntry {
  at: string;
  kind: "change" | "step" | "pods" | "analysis" | "decision" | "restore" | "verify" | "person" | "note";
  text: string;
  /** Absent: neither. */
  outcome?: "good" | "bad";
  /** A word or two; with them the entry is drawn into the plots. */
  mark?: string;
}

export interface Weight {
  at: string;
  /** Percent, 0 to 100. */
  weight: number;
}

export interface Figures {
  /** From the first sign of the fault (or, without one, from the change) until it was found, in seconds. */
  detectionSeconds?: number;
  /** From finding the fault until the restored release was verified, in seconds. */
  restoreSeconds?: number;
  /** Answered by any version while the operation went on. */
  requests?: number;
  /** Those of them that failed. */
  failedRequests?: number;
  /** The same by version. */
  requestsByVersion?: VersionRequests[];
  /** Why the requests were not counted. */
  uncounted?: string;
}

export interface VersionRequests {
  version: string;
  role: Role;
  requests: number;
  failedRequests: number;
}

export interface Fault {
  /** "CrashLoop" */
  kind: string;
  /** "Pod/myapp-7d9c-x2x" */
  subject: string;
  /** In the cluster's own words where it has some. */
  message: string;
}

/** In what a metric's values are counted, for showing them. ratio: 0 to 1, shown in percent. */
export type Unit = "ratio" | "seconds" | "perSecond" | "bytes" | "count";

export interface AnalysisMetric {
  name: string;
  phase: Phase;
  /** True of the one that decided. */
  deciding?: boolean;
  /** In words: "at most 5 % of the new version's requests may fail". */
  condition?: string;
  unit?: Unit;
  /** With what its values are compared. */
  threshold?: Limit;
  provider?: string;
  query?: string;
  /** Why it is in its phase. */
  message?: string;
  measurements?: Measurement[];
}

export type Phase = "Pending" | "Running" | "Successful" | "Failed" | "Error" | "Inconclusive";

/** Values above `max` or below `min` are bad. */
export interface Limit {
  max?: number;
  min?: number;
}

export interface Measurement {
  at: string;
  /** null: the query gave nothing, or no number. */
  value: number | null;
  phase: Phase;
  message?: string;
}

/** Series by version over one common grid of times. */
export interface Traffic {
  /** "Prometheus, http://prometheus.monitoring.svc:9090" */
  source: string;
  /** The times of all values, rising, in seconds since the epoch. */
  times: number[];
  series: Series[];
  /** Drawn into the plots. */
  thresholds?: Threshold[];
}

export type TrafficMetric = "requestRate" | "errorRatio" | "latencyP50" | "latencyP95" | "latencyP99";

export interface Series {
  version: string;
  role: Role;
  /** Requests per second, a ratio from 0 to 1, seconds. */
  metric: TrafficMetric;
  query?: string;
  /** One for each time; null: no data, which is not zero. */
  values: (number | null)[];
}

export interface Threshold extends Limit {
  metric: TrafficMetric;
  /** The analysis metric that it comes from. */
  name?: string;
}

export interface PodEvent {
  at: string;
  /** "Pod/myapp-7d9c-x2x" */
  subject: string;
  type: "Normal" | "Warning";
  reason: string;
  message: string;
  /** How often it came; absent: once. */
  count?: number;
}

export interface LogExcerpt {
  pod: string;
  container?: string;
  version?: string;
  /** True: of the run before the restart. */
  previous?: boolean;
  lines: string[];
  /** Which lines matter, counted from 0. */
  matters?: number[];
  /** True when lines were left out. */
  truncated?: boolean;
}

export interface Restored {
  /** The version that serves again. */
  version: string;
  /** What was brought back and to what. */
  items: { what: Change["what"] | "traffic" | "pods"; to: string }[];
}

export interface Verification {
  /** Of which version; absent: of what serves at the end. */
  version?: string;
  /** Where the checks ran: "Job/myapp-verify". */
  by?: string;
  checks: Check[];
}

export interface Check {
  name: string;
  outcome: "passed" | "failed" | "notRun";
  /** One sentence: what was asked and what came. */
  detail?: string;
}

export interface Command {
  command: string;
  /** What it does, or when to run it. */
  why: string;
}
