import { type Job, type Kube, type Pod, resources } from "@safe-deploy/kube";
import type { Fault } from "../domain/diagnose.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { readLedger } from "../observe/release-state.ts";

/** As many lines as tell what was asked and what came. */
const logLines = 40;

/**
 * What a Job that aborted a rollout found: its verdict in the ledger, or, of one that gives none, its pod's last words.
 * Undefined when neither is there; the controller's own words are all there is then.
 */
export async function gateFault(kube: Kube, facts: ReleaseFacts, name: string): Promise<Fault | undefined> {
  const subject = `Job/${name}`;
  const job = await kube.get<Job>(resources.Job, name);
  const since = Date.parse(job?.metadata.creationTimestamp ?? "");
  const judged = (await readLedger(kube, facts.release)).find(
    ({ verdict, by, helmRevision, at }) =>
      verdict === "fail" && by === "verify" && helmRevision === facts.revision && !(Date.parse(at) < since),
  );
  if (judged !== undefined) return { kind: "VerificationFailed", subject, message: judged.why };

  const { items } = await kube.list<Pod>(resources.Pod, { labelSelector: `job-name=${name}` });
  const pod = items.at(-1);
  if (pod === undefined) return undefined;
  const container = pod.status?.containerStatuses?.[0];
  const told = container?.state?.terminated?.message?.trim() ?? "";
  const log = {
    pod: pod.metadata.name,
    container: container?.name ?? pod.spec.containers[0]?.name ?? "",
    previous: false,
  };
  if (told !== "") return { kind: "HookFailed", subject, message: told, log };
  const text = await kube.logs(log.pod, { container: log.container, tailLines: logLines }).catch(() => "");
  return text.trim() === "" ? undefined : { kind: "HookFailed", subject, message: text.trim() };
}
