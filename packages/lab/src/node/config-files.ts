import { dump } from "js-yaml";
import path from "node:path";
import type { Lab } from "../identity.ts";
import { pkiFile } from "./certificates.ts";
import { dnsServiceIp, podCidr } from "./network.ts";

/** What the configuration files depend on. */
export type NodeFacts = {
  lab: Lab;
  nodeIp: string;
  /** Without CAP_SYS_RESOURCE no process may lower its oom_score_adj, and a container asking for it does not start. */
  mayLowerOomScore: boolean;
};

export const registryPort = 5000;

/** The image of the container that holds a pod's namespaces. */
export const pauseImage = "registry.local/pause:1";

/** Every configuration file of the node, by its path below the lab's state directory. */
export function renderConfigFiles(facts: NodeFacts): Record<string, string> {
  const { lab } = facts;
  return {
    "config/containerd.toml": containerdConfig(facts),
    "config/registries/registry.local/hosts.toml": registryHosts(),
    // No packet leaves the lab: a name no mirror knows must be refused at once, not time out on its way out.
    "config/registries/_default/hosts.toml": registryHosts(),
    "config/cni/10-lab.conflist": cniConfig(lab),
    "config/registry.yaml": registryConfig(lab),
    "config/kubelet.yaml": kubeletConfig(facts),
    "config/kube-proxy.yaml": proxyConfig(facts),
    "config/pod-resolv.conf": "nameserver 127.0.0.1\n",
    "config/exec-resolv.conf": [
      `nameserver ${dnsServiceIp}`,
      "search default.svc.cluster.local svc.cluster.local cluster.local",
      "options ndots:5",
      "",
    ].join("\n"),
  };
}

export function containerdSocket(lab: Lab): string {
  return path.join(lab.state, "containerd.sock");
}

function containerdConfig({ lab, mayLowerOomScore }: NodeFacts): string {
  return `version = 2
root = ${toml(path.join(lab.state, "containerd/root"))}
state = ${toml(path.join(lab.state, "containerd/state"))}
[grpc]
  address = ${toml(containerdSocket(lab))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${toml(pauseImage)}
  restrict_oom_score_adj = ${!mayLowerOomScore}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = ${toml(path.join(lab.state, "config/cni"))}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${toml(path.join(lab.state, "config/registries"))}
`;
}

function registryHosts(): string {
  return `server = "http://127.0.0.1:${registryPort}"
[host."http://127.0.0.1:${registryPort}"]
  capabilities = ["pull", "resolve"]
`;
}

function cniConfig(lab: Lab): string {
  return JSON.stringify(
    {
      cniVersion: "0.4.0",
      name: lab.netns,
      plugins: [
        {
          type: "bridge",
          bridge: "cni0",
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: "host-local",
            // The default folder is the machine's: addresses of a lab that is gone would stay taken.
            dataDir: path.join(lab.state, "ipam"),
            ranges: [[{ subnet: podCidr }]],
            routes: [{ dst: "0.0.0.0/0" }],
          },
        },
        { type: "portmap", capabilities: { portMappings: true } },
      ],
    },
    undefined,
    2,
  );
}

function registryConfig(lab: Lab): string {
  return dump({
    version: "0.1",
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: lab.registryData }, delete: { enabled: true } },
    http: { addr: `:${registryPort}` },
  });
}

function kubeletConfig({ lab, nodeIp }: NodeFacts): string {
  return dump({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: nodeIp,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pkiFile(lab, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: pkiFile(lab, "node.crt"),
    tlsPrivateKeyFile: pkiFile(lab, "node.key"),
    clusterDNS: [dnsServiceIp],
    clusterDomain: "cluster.local",
    resolvConf: path.join(lab.state, "config/pod-resolv.conf"),
    containerRuntimeEndpoint: `unix://${containerdSocket(lab)}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${lab.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // A lab is no more precious to its machine than the person's own programs.
    oomScoreAdj: 0,
    podLogsDir: path.join(lab.state, "pod-logs"),
    volumePluginDir: path.join(lab.state, "kubelet/volume-plugins"),
    serializeImagePulls: false,
    // A changed ConfigMap or Secret reaches the pods that mount it after this time, not after a minute:
    // Prometheus learns of a new ServiceMonitor that way.
    syncFrequency: "10s",
    // The person's disk is theirs to fill: only a machine that is about to stop working evicts pods.
    evictionHard: { "nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi" },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  });
}

function proxyConfig({ lab, nodeIp }: NodeFacts): string {
  return dump({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clusterCIDR: podCidr,
    clientConnection: { kubeconfig: path.join(lab.state, "config/kube-proxy.kubeconfig") },
    hostnameOverride: lab.name,
    healthzBindAddress: `${nodeIp}:10256`,
    oomScoreAdj: 0,
    // Limits of the whole machine, which the lab has no business to change.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  });
}

/** JSON's string escapes are valid in a basic string of TOML. */
function toml(text: string): string {
  return JSON.stringify(text);
}
