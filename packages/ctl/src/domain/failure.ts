import { type Event, lastSeenMs } from "@safe-deploy/kube";
import type { Fault } from "./diagnose.ts";
import type { WorkloadSnapshot } from "./serving.ts";

/** Why a release is given up, and what the cluster held then. */
export interface Failure {
  fault: Fault;
  workload: WorkloadSnapshot;
  events: string[];
  /** Milliseconds since the epoch. */
  at: number;
}

/**
 * The last events of the object that failed, oldest first.
 *
 * @param subject `Pod/myapp-1`
 * @param since milliseconds since the epoch; what was last seen before says nothing about it.
 */
export function eventsAbout(subject: string, events: readonly Event[], since: number): string[] {
  const lines = events
    .filter(({ involvedObject: { kind, name } }) => `${kind}/${name}` === subject)
    .filter((event) => lastSeenMs(event) >= since)
    .sort((a, b) => lastSeenMs(a) - lastSeenMs(b))
    .map((event) => `${event.reason ?? ""}: ${event.message ?? ""}`.trim());
  return [...new Set(lines)].slice(-6);
}
