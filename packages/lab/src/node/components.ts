import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import type { Lab } from "../identity.ts";
import { pkiFile } from "./certificates.ts";
import { containerdSocket, registryPort } from "./config-files.ts";
import { mountNamespaceFile } from "./mount-namespace.ts";
import { netnsFile, podCidr, serviceCidr } from "./network.ts";
import { whyNotReady, type ProbeTarget } from "./probe.ts";
import { processFile } from "./process.ts";

/** One transaction: deletes kube-proxy's table if it is there; `add` alone does nothing to one that is. */
const deleteProxyTable = "add table ip kube-proxy\ndelete table ip kube-proxy\n";

/** The processes of a node, in the order in which one that has nothing running starts them. */
export const componentNames = [
  "etcd",
  "containerd",
  "registry",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
  "kubelet",
] as const;
export type ComponentName = (typeof componentNames)[number];

export type Component = {
  name: ComponentName;
  command: string[];
  /** Files whose content decides how it runs: if one changes, the process is replaced. */
  files: string[];
  /** Run to its end in the node's namespaces, each time before the process is started. */
  beforeStart?: { program: string; args: string[]; input: string };
  /** Undefined once it answers, else what it does instead. */
  whyNotReady: () => Promise<string | undefined>;
  readyWithinSeconds: number;
};

