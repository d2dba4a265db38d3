import type { KubeObject, Resource } from "@safe-deploy/kube";
import type { ProgramName } from "../images/binary-image.ts";
import type { SystemImageName } from "../images/system-image.ts";
import type { ManifestSource } from "./manifests.ts";

export type Addon = {
  title: string;
  /** Where its objects are that name no namespace. */
  namespace: string;
  /** The Deployment that must be ready, and what its container runs. An add-on of definitions alone has none. */
  deployment?: string;
  image?: { program: ProgramName } | { system: SystemImageName };
  /** An object of the manifests from which the Deployment's program makes a StatefulSet, which must be ready too. */
  operated?: { resource: Resource<Operated>; name: string; statefulSet: string };
  /** Other programs that it runs; its manifests and arguments name their images as `image://PROGRAM`. */
  alsoRuns?: readonly ProgramName[];
  manifests: readonly ManifestSource[];
  /** What differs from upstream's manifests. */
  changes?: Changes;
  /** An aggregated API that has to answer too. */
  apiService?: string;
  /** How a cluster that the lab did not make shows that it has the add-on, and the command that installs it there. */
  external?: { sign: Sign; install: string };
};

/** An object whose status says up to which generation its operator has made of it what it makes. */
export type Operated = KubeObject & {
  status?: { conditions?: { type: string; status: string; observedGeneration?: number }[] };
};

/** Changes to the Deployment that upstream ships. */
export type Changes = {
  /** Labels that upstream's kustomization would add to everything, selectors included. */
  commonLabels?: Record<string, string>;
  podAnnotations?: Record<string, string>;
  /** Added to what upstream passes; an argument that sets the same flag is replaced. */
  args?: readonly string[];
  readinessProbe?: Record<string, unknown>;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
};

/** Something that an installed add-on always brings. */
export type Sign =
  | { kind: "custom resource"; name: string }
  | { kind: "API service"; name: string }
  | { kind: "service"; namespace: string; name: string }
  | { kind: "pods"; labelSelector: string };

const rollouts = "github.com/argoproj/argo-rollouts";
const operator = "github.com/prometheus-operator/prometheus-operator";
const traefik = "github.com/traefik/traefik/v3";
const traefikReference = "docs/content/reference/dynamic-configuration";

