import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import { LabError, exitCodes } from "../errors.ts";
import type { Lab } from "../identity.ts";
import type { Progress } from "../progress.ts";
import { ensureCertificates, kubeletClientUser } from "./certificates.ts";
import { createCgroups, createComponentCgroup, readProcs } from "./cgroups.ts";
import { adminTls, components, enterNamespaces, logFile, type Component, type ComponentName } from "./components.ts";
import { renderConfigFiles } from "./config-files.ts";
import { userKubeconfig } from "./kubeconfig.ts";
import { ensureMountNamespace, mountNamespaceExists } from "./mount-namespace.ts";
import { ensureNetwork, networkExists } from "./network.ts";
import { request, type ProbeTarget } from "./probe.ts";
import { ProcessTable, identify, isAlive, signal, startDetached, waitForEnd, type ProcessRecord } from "./process.ts";

export type StartedNode = {
  nodeIp: string;
  registryReady: Promise<void>;
  apiReady: Promise<void>;
  nodeReady: Promise<void>;
};

/**
 * Starts what is missing of the lab's node, each component as soon as what it needs answers.
 * What runs and answers is left alone, so that a second start is a check and a start after a crash heals.
 */
export async function startNode(lab: Lab, kube: Promise<string>, progress: Progress): Promise<StartedNode> {
  mkdirSync(lab.state, { recursive: true, mode: 0o700 });
  mkdirSync(lab.registryData, { recursive: true });
  await stopStrays(lab);
  createCgroups(lab.cgroup);
  const { nodeIp } = await ensureNetwork(lab);
  await progress.step("network, mounts and certificates are in place", async () => {
    await Promise.all([ensureMountNamespace(lab), ensureCertificates(lab, nodeIp)]);
  });
  writeConfig(lab, nodeIp);

  const ensure = async (pick: (all: ReturnType<typeof components>) => Component, binary: string) =>
    await ensureRunning(lab, pick(components(lab, nodeIp, binary)), progress);
  const etcd = ensure((all) => all.etcd, "");
  const containerd = ensure((all) => all.containerd, "");
  const registryReady = ensure((all) => all.registry, "");
  const apiReady = (async () => {
    const binary = await kube;
    await etcd;
    await ensure((all) => all["kube-apiserver"], binary);
    await allowKubeletAccess(lab, nodeIp);
  })();
  const kubernetes = async (name: ComponentName) => {
    await apiReady;
    await ensure((all) => all[name], await kube);
  };
  const registered = (async () => {
    await containerd;
    await kubernetes("kubelet");
    await waitUntil("kubelet", 60, async () => (await readNode(lab, nodeIp)).missing);
  })();
  const nodeReady = (async () => {
    await Promise.all([
      registryReady,
      kubernetes("kube-controller-manager"),
      kubernetes("kube-scheduler"),
      // It asks for its own node first, and when there is none yet, only a second later again.
      registered.then(() => kubernetes("kube-proxy")),
      registered.then(() => waitUntil("kubelet", 120, async () => (await readNode(lab, nodeIp)).notReady)),
    ]);
    progress.reached("node is Ready");
  })();
  // Awaited by the caller, perhaps after another of them failed.
  for (const promise of [registryReady, apiReady, registered, nodeReady]) promise.catch(() => {});
  return { nodeIp, registryReady, apiReady, nodeReady };
}

/** Processes in namespaces that are gone (a half-finished `down`) cannot be joined by new ones. */
async function stopStrays(lab: Lab): Promise<void> {
  if (networkExists(lab) && mountNamespaceExists(lab)) return;
  const records = [...new ProcessTable(lab).list().values()];
  for (const record of records) signal(record, "SIGKILL");
  await waitForEnd(records, 10_000);
}