/** Every component of the lab's node. `kube` is the binary that holds all of Kubernetes' server components. */
export function components(lab: Lab, nodeIp: string, kube: string): Record<ComponentName, Component> {
  const config = (name: string) => path.join(lab.state, "config", name);
  const pki = (name: string) => pkiFile(lab, name);
  const keyPair = (name: string) => [pki(`${name}.crt`), pki(`${name}.key`)];
  const https = (port: number, pathname: string) => () => {
    // Read when asked: the certificates need not exist yet when the components are described.
    return whyNotReady({ url: `https://${nodeIp}:${port}${pathname}`, ...adminTls(lab) });
  };
  return {
    etcd: {
      name: "etcd",
      command: [
        "etcd",
        `--data-dir=${path.join(lab.state, "etcd")}`,
        `--name=${lab.name}`,
        `--listen-client-urls=https://${nodeIp}:2379`,
        `--advertise-client-urls=https://${nodeIp}:2379`,
        "--listen-peer-urls=http://127.0.0.1:2380",
        `--cert-file=${pki("etcd.crt")}`,
        `--key-file=${pki("etcd.key")}`,
        "--client-cert-auth",
        `--trusted-ca-file=${pki("etcd-ca.crt")}`,
        "--logger=zap",
        // A killed process loses nothing by it; a power cut may, and a lab can be made anew.
        "--unsafe-no-fsync",
      ],
      files: [pki("etcd-ca.crt"), ...keyPair("etcd")],
      whyNotReady: () =>
        whyNotReady({
          url: `https://${nodeIp}:2379/health`,
          ca: readFileSync(pki("etcd-ca.crt")),
          cert: readFileSync(pki("apiserver-etcd-client.crt")),
          key: readFileSync(pki("apiserver-etcd-client.key")),
        }),
      readyWithinSeconds: 60,
    },
    containerd: {
      name: "containerd",
      command: ["containerd", `--config=${config("containerd.toml")}`],
      files: [config("containerd.toml"), config("cni/10-lab.conflist")],
      whyNotReady: () => whyNotConnectable(containerdSocket(lab)),
      readyWithinSeconds: 60,
    },
    registry: {
      name: "registry",
      command: ["docker-registry", "serve", config("registry.yaml")],
      files: [config("registry.yaml")],
      whyNotReady: () => whyNotReady({ url: `http://${nodeIp}:${registryPort}/v2/` }),
      readyWithinSeconds: 30,
    },
    "kube-apiserver": {
      name: "kube-apiserver",
      command: [
        kube,
        "kube-apiserver",
        `--advertise-address=${nodeIp}`,
        "--secure-port=6443",
        `--tls-cert-file=${pki("apiserver.crt")}`,
        `--tls-private-key-file=${pki("apiserver.key")}`,
        `--client-ca-file=${pki("ca.crt")}`,
        `--etcd-servers=https://${nodeIp}:2379`,
        `--etcd-cafile=${pki("etcd-ca.crt")}`,
        `--etcd-certfile=${pki("apiserver-etcd-client.crt")}`,
        `--etcd-keyfile=${pki("apiserver-etcd-client.key")}`,
        `--service-cluster-ip-range=${serviceCidr}`,
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        `--service-account-key-file=${pki("service-accounts.pub")}`,
        `--service-account-signing-key-file=${pki("service-accounts.key")}`,
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        `--kubelet-certificate-authority=${pki("ca.crt")}`,
        `--kubelet-client-certificate=${pki("apiserver-kubelet-client.crt")}`,
        `--kubelet-client-key=${pki("apiserver-kubelet-client.key")}`,
        "--kubelet-preferred-address-types=InternalIP",
        `--proxy-client-cert-file=${pki("front-proxy-client.crt")}`,
        `--proxy-client-key-file=${pki("front-proxy-client.key")}`,
        `--requestheader-client-ca-file=${pki("front-proxy-ca.crt")}`,
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--profiling=false",
      ],
      files: [
        pki("ca.crt"),
        pki("etcd-ca.crt"),
        pki("front-proxy-ca.crt"),
        pki("service-accounts.pub"),
        ...["apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "front-proxy-client"].flatMap(keyPair),
      ],
      // The other components log errors until this is written, which is later than the first /readyz.
      whyNotReady: async () =>
        (await https(6443, "/readyz")()) ??
        (await https(6443, "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")()),
      readyWithinSeconds: 120,
    },
    "kube-controller-manager": {
      name: "kube-controller-manager",
      command: [
        kube,
        "kube-controller-manager",
        ...delegation(config("controller-manager.kubeconfig")),
        `--tls-cert-file=${pki("node.crt")}`,
        `--tls-private-key-file=${pki("node.key")}`,
        "--leader-elect=false",
        "--use-service-account-credentials",
        `--service-account-private-key-file=${pki("service-accounts.key")}`,
        `--root-ca-file=${pki("ca.crt")}`,
        `--cluster-signing-cert-file=${pki("ca.crt")}`,
        `--cluster-signing-key-file=${pki("ca.key")}`,
        `--cluster-cidr=${podCidr}`,
        `--service-cluster-ip-range=${serviceCidr}`,
        "--profiling=false",
      ],
      files: [config("controller-manager.kubeconfig"), pki("service-accounts.pub"), pki("ca.crt"), ...keyPair("node")],
      whyNotReady: https(10257, "/healthz"),
      readyWithinSeconds: 60,
    },
    "kube-scheduler": {
      name: "kube-scheduler",
      command: [
        kube,
        "kube-scheduler",
        ...delegation(config("scheduler.kubeconfig")),
        `--tls-cert-file=${pki("node.crt")}`,
        `--tls-private-key-file=${pki("node.key")}`,
        "--leader-elect=false",
        "--profiling=false",
      ],
      files: [config("scheduler.kubeconfig"), ...keyPair("node")],
      whyNotReady: https(10259, "/readyz"),
      readyWithinSeconds: 60,
    },
    "kube-proxy": {
      name: "kube-proxy",
      command: [kube, "kube-proxy", `--config=${config("kube-proxy.yaml")}`],
      files: [config("kube-proxy.yaml"), config("kube-proxy.kubeconfig")],
      // What an earlier one left is not taken over whole: chains of services whose endpoints are gone stay empty.
      beforeStart: { program: "nft", args: ["-f", "-"], input: deleteProxyTable },
      whyNotReady: () => whyNotReady({ url: `http://${nodeIp}:10256/livez` }),
      readyWithinSeconds: 60,
    },
    kubelet: {
      name: "kubelet",
      command: [
        kube,
        "kubelet",
        `--config=${config("kubelet.yaml")}`,
        `--kubeconfig=${config("kubelet.kubeconfig")}`,
        `--root-dir=${path.join(lab.state, "kubelet")}`,
        `--cert-dir=${path.join(lab.state, "kubelet/pki")}`,
        `--hostname-override=${lab.name}`,
        `--node-ip=${nodeIp}`,
      ],
      files: [
        config("kubelet.yaml"),
        config("kubelet.kubeconfig"),
        pki("ca.crt"),
        ...keyPair("node"),
        // A kubelet that outlives its containerd reports the containers of before for a while as if they still ran.
        processFile(lab, "containerd"),
      ],
      whyNotReady: https(10250, "/healthz"),
      readyWithinSeconds: 60,
    },
  };
}

export function logFile(lab: Lab, component: string): string {
  return path.join(lab.state, "logs", `${component}.log`);
}

/** The command line with which a program enters the lab's network and mounts. */
export function enterNamespaces(lab: Lab): string[] {
  return ["nsenter", `--net=${netnsFile(lab)}`, `--mount=${mountNamespaceFile(lab)}`, "--"];
}

/** What an administrator's request to the node's HTTPS endpoints needs. */
export function adminTls(lab: Lab): Pick<ProbeTarget, "ca" | "cert" | "key"> {
  return {
    ca: readFileSync(pkiFile(lab, "ca.crt")),
    cert: readFileSync(pkiFile(lab, "admin.crt")),
    key: readFileSync(pkiFile(lab, "admin.key")),
  };
}

function delegation(kubeconfig: string): string[] {
  return ["", "authentication-", "authorization-"].map((prefix) => `--${prefix}kubeconfig=${kubeconfig}`);
}

async function whyNotConnectable(socket: string): Promise<string | undefined> {
  if (!existsSync(socket)) return `${socket} does not exist`;
  return await new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(undefined);
    });
    connection.once("error", (error) => resolve(`${socket}: ${error.message}`));
  });
}
