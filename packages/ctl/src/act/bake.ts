import type { Context } from "../context.ts";
import { diagnose } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { restartedSince, restartsOf } from "../domain/restarts.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { podsInOrder } from "../observe/release-state.ts";
import { podLine } from "../ui/pod-line.ts";
import type { Failure } from "../domain/failure.ts";

/**
 * Watches a verified release for a while. What was borne while it came up, such as one restart, is a fault now: it takes
 * requests.
 *
 * @returns why it is to be taken back, if so.
 */
export async function bake(
  context: Context,
  facts: ReleaseFacts,
  o: { seconds: number; signal: AbortSignal },
): Promise<Failure | undefined> {
  context.timeline.add({ kind: "verify", what: `watching it for ${o.seconds} s more` });
  const deadline = Date.now() + o.seconds * 1000;
  let before: ReadonlyMap<string, number> | undefined;
  for await (const seen of followWorkload(context.kube, facts, { deadline, signal: o.signal })) {
    context.progress.pods(podsInOrder(seen.workload).map(podLine));
    context.progress.waiting("its time under watch to pass");
    before ??= restartsOf(seen.workload);
    const diagnosis = diagnose(seen.workload, seen.events, seen.now);
    const fault = diagnosis.fault ?? restartedSince(before, seen.workload);
    if (fault !== undefined) return { fault, workload: seen.workload, events: [], at: Date.now() };
    if (diagnosis.fault === undefined && diagnosis.lookAgainAt !== undefined) seen.wakeAt(diagnosis.lookAgainAt);
  }
  o.signal.throwIfAborted();
  return undefined;
}
