import { ExitCode } from "../exit-codes.ts";
import { isRouteHeld } from "./first-release.ts";
import type { HelmRelease } from "./helm-release.ts";
import { isPending } from "./helm-release.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { RolloutVerdict } from "./rollout-verdict.ts";
import { servesAlone, type WorkloadSnapshot } from "./serving.ts";

/** The state of a release in one word, with the exit code that says the same. */
export interface ReleaseStatus {
  state: "verified" | "inProgress" | "failed" | "unverified" | "paused" | "inconclusive" | "aborted";
  exit: ExitCode;
  /** In plain words. */
  why: string;
}

/**
 * Pure.
 *
 * @param s.rollout where the update stands, for a release that runs as a Rollout.
 * @param s.operationRuns whether a living ctl holds the release.
 */
export function releaseStatus(s: {
  newest: HelmRelease;
  verdict: LedgerEntry | undefined;
  workload: WorkloadSnapshot;
  rollout?: RolloutVerdict | undefined;
  operationRuns: boolean;
}): ReleaseStatus {
  const { verdict } = s;
  const serving = servesAlone(s.workload);
  const inProgress = (why: string): ReleaseStatus => ({ state: "inProgress", exit: ExitCode.deadline, why });
  const awaited = s.rollout?.kind === "inFlight" ? s.rollout.why : serving.done ? undefined : serving.waitingFor;
  if (s.operationRuns)
    return inProgress(awaited === undefined ? "ctl is at work on it" : `ctl is at work on it; waiting for ${awaited}`);
  if (isPending(s.newest)) return inProgress(`Helm's revision ${s.newest.version} is ${s.newest.info.status}`);
  const standstill = s.rollout === undefined ? undefined : standstillOf(s.rollout);
  if (standstill !== undefined) return standstill;
  // A version that was judged before is judged anew when it is rolled out again.
  if (s.rollout?.kind === "inFlight") return inProgress(`waiting for ${s.rollout.why}`);
  if (verdict !== undefined && verdict.verdict !== "pass") {
    return {
      state: "failed",
      exit: ExitCode.notRestored,
      why: `judged "${verdict.verdict}": ${verdict.why.split("\n")[0]}`,
    };
  }
  if (awaited !== undefined) return inProgress(`waiting for ${awaited}`);
  if (verdict === undefined) {
    return { state: "unverified", exit: ExitCode.inconclusive, why: "it serves, but nothing has verified it" };
  }
  if (isRouteHeld(s.newest)) {
    const why = `the first release waits to be promoted, and no route leads to it; ${verdict.why} (${verdict.at})`;
    return { state: "paused", exit: ExitCode.paused, why };
  }
  return { state: "verified", exit: ExitCode.ok, why: `${verdict.why} (${verdict.at})` };
}

/** An update that stays as it is until somebody acts; undefined for any other. */
function standstillOf(rollout: RolloutVerdict): ReleaseStatus | undefined {
  switch (rollout.kind) {
    case "paused":
      return { state: "paused", exit: ExitCode.paused, why: rollout.why };
    case "inconclusive":
      return { state: "inconclusive", exit: ExitCode.inconclusive, why: rollout.why };
    case "aborted":
      return { state: "aborted", exit: ExitCode.notRestored, why: rollout.why };
    case "stuck":
    case "invalid":
      return { state: "failed", exit: ExitCode.notRestored, why: rollout.why };
    case "inFlight":
    case "promoted":
      return undefined;
  }
}
