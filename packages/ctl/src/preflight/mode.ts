import type { ReleaseFacts } from "../domain/facts.ts";
import type { WorkloadSnapshot } from "../domain/serving.ts";
import { type Finding, ok, refused } from "./finding.ts";

/**
 * A deploy never changes the mode: Helm would delete the kind that serves before the other one does. What is rendered
 * here knows nothing of the cluster, so the chart's own guard would speak only when Helm is at work already.
 */
export function modeFinding(
  wanted: ReleaseFacts["workload"]["kind"],
  live: Pick<WorkloadSnapshot, "deployment" | "rollout">,
  address: string,
): Finding {
  const mode = (kind: ReleaseFacts["workload"]["kind"]) => (kind === "Rollout" ? "rollout" : "deployment");
  if (live.deployment !== undefined && live.rollout !== undefined) {
    return refused(
      "mode",
      "a change of mode is not finished: a Deployment and a Rollout both serve this release",
      `ctl mode ${mode(wanted)} ${address}, then deploy`,
    );
  }
  const other = wanted === "Rollout" ? live.deployment : live.rollout;
  if (other === undefined) return ok("mode", mode(wanted));
  return refused(
    "mode",
    `the values say mode: ${mode(wanted)}, but a ${wanted === "Rollout" ? "Deployment" : "Rollout"} serves this release`,
    `ctl mode ${mode(wanted)} ${address}, then deploy`,
  );
}
