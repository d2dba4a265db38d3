import { parseQuantity, type Quantity } from "@safe-deploy/kube";

/** Resources of a pod by the names that a ResourceQuota counts them under. */
export type Usage = Record<string, Quantity>;

export interface Quota {
  name: string;
  hard: Record<string, string>;
  used: Record<string, string>;
}

interface ContainerLike {
  resources?: { requests?: Record<string, string | number>; limits?: Record<string, string | number> };
}

interface PodSpecLike {
  containers: ContainerLike[];
  initContainers?: ContainerLike[];
}

export interface RolloutShape {
  replicas: number;
  maxUnavailable: number;
  /** The old pods stay until every new one serves. */
  keepsOld?: boolean;
}

export interface QuotaProblem {
  quota: string;
  resource: string;
  needed: Quantity;
  available: Quantity;
}

/**
 * Whether a rolling update fits a quota at its tightest moments, each with the hook's pod: when its first old pod has to
 * wait for a new one, when its last old pod has, and at its end. A surge that does not fit only makes it slower.
 *
 * @param old the pods of the workload that the quota counts already.
 */
export function quotaProblems(
  quotas: readonly Quota[],
  pods: { old: readonly Usage[]; fresh: Usage; hook: Usage },
  shape: RolloutShape,
): QuotaProblem[] {
  const oldSum = sum(pods.old);
  const moments = tightestMoments(pods.old.length, shape).map(({ old, fresh }) =>
    sum([
      scale(oldSum, BigInt(old), BigInt(Math.max(1, pods.old.length))),
      scale(pods.fresh, BigInt(fresh), 1n),
      pods.hook,
    ]),
  );
  return quotas.flatMap((quota) =>
    Object.entries(quota.hard).flatMap(([resource, hard]) => {
      const needed = moments.map((usage) => usage[resource] ?? 0n).reduce(greater);
      const others = parseQuantity(quota.used[resource] ?? "0") - (oldSum[resource] ?? 0n);
      const available = parseQuantity(hard) - others;
      return needed > available ? [{ quota: quota.name, resource, needed, available }] : [];
    }),
  );
}

/** How many old and new pods there are when the rollout cannot go on without room for all of them. */
function tightestMoments(
  old: number,
  { replicas, maxUnavailable, keepsOld }: RolloutShape,
): { old: number; fresh: number }[] {
  if (keepsOld === true) return [{ old, fresh: replicas }];
  const end = { old: 0, fresh: replicas };
  // So many pods must answer at any time; one more, and an old one may end.
  const answering = replicas - maxUnavailable;
  const staying = Math.min(old, answering);
  if (staying <= 0) return [end];
  return [{ old: staying, fresh: answering - staying + 1 }, { old: 1, fresh: answering }, end];
}

/** What a quota counts for one pod of this shape: its containers together, or its largest init container if that is more. */
export function usageOf(spec: PodSpecLike): Usage {
  const one = parseQuantity(1);
  const usage: Usage = { pods: one, "count/pods": one, ...sum(spec.containers.map(usageOfContainer)) };
  for (const init of (spec.initContainers ?? []).map(usageOfContainer)) {
    for (const [key, amount] of Object.entries(init)) usage[key] = greater(usage[key] ?? 0n, amount);
  }
  return usage;
}

function usageOfContainer({ resources }: ContainerLike): Usage {
  const usage: Usage = {};
  // The API server takes the limit for a request that is left out.
  for (const [name, amount] of Object.entries({ ...resources?.limits, ...resources?.requests })) {
    for (const key of [`requests.${name}`, name]) usage[key] = parseQuantity(amount);
  }
  for (const [name, amount] of Object.entries(resources?.limits ?? {})) usage[`limits.${name}`] = parseQuantity(amount);
  return usage;
}

/** How the strategy of a Deployment or a Rollout replaces its pods, with Kubernetes' defaults and its rounding. */
export function rolloutShape(strategy: Strategy | undefined, replicas: number): RolloutShape {
  const { blueGreen, canary } = strategy ?? {};
  const isRouted = canary?.trafficRouting !== undefined && canary.dynamicStableScale !== true;
  if (blueGreen !== undefined || isRouted) return { replicas, maxUnavailable: 0, keepsOld: true };
  // All old pods end before the first new one is made.
  if (strategy?.type === "Recreate") return { replicas, maxUnavailable: replicas };
  const { maxUnavailable = "25%", maxSurge = "25%" } = canary ?? strategy?.rollingUpdate ?? {};
  const unavailable = Math.min(replicas, Math.floor(podCount(maxUnavailable, replicas)));
  const surge = Math.ceil(podCount(maxSurge, replicas));
  return { replicas, maxUnavailable: unavailable === 0 && surge === 0 ? 1 : unavailable };
}

export interface Strategy {
  type?: string;
  rollingUpdate?: Surge;
  blueGreen?: object;
  canary?: Surge & { trafficRouting?: object; dynamicStableScale?: boolean };
}

interface Surge {
  maxUnavailable?: string | number;
  maxSurge?: string | number;
}

function podCount(value: string | number, replicas: number): number {
  return typeof value === "number" ? value : (Number(value.replace("%", "")) / 100) * replicas;
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