/** In the order in which their binaries are compiled. */
export const addons = {
  coredns: {
    title: "CoreDNS",
    namespace: "kube-system",
    deployment: "coredns",
    image: { program: "coredns" },
    manifests: [{ own: "coredns.yaml" }],
    external: {
      sign: { kind: "service", namespace: "kube-system", name: "kube-dns" },
      install:
        "helm upgrade --install coredns coredns --repo https://coredns.github.io/helm -n kube-system --set service.name=kube-dns",
    },
  },
  postgres: {
    title: "PostgreSQL",
    namespace: "postgres",
    deployment: "postgres",
    image: { system: "postgres" },
    manifests: [{ own: "postgres.yaml" }],
  },
  prometheus: {
    title: "Prometheus",
    namespace: "monitoring",
    deployment: "prometheus-operator",
    image: { program: "prometheus-operator" },
    operated: {
      resource: { apiVersion: "monitoring.coreos.com/v1", kind: "Prometheus" },
      name: "lab",
      statefulSet: "prometheus-lab",
    },
    alsoRuns: ["prometheus", "prometheus-config-reloader"],
    manifests: [
      {
        module: operator,
        of: "prometheus-operator",
        files: ["prometheuses", "servicemonitors", "podmonitors", "probes", "prometheusrules"].map(
          (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
        ),
      },
      {
        module: operator,
        of: "prometheus-operator",
        files: ["cluster-role-binding", "cluster-role", "deployment", "service-account", "service"].map(
          (name) => `example/rbac/prometheus-operator/prometheus-operator-${name}.yaml`,
        ),
      },
      {
        module: operator,
        of: "prometheus-operator",
        files: ["cluster-role-binding", "cluster-role", "service-account"].map(
          (name) => `example/rbac/prometheus/prometheus-${name}.yaml`,
        ),
      },
      { own: "prometheus.yaml" },
    ],
    changes: {
      args: [
        "--prometheus-config-reloader=image://prometheus-config-reloader",
        "--config-reloader-cpu-request=5m",
        "--config-reloader-memory-request=16Mi",
        // Prometheus finds the kubelet by its node.
        "--kubelet-service=",
        "--log-level=warn",
      ],
      readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
      resources: { requests: { cpu: "20m", memory: "48Mi" }, limits: { memory: "256Mi" } },
    },
    external: {
      sign: { kind: "custom resource", name: "prometheuses.monitoring.coreos.com" },
      install:
        "helm upgrade --install prometheus kube-prometheus-stack --repo https://prometheus-community.github.io/helm-charts -n monitoring --create-namespace --set fullnameOverride=prometheus,grafana.enabled=false,alertmanager.enabled=false,kubeStateMetrics.enabled=false,prometheus.prometheusSpec.scrapeInterval=5s,prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValues=false,prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues=false",
    },
  },
  "argo-rollouts": {
    title: "Argo Rollouts",
    namespace: "argo-rollouts",
    deployment: "argo-rollouts",
    image: { program: "rollouts-controller" },
    manifests: [
      { namespace: "argo-rollouts" },
      {
        module: rollouts,
        of: "argo-rollouts",
        files: ["rollout", "analysis-run", "analysis-template", "cluster-analysis-template", "experiment"].map(
          (name) => `manifests/crds/${name}-crd.yaml`,
        ),
      },
      {
        module: rollouts,
        of: "argo-rollouts",
        files: [
          "manifests/base/argo-rollouts-aggregate-roles.yaml",
          "manifests/base/argo-rollouts-config.yaml",
          "manifests/base/argo-rollouts-deployment.yaml",
          "manifests/base/argo-rollouts-metrics-service.yaml",
          "manifests/base/argo-rollouts-notification-secret.yaml",
          "manifests/base/argo-rollouts-sa.yaml",
          "manifests/cluster-install/argo-rollouts-clusterrolebinding.yaml",
          "manifests/role/argo-rollouts-clusterrole.yaml",
        ],
      },
    ],
    changes: {
      podAnnotations: { "prometheus.io/scrape": "true", "prometheus.io/port": "8090" },
      // One controller; taking over a lease after a crash would take longer than starting.
      args: ["--leader-elect=false"],
      readinessProbe: { httpGet: { path: "/healthz", port: "healthz" }, periodSeconds: 1 },
      resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "384Mi", "ephemeral-storage": "1Gi" } },
    },
    external: {
      sign: { kind: "custom resource", name: "rollouts.argoproj.io" },
      install:
        "kubectl create namespace argo-rollouts; kubectl apply --server-side -n argo-rollouts -f https://github.com/argoproj/argo-rollouts/releases/download/v1.10.1/install.yaml",
    },
  },
  "kube-state-metrics": {
    title: "kube-state-metrics",
    namespace: "kube-system",
    deployment: "kube-state-metrics",
    image: { program: "kube-state-metrics" },
    manifests: [
      {
        module: "k8s.io/kube-state-metrics/v2",
        of: "kube-state-metrics",
        files: ["cluster-role-binding", "cluster-role", "deployment", "service-account", "service"].map(
          (name) => `examples/standard/${name}.yaml`,
        ),
      },
    ],
    changes: {
      args: [
        "--metric-labels-allowlist=pods=[app.kubernetes.io/name,app.kubernetes.io/instance,role,pod-template-hash,rollouts-pod-template-hash]",
      ],
      readinessProbe: { httpGet: { path: "/readyz", port: "telemetry" }, periodSeconds: 1 },
      resources: { requests: { cpu: "20m", memory: "48Mi" }, limits: { memory: "256Mi" } },
    },
    external: {
      sign: { kind: "pods", labelSelector: "app.kubernetes.io/name=kube-state-metrics" },
      install:
        "helm upgrade --install kube-state-metrics kube-state-metrics --repo https://prometheus-community.github.io/helm-charts -n kube-system --set prometheus.monitor.enabled=true",
    },
  },
  "metrics-server": {
    title: "metrics-server",
    namespace: "kube-system",
    deployment: "metrics-server",
    image: { program: "metrics-server" },
    manifests: [
      {
        module: "sigs.k8s.io/metrics-server",
        of: "metrics-server",
        files: ["apiservice", "deployment", "rbac", "service"].map((name) => `manifests/base/${name}.yaml`),
      },
    ],
    changes: {
      commonLabels: { "k8s-app": "metrics-server" },
      args: [
        "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        // The shortest that it takes: two measurements must be made before it is ready.
        "--metric-resolution=10s",
        "--kubelet-request-timeout=5s",
      ],
      readinessProbe: { httpGet: { path: "/readyz", port: "https", scheme: "HTTPS" }, periodSeconds: 1 },
      resources: { requests: { cpu: "20m", memory: "48Mi" }, limits: { memory: "256Mi" } },
    },
    apiService: "v1beta1.metrics.k8s.io",
    external: {
      sign: { kind: "API service", name: "v1beta1.metrics.k8s.io" },
      install:
        "helm upgrade --install metrics-server metrics-server --repo https://kubernetes-sigs.github.io/metrics-server -n kube-system --set 'args={--kubelet-insecure-tls}'",
    },
  },
  traefik: {
    title: "Traefik",
    namespace: "traefik",
    deployment: "traefik",
    image: { program: "traefik" },
    manifests: [
      {
        module: traefik,
        of: "traefik",
        files: [`${traefikReference}/kubernetes-crd-definition-v1.yml`, `${traefikReference}/kubernetes-crd-rbac.yml`],
      },
      { own: "traefik.yaml" },
    ],
    external: {
      sign: { kind: "custom resource", name: "ingressroutes.traefik.io" },
      install:
        "helm upgrade --install traefik traefik --repo https://traefik.github.io/charts -n traefik --create-namespace --set 'additionalArguments={--providers.providersThrottleDuration=100ms}' --set providers.kubernetesCRD.allowCrossNamespace=true,providers.kubernetesCRD.allowEmptyServices=true --set metrics.prometheus.service.enabled=true,metrics.prometheus.serviceMonitor.enabled=true",
    },
  },
  /** Definitions alone: objects for these routers are accepted and a controller can write to them, but none routes. */
  "router-definitions": {
    title: "Routers' definitions",
    namespace: "default",
    manifests: [
      {
        module: "istio.io/api",
        of: "router-definitions",
        files: ["kubernetes/customresourcedefinitions.gen.yaml"],
        only: ["virtualservices.networking.istio.io", "destinationrules.networking.istio.io"],
      },
      {
        module: "sigs.k8s.io/gateway-api",
        of: "traefik",
        files: ["gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants"].map(
          (name) => `config/crd/standard/gateway.networking.k8s.io_${name}.yaml`,
        ),
      },
    ],
  },
} as const satisfies Record<string, Addon>;

export type AddonName = keyof typeof addons;

/**
 * `core`: without which no service is found by its name. `rollout`: what moves traffic in steps and decides by metrics.
 * `all`: everything that the chart can make use of.
 */
export const profiles = {
  core: ["coredns"],
  rollout: ["coredns", "prometheus", "argo-rollouts", "kube-state-metrics", "traefik"],
  all: Object.keys(addons) as AddonName[],
} as const satisfies Record<string, readonly AddonName[]>;

export type Profile = keyof typeof profiles;

/** The description of an add-on, with the optional parts that not all have. */
export function addonOf(name: AddonName): Addon {
  return addons[name];
}
