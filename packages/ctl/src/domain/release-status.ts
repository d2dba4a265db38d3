import { ExitCode } from "../exit-codes.ts";
import type { HelmRelease } from "./helm-release.ts";
import { isPending } from "./helm-release.ts";
import type { LedgerEntry } from "./ledger.ts";
import { servesAlone, type WorkloadSnapshot } from "./serving.ts";

/** The state of a release in one word, with the exit code that says the same. */
export interface ReleaseStatus {
  state: "verified" | "inProgress" | "failed" | "unverified";
  exit: ExitCode;
  /** In plain words. */
  why: string;
}

/** Pure; `operationRuns` says whether a living ctl holds the release. */
export function releaseStatus(s: {
  newest: HelmRelease;
  verdict: LedgerEntry | undefined;
  workload: WorkloadSnapshot;
  operationRuns: boolean;
}): ReleaseStatus {
  const { verdict } = s;
  const serving = servesAlone(s.workload);
  const inProgress = (why: string): ReleaseStatus => ({ state: "inProgress", exit: ExitCode.deadline, why });
  if (s.operationRuns)
    return inProgress(
      serving.done ? "ctl is at work on it" : `ctl is at work on it; waiting for ${serving.waitingFor}`,
    );
  if (isPending(s.newest)) return inProgress(`Helm's revision ${s.newest.version} is ${s.newest.info.status}`);
  if (verdict !== undefined && verdict.verdict !== "pass") {
    return {
      state: "failed",
      exit: ExitCode.notRestored,
      why: `judged "${verdict.verdict}": ${verdict.why.split("\n")[0]}`,
    };
  }
  if (!serving.done) return inProgress(`waiting for ${serving.waitingFor}`);
  if (verdict === undefined) {
    return { state: "unverified", exit: ExitCode.inconclusive, why: "it serves, but nothing has verified it" };
  }
  return { state: "verified", exit: ExitCode.ok, why: `${verdict.why} (${verdict.at})` };
}
