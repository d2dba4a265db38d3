/**
 * The parts of Kubernetes objects that this project reads.
 * Fields that the API server may leave out are optional; anything not named here is `unknown`.
 */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** An object to create: `metadata.generateName` may stand for the name. */
export interface NewKubeObject {
  apiVersion: string;
  kind: string;
  metadata: Partial<ObjectMeta>;
  [field: string]: unknown;
}

/**
 * A kind of object, for example `{ apiVersion: "apps/v1", kind: "Deployment" }`.
 * `T` is the object's type; it exists for the compiler only.
 */
export interface Resource<T extends KubeObject = KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly __object?: T;
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: {
    configMapKeyRef?: { name: string; key: string; optional?: boolean };
    secretKeyRef?: { name: string; key: string; optional?: boolean };
  };
}

export interface EnvFromSource {
  prefix?: string;
  configMapRef?: { name: string; optional?: boolean };
  secretRef?: { name: string; optional?: boolean };
}

export interface ResourceRequirements {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

/** Seconds and counts as in the API; what is left out has Kubernetes' default. */
export interface Probe {
  initialDelaySeconds?: number;
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
}

export interface Container {
  name: string;
  image?: string;
  command?: string[];
  args?: string[];
  env?: EnvVar[];
  envFrom?: EnvFromSource[];
  ports?: { name?: string; containerPort: number; protocol?: string }[];
  resources?: ResourceRequirements;
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
}

export interface Volume {
  name: string;
  configMap?: { name: string };
  secret?: { secretName: string };
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  volumes?: Volume[];
  nodeName?: string;
  serviceAccountName?: string;
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
}

export interface PodTemplate {
  metadata?: Partial<ObjectMeta>;
  spec: PodSpec;
}

export interface ContainerStateTerminated {
  exitCode: number;
  signal?: number;
  reason?: string;
  message?: string;
  startedAt?: string;
  finishedAt?: string;
}

export interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: ContainerStateTerminated;
}

export interface ContainerStatus {
  name: string;
  ready: boolean;
  started?: boolean;
  restartCount: number;
  image: string;
  imageID: string;
  state?: ContainerState;
  lastState?: ContainerState;
}

export interface Pod extends KubeObject {
  spec: PodSpec;
  status?: {
    phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
    reason?: string;
    message?: string;
    podIP?: string;
    startTime?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

export interface Deployment extends KubeObject {
  spec: {
    replicas?: number;
    paused?: boolean;
    selector: LabelSelector;
    template: PodTemplate;
    progressDeadlineSeconds?: number;
    revisionHistoryLimit?: number;
    strategy?: { type?: string; rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string } };
  };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    unavailableReplicas?: number;
    conditions?: Condition[];
  };
}

export interface ReplicaSet extends KubeObject {
  spec: { replicas?: number; selector: LabelSelector; template?: PodTemplate };
  status?: {
    replicas: number;
    readyReplicas?: number;
    availableReplicas?: number;
    observedGeneration?: number;
    conditions?: Condition[];
  };
}

export interface Job extends KubeObject {
  spec: {
    backoffLimit?: number;
    activeDeadlineSeconds?: number;
    completions?: number;
    parallelism?: number;
    suspend?: boolean;
    selector?: LabelSelector;
    template: PodTemplate;
  };
  status?: {
    active?: number;
    ready?: number;
    succeeded?: number;
    failed?: number;
    startTime?: string;
    completionTime?: string;
    conditions?: Condition[];
  };
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

/** `data` is base64; `stringData` is write-only. */
export interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  immutable?: boolean;
}

export interface Service extends KubeObject {
  spec: {
    type?: string;
    clusterIP?: string;
    selector?: Record<string, string>;
    ports?: { name?: string; port: number; targetPort?: number | string; nodePort?: number; protocol?: string }[];
  };
}

export interface EndpointSlice extends KubeObject {
  addressType: string;
  /** The API server writes `null` for a Service without pods. */
  endpoints:
    | {
        addresses: string[];
        conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
        nodeName?: string;
        targetRef?: { kind?: string; name?: string; namespace?: string; uid?: string };
      }[]
    | null;
  ports?: { name?: string; port?: number; protocol?: string }[];
}

export interface ResourceQuota extends KubeObject {
  spec?: { hard?: Record<string, string>; scopes?: string[] };
  status?: { hard?: Record<string, string>; used?: Record<string, string> };
}

export interface LimitRange extends KubeObject {
  spec: {
    limits: {
      type: string;
      default?: Record<string, string>;
      defaultRequest?: Record<string, string>;
      min?: Record<string, string>;
      max?: Record<string, string>;
    }[];
  };
}

/** A core/v1 Event. */
export interface Event extends KubeObject {
  involvedObject: {
    apiVersion?: string;
    kind?: string;
    name?: string;
    namespace?: string;
    uid?: string;
    /** Which part of the object it is about, such as `spec.containers{app}`. */
    fieldPath?: string;
  };
  type?: "Normal" | "Warning";
  reason?: string;
  message?: string;
  action?: string;
  count?: number;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  series?: { count?: number; lastObservedTime?: string };
  source?: { component?: string; host?: string };
}

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string | null;
    leaseDurationSeconds?: number;
    acquireTime?: string | null;
    renewTime?: string | null;
    leaseTransitions?: number;
  };
}

export interface Namespace extends KubeObject {
  status?: { phase?: string };
}

export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean; podCIDR?: string };
  status?: {
    allocatable?: Record<string, string>;
    capacity?: Record<string, string>;
    conditions?: Condition[];
    addresses?: { type: string; address: string }[];
  };
}

