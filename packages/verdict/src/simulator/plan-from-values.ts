import { defaultPolicy, type Policy } from "../policy.ts";
import type { Condition, Metric, RolloutPlan, Step } from "./rollout-plan.ts";

/** What of the chart's values a canary's course depends on, as `values.yaml` has it. */
export interface RolloutValues {
  replicaCount?: number;
  rollout: {
    strategy?: string;
    router?: string;
    waitScale?: number;
    canary: {
      steps: ({ setWeight: number } | { pause: { seconds?: number } | null } | { analysis: string[] })[];
      background?: string[];
      backgroundFromStep?: number;
    };
    bake?: { seconds?: number; analysis?: string[] };
  };
  analysis: {
    onNoData?: "abort" | "pause";
    noDataSeconds?: number;
    minRequests?: number;
    intervalSeconds?: number;
    warmUpSeconds?: number;
    windowSeconds?: number;
    limits?: { failure?: number; inconclusive?: number; consecutiveError?: number | null };
    metrics: Record<string, MetricValues>;
  };
}

export interface MetricValues {
  type?: string;
  pass?: number;
  fail?: number;
  forgive?: number;
  minRequests?: number;
  windowSeconds?: number;
  intervalSeconds?: number;
  initialDelaySeconds?: number;
  count?: number;
  passes?: number;
  failureLimit?: number;
  inconclusiveLimit?: number;
}

/** What the values do not say. */
export interface PlanAssumptions {
  engine: RolloutPlan["engine"];
  scrapeSeconds: number;
  delay: RolloutPlan["delay"];
  policy: Policy;
  gateSeconds: number;
  askSeconds: number;
}

export const defaultAssumptions: PlanAssumptions = {
  engine: "thresholds",
  scrapeSeconds: 5,
  // Measured on a cluster of one node with Traefik, which takes over at most one change in two seconds.
  delay: { scaleUp: 2, reconcile: 0.3, router: 1 },
  policy: defaultPolicy,
  gateSeconds: 300,
  askSeconds: 5,
};

