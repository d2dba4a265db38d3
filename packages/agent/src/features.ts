import type { Verdict } from "@safe-deploy/verdict";
import type { Evidence } from "./evidence.ts";

/** What the last step showed, in the terms of the project that the agent was asked for after: see source-dynamics.ts. */
export interface Metrics {
  /** Share of the version's requests that failed. */
  errorRatio: number;
  /** 95th percentile, in milliseconds. */
  latencyMs: number;
  /** Of the version's pods, as a share of what they may use. */
  cpu: number;
  memory: number;
  /** Of both versions together. */
  totalErrorRatio: number;
  totalLatencyMs: number;
  requestsPerSecond: number;
}

export interface Situation {
  metrics: Metrics;
  /** In milliseconds. */
  sloLatencyMs: number;
  /** Percent. */
  weight: number;
  stepsAtWeight: number;
  step: number;
  horizon: number;
  /** The version's requests and bad requests since the start, and since the last change of weight. */
  total: { requests: number; bad: number };
  atWeight: { requests: number; bad: number };
  evidence: Evidence;
  verdict: Verdict;
  stableServes: boolean;
}

/** The network's inputs in their order. A model names those that it was trained with, and is refused with others. */
export const featureNames = [
  "errorRatio",
  "latency",
  "cpu",
  "memory",
  "totalErrorRatio",
  "totalLatency",
  "requestRate",
  "weight",
  "requests",
  "bad",
  "requestsAtWeight",
  "badAtWeight",
  "fromStart",
  "recent",
  "relative",
  "suspicion",
  "gate",
  "passes",
  "stepsAtWeight",
  "step",
  "promoted",
  "stableServes",
] as const;

const within = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
/** Counts over five orders of magnitude, from 0 to 1. */
const count = (value: number) => Math.min(1, Math.log10(1 + value) / 5);

/** Writes the inputs, each between -1 and 1, in the order of `featureNames`. */
export function writeFeatures(s: Situation, into: Float32Array, offset = 0): void {
  const { metrics, evidence } = s;
  const values = [
    within(10 * metrics.errorRatio, 0, 1),
    within(metrics.latencyMs / (2 * s.sloLatencyMs), 0, 1),
    within(metrics.cpu, 0, 1),
    within(metrics.memory, 0, 1),
    within(10 * metrics.totalErrorRatio, 0, 1),
    within(metrics.totalLatencyMs / (5 * s.sloLatencyMs), 0, 1),
    count(metrics.requestsPerSecond),
    s.weight / 100,
    count(s.total.requests),
    count(s.total.bad),
    count(s.atWeight.requests),
    count(s.atWeight.bad),
    within(evidence.fromStart, -1, 1),
    within(evidence.recent, 0, 1),
    within(evidence.relative, 0, 1),
    within(evidence.suspicion, 0, 1),
    within(evidence.gate, -1, 1),
    s.verdict === "pass" ? 1 : 0,
    within(s.stepsAtWeight / 10, 0, 1),
    s.step / s.horizon,
    s.weight === 100 ? 1 : 0,
    s.stableServes ? 1 : 0,
  ];
  into.set(values, offset);
}