function writeConfig(lab: Lab, nodeIp: string): void {
  const files = {
    ...renderConfigFiles({ lab, nodeIp, mayLowerOomScore: hasResourceCapability() }),
    ...Object.fromEntries(
      ["controller-manager", "scheduler", "kubelet", "kube-proxy"].map((user) => [
        `config/${user}.kubeconfig`,
        userKubeconfig(lab, user, nodeIp),
      ]),
    ),
    kubeconfig: userKubeconfig(lab, "admin", nodeIp),
  };
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(lab.state, name);
    // kube-proxy ends when its file is written again, even with the same content.
    if (existsSync(file) && readFileSync(file, "utf8") === content) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content, { mode: 0o600 });
  }
}

async function ensureRunning(lab: Lab, component: Component, progress: Progress): Promise<void> {
  const table = new ProcessTable(lab);
  const fingerprint = fingerprintOf(component);
  const record = table.read(component.name);
  if (record && isAlive(record)) {
    const fault =
      record.fingerprint === fingerprint
        ? await whyStillNotReady(component, record)
        : "it runs with an older configuration";
    if (fault === undefined) return;
    progress.note(`${component.name}: replacing process ${record.pid}: ${fault}`);
  }
  await progress.step(`${component.name} answers`, async () => {
    await stopAll(lab, component);
    await start(lab, component, fingerprint, table);
  });
}

/** A process that another `up` has just started gets its time; one that ran for long, a few seconds to catch up. */
async function whyStillNotReady(component: Component, record: ProcessRecord): Promise<string | undefined> {
  const age = (Date.now() - Date.parse(record.startedAt)) / 1000;
  const patience = Math.max(5, 20 - age);
  const reason = await lastReason(patience, async () => (isAlive(record) ? await component.whyNotReady() : undefined));
  return reason ?? (isAlive(record) ? undefined : "it has ended");
}

/**
 * Ends what runs as this component, recorded or not: an `up` that was killed may not have written it down.
 * containerd's shims stay, because the containers they keep are taken over by the next containerd.
 */
async function stopAll(lab: Lab, component: Component): Promise<void> {
  const processes = readProcs(createComponentCgroup(lab.cgroup, component.name))
    .filter((pid) => !isShim(pid))
    .flatMap((pid) => identify(pid) ?? []);
  for (const id of processes) signal(id, "SIGTERM");
  const stubborn = await waitForEnd(processes, 5000);
  for (const id of stubborn) signal(id, "SIGKILL");
  const left = await waitForEnd(stubborn, 10_000);
  if (left.length > 0) throw new LabError(`${component.name} (process ${left[0]?.pid}) does not end after SIGKILL`);
}

function isShim(pid: number): boolean {
  try {
    return path
      .basename(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "")
      .startsWith("containerd-shim");
  } catch {
    // It has ended.
    return false;
  }
}

async function start(lab: Lab, component: Component, fingerprint: string, table: ProcessTable): Promise<void> {
  const log = logFile(lab, component.name);
  if (component.beforeStart) {
    const { program, args, input } = component.beforeStart;
    const [nsenter = "", ...namespaces] = enterNamespaces(lab);
    await run(nsenter, [...namespaces, program, ...args], { input });
  }
  const started = await startDetached({
    command: [...enterNamespaces(lab), ...component.command],
    cgroup: createComponentCgroup(lab.cgroup, component.name),
    log,
    cwd: lab.state,
  });
  table.write(component.name, { ...started.id, fingerprint, startedAt: new Date().toISOString() });
  let ended: string | undefined;
  void started.exited.then((how) => (ended = how));
  await waitUntil(component.name, component.readyWithinSeconds, async () => {
    if (ended !== undefined) {
      throw new LabError(`${component.name} ended while starting (${ended}). Its last words:\n${tail(log, 12)}`, {
        hint: `The whole log is in ${log}.`,
      });
    }
    return await component.whyNotReady();
  });
}

async function waitUntil(what: string, seconds: number, whyNot: () => Promise<string | undefined>): Promise<void> {
  const last = await lastReason(seconds, whyNot);
  if (last === undefined) return;
  throw new LabError(`waited ${seconds} s for ${what} to be ready; last seen: ${last}`, {
    hint: `\`lab logs ${what}\` shows what it does; \`lab up\` again continues.`,
    exitCode: exitCodes.deadline,
  });
}