/** Values whose rollout cannot be simulated, with every reason. */
export class PlanError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`these values cannot be simulated:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "PlanError";
    this.problems = problems;
  }
}

/**
 * Reads a canary's course out of the chart's values, with the chart's own defaults and arithmetic for analysis.
 *
 * @returns the plan, and the metrics that say nothing about errors and are taken as always good.
 * @throws PlanError listing every problem with its path.
 */
export function planFromValues(
  values: RolloutValues,
  assumptions: PlanAssumptions = defaultAssumptions,
): { plan: RolloutPlan; alwaysGood: string[] } {
  const problems: string[] = [];
  const alwaysGood = new Set<string>();
  const { rollout } = values;
  if (rollout.strategy === "blueGreen") {
    problems.push("rollout.strategy: a blue-green rollout has no weights to simulate; take `canary`");
  }
  const scale = rollout.waitScale ?? 1;
  const metricsOf = (names: readonly string[], use: Use, path: string): Metric[] =>
    names.flatMap((name) => {
      const own = values.analysis.metrics[name];
      if (own === undefined) {
        problems.push(`${path}: no metric of analysis.metrics is named ${name}`);
        return [];
      }
      const metric = metricOf(values, name, own, use);
      if (typeof metric === "string") problems.push(`analysis.metrics.${name}: ${metric}`);
      else if (metric !== undefined) return [metric];
      else alwaysGood.add(name);
      return [];
    });

  const steps = rollout.canary.steps.map((step, index): Step => {
    if ("setWeight" in step) return { setWeight: step.setWeight };
    if ("pause" in step) {
      const seconds = step.pause?.seconds;
      return { pauseSeconds: seconds === undefined ? null : scaled(seconds, scale) };
    }
    return { analysis: metricsOf(step.analysis, "gate", `rollout.canary.steps[${index}].analysis`) };
  });
  const lastWeight = steps.findLast((step) => "setWeight" in step);
  if (lastWeight === undefined || lastWeight.setWeight !== 100) steps.push({ setWeight: 100 });
  const { bake } = rollout;
  if ((bake?.seconds ?? 0) > 0) {
    steps.push({ analysis: metricsOf(bake?.analysis ?? [], "bake", "rollout.bake.analysis") });
  }
  const background = metricsOf(rollout.canary.background ?? [], "background", "rollout.canary.background");
  if (problems.length > 0) throw new PlanError(problems);
  return {
    plan: {
      // A gate of nothing but metrics that are always good passes at once.
      steps: steps.filter((step) => !("analysis" in step) || step.analysis.length > 0),
      background: { metrics: background, fromStep: rollout.canary.backgroundFromStep ?? 1 },
      router: (rollout.router ?? "none") !== "none",
      replicas: values.replicaCount ?? 1,
      scrapeSeconds: assumptions.scrapeSeconds,
      delay: assumptions.delay,
      engine: assumptions.engine,
      sequential: {
        policy: assumptions.policy,
        gateSeconds: assumptions.gateSeconds,
        askSeconds: assumptions.askSeconds,
      },
    },
    alwaysGood: [...alwaysGood],
  };
}

type Use = "gate" | "background" | "bake";

/** @returns undefined for a metric that says nothing about errors; a string for one that cannot be used. */
function metricOf({ rollout, analysis }: RolloutValues, name: string, own: MetricValues, use: Use) {
  const value = valueOf(own.type ?? name);
  if (value === undefined) return undefined;
  const { pass } = own;
  if (pass === undefined) return "has no `pass`, the limit of what is good";
  const scale = rollout.waitScale ?? 1;
  const limits = { failure: 0, inconclusive: 0, ...analysis.limits };
  const forgive = own.forgive ?? 0;
  const intervalSeconds = scaled(own.intervalSeconds ?? analysis.intervalSeconds ?? 5, scale);
  const noDataSeconds = analysis.noDataSeconds ?? 60;
  const pauses = analysis.onNoData === "pause";
  const failureLimit = own.failureLimit ?? limits.failure;
  let inconclusiveLimit = own.inconclusiveLimit ?? limits.inconclusive;
  if (pauses) inconclusiveLimit = Math.max(inconclusiveLimit, Math.ceil(noDataSeconds / intervalSeconds));
  let minRequests = own.minRequests ?? analysis.minRequests ?? 1;
  let delay = own.initialDelaySeconds ?? 0;
  let passes = own.passes ?? 1;
  // More than the limits allow, so that they decide and not the count.
  let count = (failureLimit + inconclusiveLimit + 1) * passes + failureLimit + inconclusiveLimit;
  if (use === "background") {
    count = passes = 0;
    delay = own.initialDelaySeconds ?? analysis.warmUpSeconds ?? 0;
    if (forgive > 0) minRequests = 1;
  } else if (use === "bake") {
    passes = 0;
    count = Math.max(1 + Math.ceil(scaled(rollout.bake?.seconds ?? 0, scale) / intervalSeconds), 1 + failureLimit);
  } else if (own.count !== undefined) {
    passes = 0;
    count = own.count;
  }
  if (count > 0) inconclusiveLimit = Math.min(inconclusiveLimit, passes === 0 ? count - 1 : count);
  const isSuccess = value === "successRatio";
  const failure: Condition = { operator: isSuccess ? "<" : ">=", limit: own.fail ?? pass };
  const success: Condition = { operator: isSuccess ? ">=" : "<", limit: pass };
  const notFailed: Condition = { operator: isSuccess ? ">=" : "<", limit: own.fail ?? pass };
  const metric: Metric = {
    name,
    value,
    of: "canary",
    read: "growth",
    windowSeconds: Math.max(10, scaled(own.windowSeconds ?? analysis.windowSeconds ?? 120, scale)),
    orZero: true,
    forgive,
    minRequests: Math.max(1, minRequests),
    indexed: true,
    guarded: pauses,
    failure,
    intervalSeconds,
    initialDelaySeconds: scaled(delay, scale),
    count,
    failureLimit,
    inconclusiveLimit,
    consecutiveErrorLimit: limits.consecutiveError ?? Math.ceil(noDataSeconds / 10),
    consecutiveSuccessLimit: passes,
  };
  if (use !== "background") return { ...metric, success };
  return pauses ? { ...metric, success: notFailed } : metric;
}

/** What a type of the chart's library asks of errors; undefined for those that ask of something else. */
function valueOf(type: string): Metric["value"] | undefined {
  // A router counts the answers that the pods gave.
  if (type === "ingressSuccessRatio") return "successRatio";
  return type === "errorRatio" || type === "successRatio" || type === "errorCount" ? type : undefined;
}

/** Whole seconds after the factor for all waits, at least one unless there were none. */
function scaled(seconds: number, factor: number): number {
  return seconds > 0 ? Math.max(1, Math.ceil(seconds * factor)) : 0;
}
