/** One binary of the lab and how it is made from a pinned Go module. */
export type Tool = {
  /** Folder below packages/lab/toolchain that holds go.mod and go.sum. */
  module: string;
  /** What is compiled, as an import path; "." is the folder's own main package. */
  package: string;
  /** The module whose version in go.mod is the binary's. */
  versionOf: string;
  tags?: readonly string[];
  /** Variables the linker sets, for programs that otherwise do not know their own version. */
  stamps?: (version: string) => Record<string, string>;
  /** Seconds a cold compile took on two cores: the estimate until this machine has its own figure. */
  seconds: number;
  /** A program on PATH of a version in this range (semver) is used instead. */
  onPath?: { program: string; versionArgs: readonly string[]; range: string };
};

const kubernetesStamps = (version: string) => {
  const [major = "", minor = ""] = version.slice(1).split(".");
  return Object.fromEntries(
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((location) => [
      [`${location}.gitVersion`, version],
      [`${location}.gitMajor`, major],
      [`${location}.gitMinor`, minor],
      [`${location}.gitCommit`, ""],
    ]),
  );
};

const prometheusStamps = (version: string) => ({ "github.com/prometheus/common/version.Version": version.slice(1) });

/** In the order in which they are compiled: the cluster first, then what a first deploy needs, then the rest. */
export const catalog = {
  pause: { module: "pause", package: ".", versionOf: "lab.local/toolchain/pause", seconds: 3 },
  kube: {
    module: "kubernetes",
    package: ".",
    versionOf: "k8s.io/kubernetes",
    stamps: kubernetesStamps,
    seconds: 320,
  },
  coredns: {
    module: "coredns",
    package: ".",
    versionOf: "github.com/coredns/coredns",
    seconds: 85,
  },
  kubectl: {
    module: "kubernetes",
    package: "k8s.io/kubernetes/cmd/kubectl",
    versionOf: "k8s.io/kubernetes",
    stamps: kubernetesStamps,
    seconds: 30,
    // One minor version of skew with the lab's API server, which is Kubernetes' own policy.
    onPath: { program: "kubectl", versionArgs: ["version", "--client"], range: ">=1.34.0 <1.37.0" },
  },
  helm: {
    module: "helm4",
    package: "helm.sh/helm/v4/cmd/helm",
    versionOf: "helm.sh/helm/v4",
    stamps: (version) => ({ "helm.sh/helm/v4/internal/version.version": version }),
    seconds: 170,
    // Earlier ones cannot roll back over objects that were kept.
    onPath: {
      program: "helm",
      versionArgs: ["version", "--short"],
      range: ">=3.22.0 <4 || >=4.0.5 <4.1.0 || >=4.1.5 <5",
    },
  },
  k6: {
    module: "k6",
    package: "go.k6.io/k6",
    versionOf: "go.k6.io/k6",
    seconds: 70,
    onPath: { program: "k6", versionArgs: ["version"], range: ">=1.0.0" },
  },
  prometheus: {
    module: "prometheus",
    package: "github.com/prometheus/prometheus/cmd/prometheus",
    versionOf: "github.com/prometheus/prometheus",
    tags: ["remove_all_sd", "enable_kubernetes_sd"],
    // As a library v0.315.0 is the program 3.15.0.
    stamps: (version) => ({
      "github.com/prometheus/common/version.Version": version.replace(
        /^v0\.(\d)(\d+)\./,
        (_, major: string, minor: string) => `${major}.${Number(minor)}.`,
      ),
    }),
    seconds: 200,
  },
  "prometheus-operator": {
    module: "prometheus-operator",
    package: "github.com/prometheus-operator/prometheus-operator/cmd/operator",
    versionOf: "github.com/prometheus-operator/prometheus-operator",
    stamps: prometheusStamps,
    seconds: 95,
  },
  "prometheus-config-reloader": {
    module: "prometheus-operator",
    package: "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
    versionOf: "github.com/prometheus-operator/prometheus-operator",
    stamps: prometheusStamps,
    seconds: 15,
  },
  "rollouts-controller": {
    module: "argo-rollouts",
    package: "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
    versionOf: "github.com/argoproj/argo-rollouts",
    stamps: (version) => ({ "github.com/argoproj/argo-rollouts/utils/version.version": version.slice(1) }),
    seconds: 180,
  },
  "kube-state-metrics": {
    module: "kube-state-metrics",
    package: "k8s.io/kube-state-metrics/v2",
    versionOf: "k8s.io/kube-state-metrics/v2",
    stamps: (version) => ({ "github.com/prometheus/common/version.Version": version }),
    seconds: 100,
  },
  "metrics-server": {
    module: "metrics-server",
    package: "sigs.k8s.io/metrics-server/cmd/metrics-server",
    versionOf: "sigs.k8s.io/metrics-server",
    seconds: 140,
  },
  traefik: {
    module: "traefik",
    package: "github.com/traefik/traefik/v3/cmd/traefik",
    versionOf: "github.com/traefik/traefik/v3",
    stamps: (version) => ({ "github.com/traefik/traefik/v3/pkg/version.Version": version.slice(1) }),
    seconds: 350,
  },
  podinfo: {
    module: "podinfo",
    package: "github.com/stefanprodan/podinfo/cmd/podinfo",
    versionOf: "github.com/stefanprodan/podinfo",
    seconds: 60,
  },
  kubeconform: {
    module: "kubeconform",
    package: "github.com/yannh/kubeconform/cmd/kubeconform",
    versionOf: "github.com/yannh/kubeconform",
    stamps: (version) => ({ "main.version": version }),
    seconds: 5,
  },
  helm3: {
    module: "helm3",
    package: "helm.sh/helm/v3/cmd/helm",
    versionOf: "helm.sh/helm/v3",
    stamps: (version) => ({
      "helm.sh/helm/v3/internal/version.version": version,
      // What `helm template` takes for the cluster's version; unset it is 1.20, which charts refuse.
      "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
      "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "37",
      "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
      "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "37",
    }),
    seconds: 125,
    onPath: { program: "helm", versionArgs: ["version", "--short"], range: ">=3.22.0 <4" },
  },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof catalog;

export const toolNames = Object.keys(catalog) as ToolName[];

/** The description of a tool, with the optional parts that not all have. */
export function toolOf(name: ToolName): Tool {
  return catalog[name];
}
