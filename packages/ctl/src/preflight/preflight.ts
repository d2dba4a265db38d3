import {
  type Deployment,
  type Kube,
  KubeError,
  type KubeObject,
  resources,
  type Rollout,
  formatQuantity,
  type Quantity,
} from "@safe-deploy/kube";
import { parseChecks } from "@safe-deploy/smoke";
import { type Managed, replicasManagers, replicasOwner, replicasToOwn } from "../domain/replicas.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { workloadOf, type WorkloadSnapshot } from "../domain/serving.ts";
import { lostAutoscaler } from "../observe/autoscaler.ts";
import { hookLabel } from "../observe/follow-workload.ts";
import { resolveImage } from "../observe/registry.ts";
import { readVerdictRecord } from "../observe/verdict-record.ts";
import { verdictFinding } from "./verdict.ts";
import { verdictServiceFinding } from "./verdict-service.ts";
import { type Finding, ok, refused, unknown } from "./finding.ts";
import { modeFinding } from "./mode.ts";
import { type Quota, quotaProblems, rolloutShape, type Strategy, usageOf } from "./quota.ts";

export interface PreflightInput {
  kube: Kube;
  /** Everything the chart renders, hooks included. */
  objects: KubeObject[];
  facts: ReleaseFacts;
  checks: string;
  workload: WorkloadSnapshot;
  /** Helm's newest revision before the deploy. */
  newest: HelmRelease | undefined;
  /** Whether the namespace is there, or else whether it is to be made. */
  namespace: { exists: boolean; create: boolean };
}

type PodSpec = Parameters<typeof usageOf>[0] & {
  containers: { name: string; image: string }[];
  initContainers?: { image: string }[];
};

/** Looks for what would make the deploy fail, without changing anything. */
export async function preflight(input: PreflightInput): Promise<Finding[]> {
  const { kube } = input;
  const rights = await checkRights(kube, input.facts.workload.kind);
  if (rights.some(({ status }) => status === "refused")) return rights;
  const mode = modeFinding(
    input.facts.workload.kind,
    input.workload,
    `--release ${input.facts.release} -n ${kube.namespace}`,
  );
  const replicas = replicasFinding(input);
  const checks = [checkChecks(input.checks), checkImages(input.objects), checkVerdict(input)];
  if (input.namespace.exists) checks.push(checkObjects(input), checkQuota(input));
  return [
    ...rights,
    namespaceFinding(kube.namespace, input.namespace),
    mode,
    ...replicas,
    ...(await Promise.all(checks)).flat(),
  ];
}

/** What every deploy does, beside creating the chart's own objects, which the server's dry run tries. */
const neededRights: readonly Right[] = [
  ["list", "", "secrets"],
  ["create", "", "secrets"],
  ["update", "", "secrets"],
  ["list", "", "configmaps"],
  ["create", "", "configmaps"],
  ["list", "", "pods"],
  ["watch", "", "pods"],
  ["watch", "", "events"],
  ["watch", "apps", "deployments"],
  ["watch", "apps", "replicasets"],
  ["watch", "discovery.k8s.io", "endpointslices"],
  ["create", "batch", "jobs"],
  ["delete", "batch", "jobs"],
  ["watch", "batch", "jobs"],
  ["create", "coordination.k8s.io", "leases"],
  ["update", "coordination.k8s.io", "leases"],
];

/** What following a Rollout and taking it back needs beside them. */
const rolloutRights: readonly Right[] = [
  ["watch", "argoproj.io", "rollouts"],
  ["watch", "argoproj.io", "analysisruns"],
  ["patch", "argoproj.io", "rollouts"],
  ["patch", "argoproj.io", "rollouts", "status"],
];

/** Verb, API group, resource, and where it is about a part of it the subresource. */
type Right = readonly [string, string, string, string?];

async function checkRights(kube: Kube, kind: ReleaseFacts["workload"]["kind"]): Promise<Finding[]> {
  const needed = kind === "Rollout" ? [...neededRights, ...rolloutRights] : neededRights;
  const answers = await Promise.all(
    needed.map(async ([verb, group, resource, subresource]) => ({
      verb,
      resource: `${resource}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`,
      allowed: await kube.can(verb, { group, resource, subresource, namespace: kube.namespace }),
    })),
  );
  const missing = answers.filter(({ allowed }) => !allowed).map(({ verb, resource }) => `${verb} ${resource}`);
  if (missing.length === 0) return [ok("rights", `all ${needed.length} rights in namespace ${kube.namespace}`)];
  return [
    refused(
      "rights",
      `this account may not: ${missing.join(", ")} (namespace ${kube.namespace})`,
      "bind a Role with these rights to the account; docs/rights.yaml has the whole of it",
    ),
  ];
}

