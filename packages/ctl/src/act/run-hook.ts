import { setTimeout as delay } from "node:timers/promises";
import { type Job, type Kube, KubeError, type KubeObject, resources } from "@safe-deploy/kube";
import { load as parseYaml } from "js-yaml";
import { diagnoseJob } from "../domain/diagnose.ts";
import { factsFile, type ReleaseFacts } from "../domain/facts.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { followHooks, hookLabel } from "../observe/follow-workload.ts";
import { CtlError } from "../errors.ts";

export type HookName = "verify" | "smoke" | "migrate";

export interface HookRun {
  succeeded: boolean;
  /** In plain words, when it did not succeed. */
  why: string;
  /** The end of its log. */
  log: string;
}

export interface HookRunOptions {
  signal: AbortSignal;
  /** Milliseconds since the epoch. */
  deadline: number;
  say: (line: string) => void;
  /** Replaces the facts that the revision was rendered with. */
  facts?: ReleaseFacts;
  /** Replaces the arguments of the Job's container. */
  args?: string[];
}

/**
 * Runs one of the chart's hooks as Helm would, but alone: deletes what the last run left, makes the hook's own copies of
 * config, account and rights, then its Job, and waits for that to end.
 *
 * @throws CtlError CTL_E_NO_VERIFY when the revision has no such hook; CTL_E_DEADLINE.
 */
export async function runHook(kube: Kube, release: HelmRelease, hook: HookName, o: HookRunOptions): Promise<HookRun> {
  const objects = hookObjects(release);
  const job = objects.find((object) => object.kind === "Job" && object.metadata.labels?.[hookLabel] === hook);
  if (job === undefined) {
    throw new CtlError("CTL_E_NO_VERIFY", `revision ${release.version} of "${release.name}" has no ${hook} hook`, {
      next: hook === "migrate" ? "set migrations.enabled: true" : "set verify.enabled: true",
    });
  }
  if (o.args !== undefined) setArguments(job, o.args);
  await remakeJobless(kube, objects, o.facts);
  const made = await remake(kube, job, release.namespace);
  return await untilEnded(kube, release, made as Job, o);
}

/** Ends hooks that are still running, so that none of them judges what comes after. */
export async function stopHooks(kube: Kube, release: string): Promise<void> {
  const { items } = await kube.list<KubeObject>(resources.Job, {
    labelSelector: `${hookLabel},app.kubernetes.io/instance=${release}`,
  });
  await Promise.all(items.map((job) => kube.delete(resources.Job, job.metadata.name, { propagation: "Background" })));
}

/** Without the routes, which are hooks only because Helm must create them once and never touch them again. */
function hookObjects(release: HelmRelease): KubeObject[] {
  return [...(release.hooks ?? [])]
    .sort((a, b) => (a.weight ?? 0) - (b.weight ?? 0))
    .map((hook) => parseYaml(hook.manifest) as KubeObject)
    .filter((object) => object.metadata.labels?.[hookLabel] !== undefined);
}

/** None of them needs another one to exist, but a binding its Role: who has not every right may bind only what he has. */
async function remakeJobless(kube: Kube, objects: KubeObject[], facts: ReleaseFacts | undefined): Promise<void> {
  const make = async (object: KubeObject) => {
    const data = object["data"] as Record<string, string> | undefined;
    if (facts !== undefined && data?.[factsFile] !== undefined) data[factsFile] = JSON.stringify(facts);
    await remake(kube, object, object.metadata.namespace);
  };
  const isBinding = ({ kind }: KubeObject) => kind === "RoleBinding";
  await Promise.all(objects.filter((object) => object.kind !== "Job" && !isBinding(object)).map(make));
  await Promise.all(objects.filter(isBinding).map(make));
}

/** The API server's authorizer learns of a Role that was just written within this time, in milliseconds. */
const roleLagMs = 3_000;

function isMissingRole(error: unknown, kind: string): boolean {
  return kind === "RoleBinding" && error instanceof KubeError && error.status === 404;
}

/** Deletes the object of that name, if there is one, and creates it anew. */
async function remake(kube: Kube, object: KubeObject, namespace: string | undefined): Promise<KubeObject> {
  const { apiVersion, kind } = object;
  await kube.delete({ apiVersion, kind }, object.metadata.name, {
    propagation: "Background",
    ...(namespace === undefined ? {} : { namespace }),
  });
  const roleIsKnownBy = Date.now() + roleLagMs;
  for (;;) {
    try {
      return await kube.create(object);
    } catch (error) {
      if (isMissingRole(error, kind) && Date.now() < roleIsKnownBy) {
        await delay(50);
        continue;
      }
      // Its predecessor is still being deleted: the next delete call returns when that has gone on.
      if (!(error instanceof KubeError) || error.status !== 409) throw error;
      await kube.delete({ apiVersion, kind }, object.metadata.name, { propagation: "Background" });
    }
  }
}

function setArguments(job: KubeObject, args: string[]): void {
  const spec = job["spec"] as { template: { spec: { containers: { args?: string[] }[] } } };
  for (const container of spec.template.spec.containers) container.args = args;
}

async function untilEnded(kube: Kube, release: HelmRelease, job: Job, o: HookRunOptions): Promise<HookRun> {
  const { name, uid } = job.metadata;
  let said = "";
  for await (const seen of followHooks(kube, release.name, o)) {
    const own = seen.jobs.find((candidate) => candidate.metadata.uid === uid);
    if (own === undefined) {
      if (said !== "") return { succeeded: false, why: `Job ${name} was deleted while it ran`, log: "" };
      continue;
    }
    const pods = seen.pods.filter((pod) => pod.metadata.ownerReferences?.some((owner) => owner.uid === uid));
    const line = `hook ${name}: ${pods.at(-1)?.status?.phase ?? "starting"}`;
    if (line !== said) o.say(line);
    said = line;
    // The Job's own condition follows its pod's end by a second or two.
    if (pods.at(-1)?.status?.phase === "Succeeded") {
      return { succeeded: true, why: "", log: await tail(kube, pods.at(-1)?.metadata.name) };
    }
    const diagnosis = diagnoseJob(own, pods, seen.events, seen.now);
    if (diagnosis.fault !== undefined) {
      const { fault } = diagnosis;
      return {
        succeeded: false,
        why: `${fault.subject}: ${fault.message}`,
        log: await tail(kube, pods.at(-1)?.metadata.name),
      };
    }
    if (diagnosis.lookAgainAt !== undefined) seen.wakeAt(diagnosis.lookAgainAt);
  }
  throw new CtlError("CTL_E_DEADLINE", `the deadline passed while Job ${name} was still running (${said})`, {
    next: `kubectl logs -n ${release.namespace} job/${name}`,
  });
}

async function tail(kube: Kube, pod: string | undefined): Promise<string> {
  if (pod === undefined) return "";
  return await kube.logs(pod, { tailLines: 40 }).catch((error: Error) => `(its log cannot be read: ${error.message})`);
}
