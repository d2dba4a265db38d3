import type { Metric } from "../src/simulator/rollout-plan.ts";

/** A metric as people write it: the share of 5xx of both versions over a minute, six times. */
export const metric: Metric = {
  name: "errors",
  value: "errorRatio",
  of: "both",
  read: "rate",
  windowSeconds: 60,
  orZero: true,
  forgive: 0,
  doubt: 0,
  failsOnly: false,
  minRequests: 0,
  indexed: true,
  guarded: false,
  intervalSeconds: 30,
  initialDelaySeconds: 0,
  count: 6,
  failureLimit: 0,
  inconclusiveLimit: 0,
  consecutiveErrorLimit: 4,
  consecutiveSuccessLimit: 0,
};