/** Whether the namespace of the connection is there. */
export async function namespaceExists(kube: Kube): Promise<boolean> {
  try {
    return (await kube.get({ apiVersion: "v1", kind: "Namespace" }, kube.namespace)) !== undefined;
  } catch (error) {
    // An account with rights in one namespace only may not read Namespace objects; its other rights show that it exists.
    if (error instanceof KubeError && error.status === 403) return true;
    throw error;
  }
}

function namespaceFinding(name: string, { exists, create }: PreflightInput["namespace"]): Finding {
  if (exists) return ok("namespace", name);
  if (create) return ok("namespace", `${name} will be created`);
  return refused(
    "namespace",
    `namespace ${name} does not exist`,
    `kubectl create namespace ${name}, or add --create-namespace`,
  );
}

async function checkVerdict({ kube, objects, facts }: PreflightInput): Promise<Finding[]> {
  const findings = await Promise.all([
    verdictServiceFinding(kube, objects),
    verdictFinding(objects, async () => await readVerdictRecord(kube, facts.workload.name)),
  ]);
  return findings.filter((finding) => finding !== undefined);
}

async function checkChecks(text: string): Promise<Finding[]> {
  try {
    const spec = parseChecks(text);
    return [ok("declared checks", spec.checks.map(({ name }) => name).join(", "))];
  } catch (error) {
    return [refused("declared checks", (error as Error).message, "correct the value `checks`")];
  }
}

async function checkImages(objects: KubeObject[]): Promise<Finding[]> {
  const images = new Set(objects.flatMap((object) => podSpecs(object)).flatMap(imagesOf));
  return await Promise.all(
    [...images].map(async (image) => {
      const resolution = await resolveImage(image);
      switch (resolution.state) {
        case "found":
          return ok("image", image);
        case "missing":
          return refused("image", resolution.why, "push the image, or correct image.repository and image.tag");
        case "unknown":
          return unknown(
            "image",
            `${image}: ${resolution.why}`,
            "CTL_REGISTRY_MIRRORS says where a registry is reached from here",
          );
      }
    }),
  );
}

/** Says it to those who would rather run Helm themselves. */
function replicasFinding({ objects, facts, workload }: PreflightInput): Finding[] {
  const live: ((Deployment | Rollout) & Managed) | undefined = workloadOf(workload);
  const applied = objects.find(
    ({ kind, metadata }) => kind === facts.workload.kind && metadata.name === facts.workload.name,
  );
  if (live === undefined || applied === undefined) return [];
  const kept = replicasToOwn({
    ...{ owner: replicasOwner, live: live.spec.replicas, managers: replicasManagers(live), losesAutoscaler: false },
    rendered: (applied["spec"] as { replicas?: number }).replicas,
  });
  if (kept === undefined || kept <= 1) return [];
  const what = `ctl keeps ${kept} pods until the autoscaler counts them; a plain helm upgrade would leave 1`;
  return [ok("replicas", what)];
}

/** Asks the API server to take each object, without keeping it: schema, admission, field owners, missing kinds. */
async function checkObjects(input: PreflightInput): Promise<Finding[]> {
  const { kube, newest } = input;
  // Only where Helm itself applies on the server can it meet an owner of a field; else the fields are merged.
  const detectsConflicts = newest === undefined || newest["apply_method"] === "ssa";
  const counted = (await lostAutoscaler(kube, input.facts, input.objects)) !== undefined;
  const own = input.objects
    .filter((object) => !isHook(object))
    // The number that the autoscaler has set is taken over before Helm applies the chart's.
    .map((object) => (counted && object.kind === input.facts.workload.kind ? withoutCount(object) : object));
  const tried = await Promise.all(
    own.map(async (object): Promise<Finding[]> => {
      const name = `${object.kind}/${object.metadata.name}`;
      try {
        await kube.apply(object, { dryRun: true, fieldManager: "helm", force: !detectsConflicts });
        return [];
      } catch (error) {
        return [explain(name, error)];
      }
    }),
  );
  const problems = [...tried.flat(), ...(await checkPod(input))];
  return problems.length > 0 ? problems : [ok("objects", `the API server accepts all ${own.length}`)];
}

function withoutCount(object: KubeObject): KubeObject {
  const { replicas: _replicas, ...spec } = object["spec"] as { replicas?: number };
  return { ...object, spec };
}

