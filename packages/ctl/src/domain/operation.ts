/**
 * What a ctl is doing to a release right now. It is written down in the cluster before the first change, so that the
 * same command, run again after a crash, goes on where the last one stopped instead of deciding anew.
 */
export interface Operation {
  /** Also in the environment of the operation's child processes, by which an orphan is found. */
  id: string;
  kind: "deploy" | "rollback" | "promote" | "abort" | "retry" | "resume" | "mode";
  /** Equal for two runs of the same command. */
  fingerprint: string;
  startedAt: string;
  /** Content that was live when the operation started; undefined at a first deploy. */
  from?: string;
  /** Hash of the pod template that was live then; what a new template is told from. Undefined at a first deploy. */
  fromTemplate?: string;
  /** Helm's newest revision when the operation started; 0 at a first deploy. */
  fromRevision: number;
  /** Ledger number that a failed deploy goes back to; 0: to nothing; null: nothing verified is there. */
  backTo: number | null;
  /** Once the release has been given up: where it goes and why. */
  restore?: Restore;
}

export interface Restore {
  /** Ledger number of the entry to bring back; 0: nothing was there, so the release is removed. */
  targetNumber: number;
  why: string;
  /** RFC 3339, of the moment that the fault was found. */
  detectedAt: string;
}

/** Environment variable that marks a child process with its operation's id. */
export const operationVariable = "CTL_OPERATION";

/** What to do with an operation that an earlier ctl left behind. */
export function resumption(
  left: Operation | undefined,
  wanted: Pick<Operation, "kind" | "fingerprint">,
): { continue: Operation } | { continue: undefined; superseded: Operation | undefined } {
  if (left !== undefined && left.kind === wanted.kind && left.fingerprint === wanted.fingerprint)
    return { continue: left };
  return { continue: undefined, superseded: left };
}