/** Asks every 50 ms until there is no reason against it any more (undefined) or the time is over (the last reason). */
async function lastReason(seconds: number, whyNot: () => Promise<string | undefined>): Promise<string | undefined> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const reason = await whyNot();
    if (reason === undefined || Date.now() > deadline) return reason;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The API server may reach the kubelet's API (logs, exec): the one right that Kubernetes does not bind by itself. */
async function allowKubeletAccess(lab: Lab, nodeIp: string): Promise<void> {
  const target = {
    url: `https://${nodeIp}:6443/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`,
    ...adminTls(lab),
    method: "POST",
    body: {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "kubelet-api-admin" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:kubelet-api-admin" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: kubeletClientUser }],
    },
  };
  const alreadyThere = 409;
  await waitUntil("kube-apiserver", 60, async () => {
    const { status, body } = await answerOf(target);
    return status === 201 || status === alreadyThere ? undefined : `it refuses the kubelet's role binding: ${body}`;
  });
}

/** Why there is no node object yet, and why the node is not Ready; undefined where there is nothing against it. */
async function readNode(lab: Lab, nodeIp: string): Promise<{ missing?: string; notReady?: string | undefined }> {
  const api = `https://${nodeIp}:6443`;
  const lease = `${api}/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${lab.name}`;
  const tls = adminTls(lab);
  const [node, renewed] = await Promise.all([
    answerOf({ url: `${api}/api/v1/nodes/${lab.name}`, ...tls }),
    answerOf({ url: lease, ...tls }),
  ]);
  if (node.status !== 200) {
    const missing = `no node ${lab.name}: ${node.body}`;
    return { missing, notReady: missing };
  }
  const since = new ProcessTable(lab).read("kubelet")?.startedAt;
  const found = JSON.parse(node.body) as NodeStatus;
  const newest = renewed.status === 200 ? (JSON.parse(renewed.body) as Lease).spec.renewTime : undefined;
  return { notReady: whyNodeNotReady(found) ?? whyReportIsOld([heartbeatOf(found), newest], since) };
}

/** On a busy machine an answer may come too late or the connection break: status 0, and the next request may succeed. */
async function answerOf(target: ProbeTarget): Promise<{ status: number; body: string }> {
  try {
    return await request(target);
  } catch (error) {
    return { status: 0, body: (error as Error).message };
  }
}

type Condition = { type: string; status: string; message?: string; lastHeartbeatTime?: string };
type NodeStatus = { status: { conditions?: Condition[] } };
type Lease = { spec: { renewTime?: string } };

export function whyNodeNotReady(node: NodeStatus): string | undefined {
  const ready = readyCondition(node);
  if (ready?.status === "True") return undefined;
  return `the node is not Ready: ${ready?.message ?? "it has not reported yet"}`;
}

/**
 * What an earlier kubelet reported does not count. A kubelet shows that it is there by the node's status, which
 * a new one need not write, and by its lease, which it renews every 10 s. All times are ISO 8601.
 */
export function whyReportIsOld(reports: (string | undefined)[], kubeletStart: string | undefined): string | undefined {
  if (kubeletStart === undefined) return undefined;
  // The status counts in whole seconds, cut off.
  const since = Math.floor(Date.parse(kubeletStart) / 1000) * 1000;
  if (reports.some((time) => Date.parse(time ?? "") >= since)) return undefined;
  return "the kubelet has not reported since it started";
}

function heartbeatOf(node: NodeStatus): string | undefined {
  return readyCondition(node)?.lastHeartbeatTime;
}

function readyCondition(node: NodeStatus): Condition | undefined {
  return node.status.conditions?.find((condition) => condition.type === "Ready");
}

function fingerprintOf(component: Component): string {
  const hash = createHash("sha256").update(JSON.stringify(component.command));
  for (const file of component.files) hash.update(existsSync(file) ? readFileSync(file) : "");
  return hash.digest("hex");
}

function tail(file: string, lines: number): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}

function hasResourceCapability(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const sysResource = 24n;
  return ((BigInt(`0x${effective}`) >> sysResource) & 1n) === 1n;
}
