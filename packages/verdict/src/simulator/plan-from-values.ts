import { type Bad, defaultPolicy, type Policy, type Rule } from "../policy.ts";
import { type Condition, isJudged, isTakenAsGood, type Metric, type RolloutPlan, type Step } from "./rollout-plan.ts";

/** What of the chart's values a canary's course depends on, as `values.yaml` has it. */
export interface RolloutValues {
  worker?: boolean;
  replicaCount?: number;
  autoscaling?: { enabled?: boolean; minReplicas?: number };
  verify?: { enabled?: boolean };
  rollout: {
    strategy?: string;
    router?: string;
    waitScale?: number;
    canary: {
      steps: ({ setWeight: number } | { pause: { seconds?: number } | null } | { analysis: string[] })[];
      background?: string[];
      backgroundFromStep?: number;
      maxSurge?: number | string;
    };
    bake?: { seconds?: number; analysis?: string[] };
  };
  analysis: {
    engine?: "thresholds" | "sequential" | "both" | null;
    sequential?: SequentialValues;
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

export interface SequentialValues {
  form?: "service" | "job";
  intervalSeconds?: number;
  scrapeSeconds?: number;
  gateSeconds?: number;
  horizonSeconds?: number;
  policy?: Partial<Omit<Policy, "rules" | "budget">> & {
    budget?: number | null;
    rules?: Record<string, RuleValues | null>;
  };
}

export interface RuleValues {
  bad: "errors" | "slower" | "matching" | "silence";
  seconds?: number;
  settleSeconds?: number;
  p0?: number;
  p1?: number;
  tolerated?: number;
  refused?: number;
  alphaShare?: number;
}

export interface MetricValues {
  type?: string;
  pass?: number;
  fail?: number;
  forgive?: number;
  doubt?: number;
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
  /** What judges; default: what the values say. */
  engine?: RolloutPlan["engine"];
  /** Between two scrapes of Prometheus, in seconds; the sequential engine reads the pods as often as the values say. */
  scrapeSeconds: number;
  delay: RolloutPlan["delay"];
  /** How long a Job of a gate takes to pass, in seconds. */
  jobSeconds: number;
}

export const defaultAssumptions: PlanAssumptions = {
  scrapeSeconds: 5,
  // Measured on a cluster of one node with Traefik, which takes over at most one change in two seconds.
  delay: { scaleUp: 2, reconcile: 0.3, router: 1 },
  jobSeconds: 5,
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
 * @returns the plan, and the metrics and rules that say nothing about errors and are taken as always good.
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
    throw new PlanError(["rollout.strategy: a blue-green rollout has no weights to simulate; take `canary`"]);
  }
  if (!rollout.canary.steps.some((step) => "setWeight" in step)) {
    problems.push("rollout.canary.steps: none sets a weight, so the canary has all requests at once; add `setWeight`");
  }
  const scale = rollout.waitScale ?? 1;
  const metricsOf = (names: readonly string[], use: Use, path: string): Metric[] =>
    names.flatMap((name) => {
      const own = values.analysis.metrics[name];
      if (own === undefined) {
        problems.push(`${path}: no metric of analysis.metrics is named ${name}`);
        return [];
      }
      const metric = metricOf(values, name, own, use, assumptions);
      if (typeof metric === "string") {
        problems.push(`analysis.metrics.${name}: ${metric}`);
        return [];
      }
      if (metric.value === "good") {
        alwaysGood.add(name);
        // What only takes back, and never does, changes nothing.
        if (use === "background") return [];
      }
      return [metric];
    });

  const engine = assumptions.engine ?? engineOf(values);
  const given = rollout.canary.steps.map((step, index): Step => {
    if ("setWeight" in step) return { setWeight: step.setWeight };
    if ("pause" in step) {
      const seconds = step.pause?.seconds;
      return { pauseSeconds: seconds === undefined ? null : scaled(seconds, scale) };
    }
    const path = `rollout.canary.steps[${index}].analysis`;
    if (engine === "thresholds") return { analysis: metricsOf(step.analysis, "gate", path) };
    const others = step.analysis.filter((name) => !isAboutRequests(values, name));
    const judges = others.length < step.analysis.length;
    return { analysis: [...(judges ? [sequentialGate] : []), ...metricsOf(others, "gate", path)] };
  });
  const bakeSeconds = rollout.bake?.seconds ?? 0;
  const steps =
    engine === "sequential"
      ? gatedSteps(given, scaled(bakeSeconds, scale))
      : [
          ...given,
          ...(lastWeight(given) === 100 ? [] : [{ setWeight: 100 }]),
          ...(bakeSeconds > 0
            ? [{ analysis: metricsOf(rollout.bake?.analysis ?? [], "bake", "rollout.bake.analysis") }]
            : []),
        ];
  if (values.verify?.enabled === true) steps.push({ analysis: [job("verified", assumptions)] });
  const watched = (rollout.canary.background ?? []).filter(
    (name) => engine === "thresholds" || !isAboutRequests(values, name),
  );
  const background = {
    metrics: metricsOf(watched, "background", "rollout.canary.background"),
    fromStep: engine === "thresholds" ? (rollout.canary.backgroundFromStep ?? 1) : watchedFrom(values, steps),
  };
  const sequential = values.analysis.sequential ?? {};
  const policy = policyFromValues(sequential.policy ?? {});
  if (engine === "sequential" && policy.rules[0]?.bad.kind !== "errors") {
    problems.push(
      "analysis.sequential.policy.rules: none is about errors with p0 and p1, and only errors are simulated",
    );
  }
  if (problems.length > 0) throw new PlanError(problems);
  if (engine === "sequential") for (const { name } of policy.rules.slice(1)) alwaysGood.add(name);
  return {
    plan: {
      steps,
      background,
      router: (rollout.router ?? "none") !== "none",
      replicas: (values.autoscaling?.enabled === true ? values.autoscaling.minReplicas : values.replicaCount) ?? 1,
      surges: Number.parseInt(String(rollout.canary.maxSurge ?? "25%"), 10) > 0,
      scrapeSeconds: engine === "sequential" ? (sequential.scrapeSeconds ?? 1) : assumptions.scrapeSeconds,
      delay: assumptions.delay,
      clockSeconds: 1,
      engine,
      sequential: {
        policy,
        gateSeconds: sequential.gateSeconds ?? 300,
        askSeconds: sequential.intervalSeconds ?? 2,
        horizonSeconds: sequential.horizonSeconds ?? 7200,
      },
    },
    alwaysGood: [...alwaysGood],
  };
}

/** What decides. The chart's `myapp.engine`. */
function engineOf({ worker, analysis }: RolloutValues): RolloutPlan["engine"] {
  const engine = analysis.engine ?? (worker === true ? "thresholds" : "sequential");
  return engine === "sequential" ? "sequential" : "thresholds";
}

function lastWeight(steps: readonly Step[]): number | undefined {
  return steps.findLast((step) => "setWeight" in step)?.setWeight;
}

/** Whether the sequential engine takes a metric's place. The chart's `myapp.isAboutRequests`. */
function isAboutRequests({ analysis }: RolloutValues, name: string): boolean {
  const type = analysis.metrics[name]?.type ?? name;
  const about = ["errorRatio", "successRatio", "ingressSuccessRatio", "errorCount", "latency", "latencyVersusStable"];
  return about.includes(type);
}

/** The gate of the sequential engine: it judges errors, by tests that are not this metric's. */
const sequentialGate: Metric = { ...passing("sequential"), value: "errorRatio" };

/**
 * The steps with a gate of the sequential engine after every change of weight, also of the last, before the weight
 * changes again; it takes the place of every metric about errors. The chart's `myapp.sequentialSteps`.
 */
function gatedSteps(given: readonly Step[], bakeSeconds: number): Step[] {
  const steps: Step[] = [];
  let weight = 0;
  let isGated = true;
  const setWeight = (next: number) => {
    if (!isGated) steps.push({ analysis: [sequentialGate] });
    steps.push({ setWeight: next });
    weight = next;
    isGated = next === 0;
  };
  for (const step of given) {
    if ("setWeight" in step) setWeight(step.setWeight);
    else if ("pauseSeconds" in step) steps.push(step);
    else {
      const others = step.analysis.filter(isTakenAsGood);
      const judges = weight > 0 && isJudged(step.analysis);
      if (judges || others.length > 0) steps.push({ analysis: judges ? step.analysis : others });
      isGated = isGated || judges;
    }
  }
  if (weight !== 100) setWeight(100);
  if (bakeSeconds > 0) {
    steps.push({ pauseSeconds: bakeSeconds });
    isGated = false;
  }
  if (!isGated) steps.push({ analysis: [sequentialGate] });
  return steps;
}

/** The step from which on the verdict is asked for in the background; between the gates of a Job nobody looks. */
function watchedFrom({ analysis }: RolloutValues, steps: readonly Step[]): number {
  if (analysis.sequential?.form === "job") return Infinity;
  return 1 + steps.findIndex((step) => "setWeight" in step);
}

/** The policy as the chart hands it to the verdict service, the rule about errors first. */
function policyFromValues(own: NonNullable<SequentialValues["policy"]>): Policy {
  const { rules = {}, budget, ...rest } = own;
  const named = Object.entries(rules).flatMap(([name, rule]) => (rule === null ? [] : [ruleFromValues(name, rule)]));
  const isFirst = ({ bad, absolute }: Rule) => bad.kind === "errors" && absolute !== undefined;
  const sorted = named.toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
  return {
    ...defaultPolicy,
    ...rest,
    ...(named.length === 0 ? {} : { rules: sorted }),
    ...(budget === undefined || budget === null ? {} : { budget }),
  };
}

function ruleFromValues(key: string, rule: RuleValues): Rule {
  const { p0, p1, tolerated, refused, alphaShare } = rule;
  const bad: Record<RuleValues["bad"], Bad> = {
    errors: { kind: "errors" },
    slower: { kind: "slower", than: rule.seconds ?? 0 },
    matching: { kind: "event", name: key },
    silence: { kind: "silence", settleSeconds: rule.settleSeconds ?? 10 },
  };
  return {
    name: key.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
    bad: bad[rule.bad],
    source: "app",
    ...(p0 === undefined || p1 === undefined ? {} : { absolute: { p0, p1 } }),
    ...(tolerated === undefined ? {} : { relative: { tolerated, ...(refused === undefined ? {} : { refused }) } }),
    ...(alphaShare === undefined ? {} : { alphaShare }),
  };
}

type Use = "gate" | "background" | "bake";

/** @returns a string for a metric that cannot be used, with the reason. */
function metricOf(
  { rollout, analysis }: RolloutValues,
  name: string,
  own: MetricValues,
  use: Use,
  assumptions: PlanAssumptions,
): Metric | string {
  const type = own.type ?? name;
  if (type === "smoke") return job(name, assumptions);
  const value = valueOf(type);
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
  const minRequests = own.minRequests ?? analysis.minRequests ?? 1;
  let delay = scaled(own.initialDelaySeconds ?? 0, scale);
  let passes = own.passes ?? 1;
  // More than the limits allow, so that they decide and not the count.
  let count = (failureLimit + inconclusiveLimit + 1) * passes + failureLimit + inconclusiveLimit;
  if (use === "background") {
    count = passes = 0;
    // How long requests take to be seen no factor changes.
    if (own.initialDelaySeconds === undefined) delay = analysis.warmUpSeconds ?? 0;
  } else if (use === "bake") {
    passes = 0;
    count = Math.max(1 + Math.ceil(scaled(rollout.bake?.seconds ?? 0, scale) / intervalSeconds), 1 + failureLimit);
  } else if (own.count !== undefined) {
    passes = 0;
    count = own.count;
  }
  if (count > 0) inconclusiveLimit = Math.min(inconclusiveLimit, passes === 0 ? count - 1 : count);
  const isSuccess = value === "successRatio";
  const isBackground = use === "background";
  const failure: Condition = { operator: isSuccess ? "<" : ">=", limit: own.fail ?? pass };
  const success: Condition = { operator: isSuccess ? ">=" : "<", limit: pass };
  const metric: Metric = {
    name,
    value,
    of: "canary",
    read: "growth",
    windowSeconds: Math.max(10, scaled(own.windowSeconds ?? analysis.windowSeconds ?? 120, scale)),
    orZero: true,
    forgive,
    doubt: own.doubt ?? 0,
    failsOnly: isBackground,
    minRequests: Math.max(1, minRequests),
    indexed: true,
    guarded: pauses,
    failure,
    intervalSeconds,
    initialDelaySeconds: delay,
    count,
    failureLimit,
    inconclusiveLimit,
    consecutiveErrorLimit: limits.consecutiveError ?? Math.ceil(noDataSeconds / 10),
    consecutiveSuccessLimit: passes,
  };
  if (!isBackground) return { ...metric, success };
  return pauses ? { ...metric, success: { ...failure, negated: true } } : metric;
}

/** What a type of the chart's library asks of errors; `good` for those that ask of something else. */
function valueOf(type: string): Metric["value"] {
  // A router counts the answers that the pods gave.
  if (type === "ingressSuccessRatio") return "successRatio";
  return type === "errorRatio" || type === "successRatio" || type === "errorCount" ? type : "good";
}

/** A Job, which passes. */
function job(name: string, { jobSeconds }: PlanAssumptions): Metric {
  return { ...passing(name), initialDelaySeconds: jobSeconds };
}

/** What is measured once, and is good. */
function passing(name: string): Metric {
  return {
    name,
    value: "good",
    of: "canary",
    read: "growth",
    windowSeconds: 0,
    orZero: true,
    forgive: 0,
    doubt: 0,
    failsOnly: false,
    minRequests: 0,
    indexed: true,
    guarded: false,
    intervalSeconds: 0,
    initialDelaySeconds: 0,
    count: 1,
    failureLimit: 0,
    inconclusiveLimit: 0,
    consecutiveErrorLimit: 0,
    consecutiveSuccessLimit: 0,
  };
}

/** Whole seconds after the factor for all waits, at least one unless there were none. */
function scaled(seconds: number, factor: number): number {
  return seconds > 0 ? Math.max(1, Math.ceil(seconds * factor)) : 0;
}
