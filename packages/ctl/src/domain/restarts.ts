import type { ContainerStatus, Pod } from "@safe-deploy/kube";
import type { Fault } from "./diagnose.ts";
import { newReplicaSet, podsOf, type WorkloadSnapshot } from "./serving.ts";

/** Restarts of each container of the present template's pods, by pod and container. */
export function restartsOf(s: WorkloadSnapshot): Map<string, number> {
  return new Map(containersOf(s).map(({ key, status }) => [key, status.restartCount]));
}

/** A container that has ended since then. One of a pod that was not there then counts from its start. */
export function restartedSince(before: ReadonlyMap<string, number>, s: WorkloadSnapshot): Fault | undefined {
  const found = containersOf(s).find(({ key, status }) => status.restartCount > (before.get(key) ?? 0));
  if (found === undefined) return undefined;
  const { pod, status } = found;
  const ended = status.lastState?.terminated;
  const how = ended === undefined ? "ended" : `exited with code ${ended.exitCode} (${ended.reason ?? "no reason"})`;
  return {
    kind: ended?.reason === "OOMKilled" ? "OutOfMemory" : "CrashLoop",
    subject: `Pod/${pod.metadata.name}`,
    message: `container ${status.name} ${how} while it took requests`,
    log: { pod: pod.metadata.name, container: status.name, previous: true },
  };
}

function containersOf(s: WorkloadSnapshot): { key: string; pod: Pod; status: ContainerStatus }[] {
  return podsOf(newReplicaSet(s), s.pods).flatMap((pod) =>
    (pod.status?.containerStatuses ?? []).map((status) => ({
      key: `${pod.metadata.name}/${status.name}`,
      pod,
      status,
    })),
  );
}
