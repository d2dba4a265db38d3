import type { GlobalOptions } from "../command-line.ts";
import { releaseStatus } from "../domain/release-status.ts";
import { rolloutState } from "../domain/rollout.ts";
import { type RolloutVerdict, rolloutVerdict } from "../domain/rollout-verdict.ts";
import { CtlError } from "../errors.ts";
import { type FollowedWorkload, followWorkload } from "../observe/follow-workload.ts";
import { liveContent, observeRelease, readHelmReleases, readLedger, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { connect, timeoutSeconds } from "../run-command.ts";
import { describe, isHeld } from "./status.ts";

/** A verdict and a Lease change without the workload changing, so they are looked at again this often. */
const lookAgainMs = 500;

/** Waits until whatever is under way on the release has ended; the exit code says how. */
export async function runWait(options: GlobalOptions, signal: AbortSignal): Promise<Outcome> {
  const deadline = Date.now() + timeoutSeconds(options) * 1000;
  const { kube, release, address } = await connect(options, signal);
  const { facts } = requireRelease(await observeRelease(kube, release));
  let said = "";
  for await (const seen of followWorkload(kube, facts, { signal, deadline, withAnalyses: true })) {
    const [ledger, helm, held] = await Promise.all([
      readLedger(kube, release),
      readHelmReleases(kube, release),
      isHeld(kube, release),
    ]);
    const newest = helm[0];
    if (newest === undefined) throw new CtlError("CTL_E_NO_RELEASE", `release "${release}" was removed meanwhile`);
    const live = liveContent(seen.workload, facts.container, ledger);
    const rollout = verdictOn(seen);
    const status = releaseStatus({
      newest,
      verdict: live?.entry,
      workload: seen.workload,
      rollout,
      operationRuns: held,
    });
    if (status.state !== "inProgress") return describe(await observeRelease(kube, release), held, address, seen.now);
    if (status.why !== said) process.stderr.write(`${status.why}\n`);
    said = status.why;
    seen.wakeAt(seen.now + lookAgainMs);
  }
  signal.throwIfAborted();
  throw new CtlError("CTL_E_DEADLINE", `the deadline of ${options.timeout} passed; ${said}`, {
    next: `ctl wait ${address} --timeout ${options.timeout}`,
  });
}

function verdictOn({ workload, analysisRuns, now }: FollowedWorkload): RolloutVerdict | undefined {
  const { rollout } = workload;
  return rollout === undefined ? undefined : rolloutVerdict(rolloutState({ ...workload, rollout, analysisRuns }), now);
}