export interface HorizontalPodAutoscaler extends KubeObject {
  spec: { scaleTargetRef: { kind: string; name: string }; minReplicas?: number; maxReplicas: number };
  status?: { currentReplicas?: number; desiredReplicas?: number };
}

export interface PodDisruptionBudget extends KubeObject {
  spec: { minAvailable?: number | string; maxUnavailable?: number | string; selector?: LabelSelector };
  status?: { disruptionsAllowed?: number; currentHealthy?: number; desiredHealthy?: number };
}

/** A reference to AnalysisTemplates, with what their arguments are given. */
export interface RolloutAnalysis {
  templates?: { templateName?: string; clusterScope?: boolean }[];
  args?: { name: string; value?: string; valueFrom?: unknown }[];
}

/** One step of a canary: exactly one of the fields is set. */
export interface CanaryStep {
  setWeight?: number;
  /** Seconds, or a duration such as `2m`; without one until a person promotes. */
  pause?: { duration?: number | string };
  analysis?: RolloutAnalysis;
  setCanaryScale?: { weight?: number; replicas?: number; matchTrafficWeight?: boolean };
  setHeaderRoute?: { name?: string };
  setMirrorRoute?: { name?: string };
  experiment?: unknown;
  plugin?: { name: string };
}

export interface RolloutAnalysisRunStatus {
  name: string;
  status: AnalysisPhase;
  message?: string;
}

export interface WeightDestination {
  /** In percent, unless the router counts in other units. */
  weight: number;
  serviceName?: string;
  podTemplateHash?: string;
}

/** Argo Rollouts' workload, argoproj.io/v1alpha1. */
export interface Rollout extends KubeObject {
  spec: {
    replicas?: number;
    paused?: boolean;
    selector?: LabelSelector;
    template: PodTemplate;
    progressDeadlineSeconds?: number;
    progressDeadlineAbort?: boolean;
    strategy: {
      canary?: {
        canaryService?: string;
        stableService?: string;
        steps?: CanaryStep[];
        trafficRouting?: Record<string, unknown>;
        analysis?: RolloutAnalysis & { startingStep?: number };
        dynamicStableScale?: boolean;
      };
      blueGreen?: {
        activeService: string;
        previewService?: string;
        previewReplicaCount?: number;
        autoPromotionEnabled?: boolean;
        autoPromotionSeconds?: number;
        scaleDownDelaySeconds?: number;
        prePromotionAnalysis?: RolloutAnalysis;
        postPromotionAnalysis?: RolloutAnalysis;
      };
    };
  };
  status?: {
    phase?: "Healthy" | "Degraded" | "Progressing" | "Paused";
    message?: string;
    /** A number as text. */
    observedGeneration?: string;
    /** Hash of the pod template in `spec`. */
    currentPodHash?: string;
    /** Hash of the pod template that was promoted last; empty until one was. */
    stableRS?: string;
    currentStepIndex?: number;
    abort?: boolean;
    abortedAt?: string | null;
    promoteFull?: boolean;
    pauseConditions?: { reason: string; startTime: string }[];
    controllerPause?: boolean;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    HPAReplicas?: number;
    conditions?: Condition[];
    canary?: {
      weights?: { canary: WeightDestination; stable: WeightDestination; verified?: boolean };
      currentStepAnalysisRunStatus?: RolloutAnalysisRunStatus;
      currentBackgroundAnalysisRunStatus?: RolloutAnalysisRunStatus;
    };
    blueGreen?: {
      activeSelector?: string;
      previewSelector?: string;
      prePromotionAnalysisRunStatus?: RolloutAnalysisRunStatus;
      postPromotionAnalysisRunStatus?: RolloutAnalysisRunStatus;
    };
  };
}

export type AnalysisPhase = "Pending" | "Running" | "Successful" | "Failed" | "Error" | "Inconclusive";

/** What is measured, and what its values must be. Numbers may be given as text, from an argument. */
export interface AnalysisMetric {
  name: string;
  interval?: string;
  initialDelay?: string;
  count?: number | string;
  successCondition?: string;
  failureCondition?: string;
  failureLimit?: number | string;
  inconclusiveLimit?: number | string;
  consecutiveErrorLimit?: number | string;
  provider: {
    prometheus?: { address?: string; query?: string };
    job?: unknown;
    web?: { url?: string };
    [name: string]: unknown;
  };
}

export interface AnalysisMeasurement {
  phase: AnalysisPhase;
  message?: string;
  startedAt?: string;
  finishedAt?: string;
  /** As the provider gave it: `[0.25]` from Prometheus. */
  value?: string;
  /** Of a Job: its `job-name`. */
  metadata?: Record<string, string>;
}

export interface AnalysisMetricResult {
  name: string;
  phase: AnalysisPhase;
  message?: string;
  measurements?: AnalysisMeasurement[];
  count?: number;
  successful?: number;
  failed?: number;
  inconclusive?: number;
  error?: number;
  consecutiveError?: number;
  dryRun?: boolean;
}

export interface AnalysisRun extends KubeObject {
  spec: { metrics: AnalysisMetric[]; args?: { name: string; value?: string }[]; terminate?: boolean };
  status?: {
    phase?: AnalysisPhase;
    message?: string;
    startedAt?: string;
    completedAt?: string;
    metricResults?: AnalysisMetricResult[];
  };
}

export interface AnalysisTemplate extends KubeObject {
  spec: {
    metrics?: AnalysisMetric[];
    args?: { name: string; value?: string }[];
    /** Metrics, by regular expressions, that are measured and decide nothing. */
    dryRun?: { metricName: string }[];
  };
}
