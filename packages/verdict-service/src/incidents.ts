import type { ContainerStatus, Pod } from "@safe-deploy/kube";
import type { HardEvidence } from "@safe-deploy/verdict";

export interface Incident {
  kind: HardEvidence;
  pod: string;
  message: string;
}

/** How often each container, as `pod/container`, had ended when it was last looked at. */
export type Endings = Record<string, number>;

/**
 * What happened to the canary's containers since the last look; `endings` is brought up to date.
 *
 * @param since when the attempt began, in milliseconds: what a pod went through before is not this attempt's.
 */
export function incidentsOf(pods: readonly Pod[], endings: Endings, since: number): Incident[] {
  const incidents: Incident[] = [];
  for (const pod of pods) {
    // A pod that is told to stop ends its containers.
    if (pod.metadata.deletionTimestamp !== undefined || pod.status?.phase === "Failed") continue;
    const isOlder = Date.parse(pod.metadata.creationTimestamp ?? "") < since;
    for (const status of pod.status?.containerStatuses ?? []) {
      const key = `${pod.metadata.name}/${status.name}`;
      const ended = timesEnded(status);
      const before = endings[key] ?? (isOlder ? ended : 0);
      endings[key] = ended;
      if (ended > before) incidents.push(incidentOf(pod.metadata.name, status));
    }
  }
  return incidents;
}

function timesEnded({ restartCount, state }: ContainerStatus): number {
  return restartCount + (state?.terminated === undefined ? 0 : 1);
}

function incidentOf(pod: string, { name, state, lastState }: ContainerStatus): Incident {
  const end = state?.terminated ?? lastState?.terminated;
  if (end === undefined) return { kind: "restart", pod, message: `container ${name} was started again` };
  const how = [`container ${name} ended with exit code ${end.exitCode}`, end.reason, end.message?.trim().split("\n")[0]]
    .filter((part) => part !== undefined && part !== "" && part !== "Error")
    .join(", ");
  if (end.reason === "OOMKilled") return { kind: "outOfMemory", pod, message: how };
  return { kind: end.exitCode === 0 ? "restart" : "crash", pod, message: how };
}
