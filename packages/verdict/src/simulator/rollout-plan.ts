import type { Delay } from "../budget.ts";
import type { Policy } from "../policy.ts";
import type { Steering } from "./steering.ts";

/** A comparison with a measured value, as in `result[0] < 0.01`. */
export interface Condition {
  operator: "<" | "<=" | ">" | ">=";
  limit: number;
  /** Whether it asks for the contrary, as in `!(result[0] >= 0.01)`, which NaN meets. */
  negated?: boolean;
}

/** A metric of an AnalysisTemplate. Times are in seconds. */
export interface Metric {
  name: string;
  /** `good` is a metric of something that is not simulated: it takes its measurements, and each is successful. */
  value: "errorRatio" | "successRatio" | "errorCount" | "good";
  /** Whose requests the query sums up. */
  of: "canary" | "both";
  /**
   * How it reads the counters: `growth` takes the difference of two samples, and all of a series that is younger than
   * the window; `rate` is Prometheus' function, which does not see the value that a series is born with.
   */
  read: "growth" | "rate";
  windowSeconds: number;
  /** Whether no bad request at all counts as 0 (`or vector(0)`) or as no answer. */
  orZero: boolean;
  /** The first bad requests, which are not counted. */
  forgive: number;
  /** Bad requests that are added before a version passes; then what is not good enough is NaN until it is bad enough. */
  doubt: number;
  /** Whether it can only fail a version: `doubt` and `minRequests` are for passing. */
  failsOnly: boolean;
  /** With fewer requests in the window there is no answer. */
  minRequests: number;
  /** Whether the conditions look into the vector (`result[0]`); comparing the vector itself is an error. */
  indexed: boolean;
  /** Whether the conditions first ask if there is an answer; then no answer is inconclusive, not an error. */
  guarded: boolean;
  success?: Condition;
  failure?: Condition;
  intervalSeconds: number;
  initialDelaySeconds: number;
  /** 0: for ever. */
  count: number;
  failureLimit: number;
  inconclusiveLimit: number;
  consecutiveErrorLimit: number;
  /** 0: none. */
  consecutiveSuccessLimit: number;
}

export type Step =
  | { setWeight: number }
  /** null: until a person promotes. */
  | { pauseSeconds: number | null }
  | { analysis: Metric[] };

export interface RolloutPlan {
  steps: Step[];
  background: { metrics: Metric[]; fromStep: number };
  /** Without a router the share of the pods is the share of the requests. */
  router: boolean;
  replicas: number;
  /** Whether an update may have a pod more than the replicas, which gets closer to a weight without a router. */
  surges: boolean;
  scrapeSeconds: number;
  /** `scaleUp`: until new pods are ready; the other parts are those of a verdict's way to the router. */
  delay: Pick<Delay, "reconcile" | "router"> & { scaleUp: number };
  /**
   * The controller notes moments in whole multiples of this, in seconds, rounded down: what lasts from one for a time
   * ends up to so much sooner. 0: exactly. A Kubernetes object's times have no fractions of a second.
   */
  clockSeconds: number;
  /** What judges: the metrics' thresholds, or the sequential tests in their place. */
  engine: "thresholds" | "sequential";
  /**
   * For the sequential engine; `gateSeconds` is how long a gate waits, `askSeconds` how often the controller asks,
   * `horizonSeconds` the time that false alarms are bounded for (default: that which is simulated).
   */
  sequential: { policy: Policy; gateSeconds: number; askSeconds: number; horizonSeconds?: number };
  /** Who ends pauses without an end; undefined: a person, who is not simulated. */
  steering?: Steering;
}

/**
 * How long a rollout takes when every measurement is good and no person has to act, in seconds. A gate of the sequential
 * engine passes when it has seen enough, which is no time that was planned.
 */
export function plannedSeconds({ steps, delay, engine, steering }: RolloutPlan): number {
  let seconds = 0;
  for (const step of steps) {
    if ("setWeight" in step) seconds += delay.scaleUp + delay.reconcile;
    else if ("pauseSeconds" in step) seconds += step.pauseSeconds ?? steering?.stepSeconds ?? 0;
    else {
      const own = engine === "sequential" ? step.analysis.filter(isTakenAsGood) : step.analysis;
      seconds += gateSeconds(own) + 2 * delay.reconcile;
    }
  }
  return seconds;
}

/** How long a rollout is watched unless told otherwise: ten minutes longer than it takes, in seconds. */
export function usualHorizonSeconds(plan: RolloutPlan): number {
  const gates = plan.steps.filter((step) => "analysis" in step && isJudged(step.analysis)).length;
  const waits = plan.engine === "sequential" ? gates * plan.sequential.gateSeconds : 0;
  return Math.ceil(plannedSeconds(plan) + waits + 600);
}

/** Whether anything in a gate says something about errors. */
export function isJudged(analysis: readonly Metric[]): boolean {
  return !analysis.every(isTakenAsGood);
}

export function isTakenAsGood({ value }: Metric): boolean {
  return value === "good";
}

/** How long a gate takes whose every measurement is good, in seconds. */
export function gateSeconds(metrics: readonly Metric[]): number {
  const each = metrics.map(
    ({ initialDelaySeconds, intervalSeconds, count, consecutiveSuccessLimit: passes }) =>
      initialDelaySeconds + ((passes > 0 ? passes : count) - 1) * intervalSeconds,
  );
  return Math.max(...each, 0);
}

/**
 * The share of the requests that the canary gets at a weight, 0 to 1.
 *
 * Without a router it is the share of the pods, chosen as Argo Rollouts 1.10 does: the number of canary pods, of as many
 * pods as the replicas or of one more where the update may surge, that comes closest to the weight; at least one of
 * either version (`approximateWeightedCanaryStableReplicaCounts` in utils/replicaset/canary.go).
 */
export function shareAt(
  { router, replicas, surges }: Pick<RolloutPlan, "router" | "replicas" | "surges">,
  weight: number,
): number {
  if (router || weight === 0 || weight === 100) return weight / 100;
  const zeroAllowed = replicas === 1 && !surges;
  const wanted = (replicas * weight) / 100;
  const up = Math.ceil(wanted);
  const down = Math.floor(wanted);
  const options: [canary: number, total: number][] = [];
  const add = (total: number, upAllowed: boolean) => {
    if (upAllowed) options.push([up, total]);
    const isTied = ((total * weight) / 100) % 1 === 0.5;
    if (!isTied && (down !== 0 || zeroAllowed)) options.push([down, total]);
  };
  add(replicas, up < replicas || zeroAllowed);
  if (surges) add(replicas + 1, true);
  const shares = options.map(([canary, total]) => canary / total);
  return shares.reduce(
    (best, share) => (Math.abs(share - weight / 100) < Math.abs(best - weight / 100) ? share : best),
    shares[0] ?? 0,
  );
}
