import { parseQuantity, type Quantity } from "@safe-deploy/kube";

/** Resources of a pod by the names that a ResourceQuota counts them under. */
export type Usage = Record<string, Quantity>;

export interface Quota {
  name: string;
  hard: Record<string, string>;
  used: Record<string, string>;
}

interface PodSpecLike {
  containers: {
    resources?: { requests?: Record<string, string | number>; limits?: Record<string, string | number> };
  }[];
}

export interface RolloutShape {
  replicas: number;
  maxUnavailable: number;
}

export interface QuotaProblem {
  quota: string;
  resource: string;
  needed: Quantity;
  available: Quantity;
}

/**
 * Whether a rolling update fits a quota at its tightest moment: all old pods but the unavailable ones, one new pod and
 * the hook's pod; and at its end: all new pods and the hook's. A surge that does not fit only makes it slower.
 *
 * @param old the pods of the workload that the quota counts already.
 */
export function quotaProblems(
  quotas: readonly Quota[],
  pods: { old: readonly Usage[]; fresh: Usage; hook: Usage },
  shape: RolloutShape,
): QuotaProblem[] {
  const staying = Math.max(0, Math.min(pods.old.length, shape.replicas - shape.maxUnavailable));
  const oldSum = sum(pods.old);
  const oldStaying = pods.old.length === 0 ? {} : scale(oldSum, BigInt(staying), BigInt(pods.old.length));
  const tightest = sum([oldStaying, pods.fresh, pods.hook]);
  const atEnd = sum([scale(pods.fresh, BigInt(shape.replicas), 1n), pods.hook]);
  return quotas.flatMap((quota) =>
    Object.entries(quota.hard).flatMap(([resource, hard]) => {
      const needed = greater(tightest[resource] ?? 0n, atEnd[resource] ?? 0n);
      const others = parseQuantity(quota.used[resource] ?? "0") - (oldSum[resource] ?? 0n);
      const available = parseQuantity(hard) - others;
      return needed > available ? [{ quota: quota.name, resource, needed, available }] : [];
    }),
  );
}

/** What a quota counts for one pod of this shape. */
export function usageOf(spec: PodSpecLike): Usage {
  const one = parseQuantity(1);
  const usage: Usage = { pods: one, "count/pods": one };
  for (const { resources } of spec.containers) {
    for (const [kind, amounts] of Object.entries({ requests: resources?.requests, limits: resources?.limits })) {
      for (const [name, amount] of Object.entries(amounts ?? {})) {
        const keys = kind === "requests" ? [`requests.${name}`, name] : [`limits.${name}`];
        for (const key of keys) usage[key] = (usage[key] ?? 0n) + parseQuantity(amount);
      }
    }
  }
  return usage;
}

/** `25%` of the replicas, rounded as Kubernetes rounds maxUnavailable: down. */
export function resolveMaxUnavailable(value: string | number | undefined, replicas: number): number {
  if (typeof value === "number") return value;
  const percent = Number((value ?? "25%").replace("%", ""));
  return Math.floor((percent / 100) * replicas);
}

function sum(usages: readonly Usage[]): Usage {
  const total: Usage = {};
  for (const usage of usages)
    for (const [key, amount] of Object.entries(usage)) total[key] = (total[key] ?? 0n) + amount;
  return total;
}

function scale(usage: Usage, times: bigint, dividedBy: bigint): Usage {
  return Object.fromEntries(Object.entries(usage).map(([key, amount]) => [key, (amount * times) / dividedBy]));
}

function greater(a: Quantity, b: Quantity): Quantity {
  return a > b ? a : b;
}
