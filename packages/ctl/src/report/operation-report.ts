import type { Fault } from "../domain/diagnose.ts";
import type { ExitCode } from "../exit-codes.ts";
import type { ErrorCode } from "../errors.ts";
import type { Context } from "../context.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import type { TimelineEntry } from "./timeline.ts";

/** How an operation on a release ended; the document of `-o json`. */
export interface OperationReport {
  schemaVersion: 1;
  kind: "deploy" | "rollback" | "promote" | "abort" | "retry" | "pause" | "resume" | "mode";
  release: string;
  namespace: string;
  result:
    | "verified"
    | "restored"
    | "removed"
    | "failed"
    | "restoreFailed"
    | "unverified"
    | "nothingToDo"
    /** A rollout that a person has to act on, or that goes on after the deadline. */
    | "paused"
    | "inconclusive"
    | "goingOn"
    | "aborted";
  exit: ExitCode;
  /** Absent when all is well. */
  code?: ErrorCode;
  /** In plain words. */
  summary: string;
  /** The next command. */
  next?: string;
  /** What runs at the end. */
  live?: LiveReport;
  /** Why the release failed. */
  fault?: Fault;
  /** The end of the log of what failed. */
  log?: string;
  /** The last events of what failed. */
  events?: string[];
  /** Seconds from applying the release until its fault was found. */
  detectionSeconds?: number;
  /** Seconds from finding the fault until the restored release was verified. */
  restoreSeconds?: number;
  timeline: TimelineEntry[];
}

export interface LiveReport {
  helmRevision: number;
  image: string;
  digest?: string;
  configMap: string;
  flags: Record<string, string>;
  content: string;
}

/** The fields that every report has, however the operation ended. */
export function reportBase(context: Context, kind: OperationReport["kind"]) {
  return {
    schemaVersion: 1 as const,
    kind,
    release: context.release,
    namespace: context.namespace,
    timeline: context.timeline.entries,
  };
}

export function liveReport(entry: LedgerEntry, helmRevision: number): LiveReport {
  return {
    helmRevision,
    image: entry.image,
    ...(entry.digest === undefined ? {} : { digest: entry.digest }),
    configMap: entry.configMap,
    flags: entry.flags,
    content: entry.content,
  };
}
