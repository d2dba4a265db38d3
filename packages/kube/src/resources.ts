import type {
  AnalysisRun,
  AnalysisTemplate,
  ConfigMap,
  Deployment,
  EndpointSlice,
  Event,
  HorizontalPodAutoscaler,
  Job,
  KubeObject,
  Lease,
  LimitRange,
  Namespace,
  Node,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  Resource,
  ResourceQuota,
  Rollout,
  Secret,
  Service,
} from "./objects.ts";

/** The kinds whose objects this package has a type for; `kube.get(resources.Pod, name)` gives a `Pod`. */
export const resources = {
  ConfigMap: kind<ConfigMap>("v1", "ConfigMap"),
  Event: kind<Event>("v1", "Event"),
  LimitRange: kind<LimitRange>("v1", "LimitRange"),
  Namespace: kind<Namespace>("v1", "Namespace"),
  Node: kind<Node>("v1", "Node"),
  Pod: kind<Pod>("v1", "Pod"),
  ResourceQuota: kind<ResourceQuota>("v1", "ResourceQuota"),
  Secret: kind<Secret>("v1", "Secret"),
  Service: kind<Service>("v1", "Service"),
  Deployment: kind<Deployment>("apps/v1", "Deployment"),
  ReplicaSet: kind<ReplicaSet>("apps/v1", "ReplicaSet"),
  AnalysisRun: kind<AnalysisRun>("argoproj.io/v1alpha1", "AnalysisRun"),
  AnalysisTemplate: kind<AnalysisTemplate>("argoproj.io/v1alpha1", "AnalysisTemplate"),
  Rollout: kind<Rollout>("argoproj.io/v1alpha1", "Rollout"),
  HorizontalPodAutoscaler: kind<HorizontalPodAutoscaler>("autoscaling/v2", "HorizontalPodAutoscaler"),
  Job: kind<Job>("batch/v1", "Job"),
  Lease: kind<Lease>("coordination.k8s.io/v1", "Lease"),
  EndpointSlice: kind<EndpointSlice>("discovery.k8s.io/v1", "EndpointSlice"),
  PodDisruptionBudget: kind<PodDisruptionBudget>("policy/v1", "PodDisruptionBudget"),
} as const;

function kind<T extends KubeObject>(apiVersion: string, kind: string): Resource<T> {
  return { apiVersion, kind };
}

/** How the API names a kind in its paths. */
export interface ResourceName {
  plural: string;
  namespaced: boolean;
}

/** Built-in kinds need no discovery request. `!` marks the ones that live outside namespaces. */
const builtIn: Record<string, string> = {
  v1: "ConfigMap Endpoints Event LimitRange Namespace! Node! PersistentVolume! PersistentVolumeClaim Pod ReplicationController ResourceQuota Secret Service ServiceAccount",
  "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
  "authorization.k8s.io/v1": "SelfSubjectAccessReview!",
  "autoscaling/v2": "HorizontalPodAutoscaler",
  "batch/v1": "CronJob Job",
  "coordination.k8s.io/v1": "Lease",
  "discovery.k8s.io/v1": "EndpointSlice",
  "networking.k8s.io/v1": "Ingress IngressClass! NetworkPolicy",
  "policy/v1": "PodDisruptionBudget",
  "rbac.authorization.k8s.io/v1": "ClusterRole! ClusterRoleBinding! Role RoleBinding",
  "apiextensions.k8s.io/v1": "CustomResourceDefinition!",
  "apiregistration.k8s.io/v1": "APIService!",
  "scheduling.k8s.io/v1": "PriorityClass!",
  "storage.k8s.io/v1": "StorageClass!",
};

/** The name of a built-in kind, or undefined when the server has to be asked. */
export function builtInName(resource: Resource): ResourceName | undefined {
  for (const entry of builtIn[resource.apiVersion]?.split(" ") ?? []) {
    const namespaced = !entry.endsWith("!");
    const kind = namespaced ? entry : entry.slice(0, -1);
    if (kind === resource.kind) return { plural: pluralOf(kind), namespaced };
  }
  return undefined;
}

function pluralOf(kind: string): string {
  const word = kind.toLowerCase();
  if (word === "endpoints") return word;
  if (/(?:s|x|ch|sh)$/.test(word)) return `${word}es`;
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return `${word}s`;
}

/** The path under which an API version is served: `/api/v1`, `/apis/apps/v1`. */
export function apiRoot(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** The part of an API version before its slash; "" for the core group. */
export function apiGroup(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}
