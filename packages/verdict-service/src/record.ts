import type { AnalysisRun } from "@safe-deploy/kube";
import type { Result, State } from "@safe-deploy/verdict";
import type { Endings } from "./incidents.ts";
import type { Path } from "./path.ts";

/** Where the newest samples came from. */
export type Source = "pods" | "prometheus";

export type Ended = "promoted" | "aborted" | "superseded";

/** The newest answer of an attempt. */
export type Answer = Pick<
  Result,
  "verdict" | "reason" | "rule" | "statistic" | "boundary" | "n" | "k" | "missing" | "spent"
> & {
  attempt: string;
  /** When it was looked at, in milliseconds since the epoch, at which weight, and where the samples came from. */
  at: number;
  weight: number;
  source: Source;
};

/** All that is kept of one attempt, so that a service that was ended goes on where it was. */
export interface AttemptRecord {
  schemaVersion: 1;
  rolloutUid: string;
  canary: string;
  stable: string;
  /** Counts the attempts of the Rollout. */
  number: number;
  startedAt: number;
  ended: { at: number; how: Ended } | null;
  endings: Endings;
  state: State;
  answer: Answer | null;
  path: Path;
}

/** Rollout, template under test, and number: a retry is another attempt, with an alpha of its own. */
export function attemptName({ rolloutUid, canary, number }: Pick<AttemptRecord, "rolloutUid" | "canary" | "number">) {
  return `${rolloutUid}/${canary}/${number}`;
}

/** Name of the ConfigMap that keeps a Rollout's attempt, and the keys of its data. */
export function recordName(rollout: string): string {
  return `${rollout}-verdict`;
}
export const recordKey = "attempt.json";
export const pathKey = "path.json";

/**
 * Reads a record out of its ConfigMap's data; undefined when there is none yet.
 * @throws Error when it cannot be read, or is of another version.
 */
export function parseRecord(data: Record<string, string>): AttemptRecord | undefined {
  const text = data[recordKey];
  if (text === undefined) return undefined;
  const record = JSON.parse(text) as AttemptRecord;
  if (record.schemaVersion !== 1 || record.state.schemaVersion !== 1) throw new Error("it has another schemaVersion");
  return { ...record, path: JSON.parse(data[pathKey] ?? "null") as AttemptRecord["path"] };
}

/** Where the records of Rollouts are kept. */
export interface RecordStore {
  /** Undefined when there is none. */
  load(namespace: string, rollout: string): Promise<AttemptRecord | undefined>;
  save(owner: { namespace: string; name: string; uid: string }, record: AttemptRecord): Promise<void>;
  /** The AnalysisRuns of a template. */
  analysisRuns(namespace: string, hash: string): Promise<AnalysisRun[]>;
}

/**
 * Whether the update was taken back and tried again after the attempt began, told by its AnalysisRuns: one that ended
 * badly ends its try, so another that was made after it is of the next try. For when nobody watched.
 */
export function wasRetried(runs: readonly AnalysisRun[], { rolloutUid, startedAt }: AttemptRecord): boolean {
  const own = runs.filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === rolloutUid) === true);
  const ends = own
    .filter(({ status }) => status?.phase === "Failed" || status?.phase === "Error")
    .map(({ status }) => Date.parse(status?.completedAt ?? ""))
    .filter((end) => end >= startedAt);
  const firstEnd = Math.min(...ends);
  return own.some(({ metadata }) => Date.parse(metadata.creationTimestamp ?? "") > firstEnd);
}
