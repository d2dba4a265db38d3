import { type ConfigMap, resources, type Rollout } from "@safe-deploy/kube";
import type { Endings } from "@safe-deploy/verdict-service";
import type { AttemptMemory } from "./attempt.ts";
import type { Mode } from "./config.ts";
import type { Cluster } from "./loop.ts";

/** What the agent writes down after each decision: for people, and for itself after a restart. */
export interface AgentStatus {
  attempt: string | undefined;
  memory: AttemptMemory | undefined;
  endings: Endings;
  ended: boolean;
  number: number;
  mode: Mode;
  /** The last decision in words. */
  decision: string;
  /** Why it cannot steer although it is told to. */
  obstacle?: string;
}

const nameOf = (rollout: string) => `${rollout}-agent-status`;

/** Of an earlier life of the agent. What this version cannot read is begun anew. */
export async function readStatus(kube: Cluster, rollout: string): Promise<AgentStatus | undefined> {
  const found = await kube.get<ConfigMap>(resources.ConfigMap, nameOf(rollout));
  const text = found?.data?.["status.json"];
  if (text === undefined) return undefined;
  try {
    const status = JSON.parse(text) as AgentStatus;
    return status.memory?.schemaVersion === 1 ? status : undefined;
  } catch {
    return undefined;
  }
}

export async function writeStatus(kube: Cluster, rollout: Rollout, status: AgentStatus): Promise<void> {
  const { name, namespace, uid } = rollout.metadata;
  await kube.apply(
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: nameOf(name),
        namespace: namespace ?? kube.namespace,
        labels: { "app.kubernetes.io/managed-by": "safe-deploy-agent" },
        // It goes with the Rollout.
        ...(uid === undefined
          ? {}
          : { ownerReferences: [{ apiVersion: rollout.apiVersion, kind: rollout.kind, name, uid }] }),
      },
      data: {
        decision: status.decision,
        verdict: status.memory?.result?.reason ?? "",
        "status.json": JSON.stringify(status),
      },
    },
    { force: true, fieldManager: "safe-deploy-agent" },
  );
}

/** Beside the controller's own Events of the Rollout. */
export async function tellEvent(
  kube: Cluster,
  rollout: Rollout,
  { reason, type, message }: { reason: string; type: "Normal" | "Warning"; message: string },
): Promise<void> {
  const { name, namespace, uid } = rollout.metadata;
  const time = new Date(kube.serverNow()).toISOString();
  await kube.create({
    apiVersion: "v1",
    kind: "Event",
    metadata: { generateName: `${name}.agent.`, namespace: namespace ?? kube.namespace },
    involvedObject: {
      apiVersion: rollout.apiVersion,
      kind: rollout.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    type,
    reason,
    // Longer ones are refused.
    message: message.slice(0, 1000),
    source: { component: "safe-deploy-agent" },
    firstTimestamp: time.replace(/\.\d+Z$/, "Z"),
    lastTimestamp: time.replace(/\.\d+Z$/, "Z"),
    count: 1,
  });
}