/** A Deployment is accepted whatever its pods look like; so one of them is tried itself. */
async function checkPod({ kube, objects, facts }: PreflightInput): Promise<Finding[]> {
  const workload = objects.find(
    (object) => object.kind === facts.workload.kind && object.metadata.name === facts.workload.name,
  );
  const template = (workload?.["spec"] as { template?: { metadata?: object; spec?: object } } | undefined)?.template;
  if (template?.spec === undefined) return [];
  // The account may not exist yet; it changes nothing in what admission says of the pod.
  const spec = { ...template.spec, serviceAccountName: undefined };
  const name = `${facts.workload.name}-preflight`;
  try {
    await kube.create(
      { ...resources.Pod, metadata: { ...template.metadata, name, namespace: kube.namespace }, spec },
      { dryRun: true },
    );
    return [];
  } catch (error) {
    // Whether a quota bears the rollout as a whole is worked out apart.
    if (error instanceof KubeError && /exceeded quota/.test(error.message)) return [];
    return [explain("a pod of the new template", error)];
  }
}

function explain(name: string, error: unknown): Finding {
  if (!(error instanceof KubeError)) throw error;
  if (error.status === 409) {
    return refused(
      "field owners",
      `${name}: ${error.message}`,
      "somebody else set these fields (kubectl edit, a controller): take the change into the values, or undo it there",
    );
  }
  if (error.status === 404) {
    return refused(
      "kinds",
      `${name}: ${error.message}`,
      "install what defines this kind, or switch it off in the values",
    );
  }
  return refused("objects", `${name}: ${error.message}`, error.hint ?? "correct the values");
}

async function checkQuota({ kube, objects, facts, workload }: PreflightInput): Promise<Finding[]> {
  type QuotaObject = KubeObject & { status?: { hard?: Record<string, string>; used?: Record<string, string> } };
  let items: QuotaObject[];
  try {
    ({ items } = await kube.list<QuotaObject>({ apiVersion: "v1", kind: "ResourceQuota" }));
  } catch (error) {
    if (error instanceof KubeError && error.status === 403) {
      return [
        unknown(
          "quota",
          "this account may not list resourcequotas",
          "grant it, to find a full quota before the deploy",
        ),
      ];
    }
    throw error;
  }
  const quotas: Quota[] = items.map((item) => ({
    name: item.metadata.name,
    hard: item.status?.hard ?? {},
    used: item.status?.used ?? {},
  }));
  if (quotas.length === 0) return [ok("quota", "none set")];

  const rendered = objects.find(
    (object) => object.kind === facts.workload.kind && object.metadata.name === facts.workload.name,
  );
  const spec = rendered?.["spec"] as {
    replicas?: number;
    strategy?: Strategy;
    template: { spec: PodSpec };
  };
  const hook = objects.find((object) => object.metadata.labels?.[hookLabel] === "verify" && object.kind === "Job");
  const replicas = spec.replicas ?? workloadOf(workload)?.spec.replicas ?? 1;
  const problems = quotaProblems(
    quotas,
    {
      old: workload.pods.map((pod) => usageOf(pod.spec)),
      fresh: usageOf(spec.template.spec),
      hook: hook === undefined ? {} : usageOf(podSpecs(hook)[0] as PodSpec),
    },
    rolloutShape(spec.strategy, replicas),
  );
  if (problems.length === 0) return [ok("quota", quotas.map(({ name }) => name).join(", "))];
  return problems.map(({ quota, resource, needed, available }) =>
    refused(
      "quota",
      `ResourceQuota ${quota}: the rollout needs ${readable(resource, needed)} of ${resource}, and ${readable(resource, available)} is left`,
      "lower resources or replicaCount, or raise the quota",
    ),
  );
}

function readable(resource: string, amount: Quantity): string {
  return formatQuantity(amount > 0n ? amount : 0n, /memory|storage/.test(resource) ? "binary" : "decimal");
}

export function isHook(object: KubeObject): boolean {
  return object.metadata.annotations?.["helm.sh/hook"] !== undefined;
}

function podSpecs(object: KubeObject): PodSpec[] {
  if (object.kind === "Pod") return [object["spec"] as PodSpec];
  const spec = object["spec"] as { template?: { spec?: PodSpec } } | undefined;
  return spec?.template?.spec?.containers === undefined ? [] : [spec.template.spec];
}

function imagesOf(spec: PodSpec): string[] {
  return [...spec.containers, ...(spec.initContainers ?? [])].map(({ image }) => image);
}
