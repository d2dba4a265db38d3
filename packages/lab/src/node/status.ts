import type { Lab } from "../identity.ts";
import { adminTls, componentNames, components, logFile, type ComponentName } from "./components.ts";
import { readSubnet } from "./network.ts";
import { request } from "./probe.ts";
import { ProcessTable, isAlive } from "./process.ts";
import { whyNodeNotReady } from "./start.ts";

export type ComponentStatus = {
  name: ComponentName;
  /** stopped: no process of that record is alive; failing: it is, but does not answer. */
  state: "running" | "failing" | "stopped";
  pid: number | undefined;
  startedAt: string | undefined;
  /** Why it is not running. */
  reason: string | undefined;
  log: string;
};

export type NodeStatus = {
  address: string | undefined;
  components: ComponentStatus[];
  /** Undefined if the node is Ready. */
  whyNotReady: string | undefined;
};

/** True if any of the lab's components is alive. */
export function isAnyRunning(lab: Lab): boolean {
  return [...new ProcessTable(lab).list().values()].some(isAlive);
}

export async function readNodeStatus(lab: Lab): Promise<NodeStatus> {
  const address = readSubnet(lab)?.nodeIp;
  const statuses = await Promise.all(componentNames.map((name) => readComponent(lab, name, address)));
  return {
    address,
    components: statuses,
    whyNotReady: statuses.every(({ state }) => state === "running")
      ? await whyNotReady(lab, address!)
      : "not every component is running",
  };
}

async function readComponent(lab: Lab, name: ComponentName, address: string | undefined): Promise<ComponentStatus> {
  const record = new ProcessTable(lab).read(name);
  const common = { name, pid: record?.pid, startedAt: record?.startedAt, log: logFile(lab, name) };
  if (!record || !address || !isAlive(record)) {
    return { ...common, state: "stopped", reason: record ? `process ${record.pid} has ended` : "never started" };
  }
  const reason = await components(lab, address, "")[name].whyNotReady();
  return { ...common, state: reason === undefined ? "running" : "failing", reason };
}

async function whyNotReady(lab: Lab, address: string): Promise<string | undefined> {
  const url = `https://${address}:6443/api/v1/nodes/${lab.name}`;
  try {
    const { status, body } = await request({ url, ...adminTls(lab) });
    return status === 200 ? whyNodeNotReady(JSON.parse(body)) : `the API server answers ${status} for its node`;
  } catch (error) {
    return `the API server does not answer: ${(error as Error).message}`;
  }
}
