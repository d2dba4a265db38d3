import type { Delay } from "../budget.ts";
import type { Policy } from "../policy.ts";

/** A comparison with a measured value, as in `result[0] < 0.01`. */
export interface Condition {
  operator: "<" | "<=" | ">" | ">=";
  limit: number;
}

/** A metric of an AnalysisTemplate. Times are in seconds. */
export interface Metric {
  name: string;
  value: "errorRatio" | "successRatio" | "errorCount";
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
  scrapeSeconds: number;
  /** `scaleUp`: until the pods of a new weight are ready; the other parts are those of a verdict's way to the router. */
  delay: Pick<Delay, "reconcile" | "router"> & { scaleUp: number };
  /** What judges: the metrics' thresholds, or the sequential tests in their place. */
  engine: "thresholds" | "sequential";
  /** For the sequential engine; `gateSeconds` is how long a gate waits, `askSeconds` how often the controller asks. */
  sequential: { policy: Policy; gateSeconds: number; askSeconds: number };
}

/** The share of the requests that the canary gets at a weight, 0 to 1. */
export function shareAt({ router, replicas }: Pick<RolloutPlan, "router" | "replicas">, weight: number): number {
  if (router || weight === 0 || weight === 100) return weight / 100;
  // Pods cannot be split: at least one of either version, the nearest number otherwise, with one pod more for a while.
  const canary = Math.min(replicas, Math.max(1, Math.round((replicas * weight) / 100)));
  return canary / (Math.max(1, replicas - canary) + canary);
}
