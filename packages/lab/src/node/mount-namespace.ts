import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import type { Lab } from "../identity.ts";
import { readMounts } from "./mounts.ts";

/**
 * The components live in a mount namespace of their own. Their hundreds of mounts vanish with their last process,
 * and the directories whose paths are built into them are private to the lab: two kubelets on one machine would
 * otherwise share device-plugin sockets, and containerd's shims would leave their sockets behind.
 */
const privateDirectories = {
  "run-containerd": "/run/containerd",
  "var-lib-cni": "/var/lib/cni",
  "var-lib-kubelet": "/var/lib/kubelet",
  "var-log-containers": "/var/log/containers",
};

/** The kubelet sets these for the whole machine. Here it finds them as it wants them, and the machine's stay as they are. */
const privateSettings = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
};

export function mountNamespaceFile(lab: Lab): string {
  return path.join(lab.state, "ns", "mnt");
}

export function mountNamespaceExists(lab: Lab): boolean {
  return readMounts().some((mount) => mount.target === mountNamespaceFile(lab));
}

export async function ensureMountNamespace(lab: Lab): Promise<void> {
  if (mountNamespaceExists(lab)) return;
  const file = mountNamespaceFile(lab);
  const directory = path.dirname(file);
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, "");
  // The kernel keeps a mount namespace only in a file of a mount that is not shared.
  if (!readMounts().some((mount) => mount.target === directory)) await run("mount", ["--bind", directory, directory]);
  await run("mount", ["--make-private", directory]);
  const binds = [
    ...Object.entries(privateDirectories).map(([name, target]) => {
      const source = path.join(lab.state, "private", name);
      mkdirSync(source, { recursive: true });
      mkdirSync(target, { recursive: true });
      return [source, target];
    }),
    ...Object.entries(privateSettings)
      .filter(([name]) => existsSync(path.join("/proc/sys", name)))
      .map(([name, value]) => {
        const source = path.join(lab.state, "private", "sysctl", name);
        mkdirSync(path.dirname(source), { recursive: true });
        writeFileSync(source, `${value}\n`);
        return [source, path.join("/proc/sys", name)];
      }),
  ].flat();
  // Slave: an unmount on the host reaches the lab (no disk is kept busy), nothing of the lab reaches the host.
  // Shared within: what the kubelet mounts is seen by containers that ask for it.
  const script = 'mount --make-rshared / && while [ $# -gt 0 ]; do mount --bind "$1" "$2" || exit 1; shift 2; done';
  await run("unshare", [`--mount=${file}`, "--propagation", "slave", "sh", "-c", script, "sh", ...binds]);
}
