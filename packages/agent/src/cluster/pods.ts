import { hashLabel, isReady, parseQuantity, type Pod, type Rollout } from "@safe-deploy/kube";
import type { Sample, Version } from "@safe-deploy/verdict";
import type { Metrics } from "../features.ts";
import { bucketGrowth, percentile95Ms, type PodReading, sumBuckets } from "./exposition.ts";

/** Which version a pod is of; undefined for one of an older version. */
export function versionOf(pod: Pod, { status = {} }: Rollout): Version | undefined {
  const hash = pod.metadata.labels?.[hashLabel];
  if (hash === undefined) return undefined;
  if (hash === status.currentPodHash) return "canary";
  return hash === status.stableRS ? "stable" : undefined;
}

/** Pods that take requests: ready, and not on their way out. */
export function isServing(pod: Pod): boolean {
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined && pod.status?.podIP !== undefined;
}

/** One pod as it was read, or why it could not be. */
export interface ReadPod {
  pod: Pod;
  version: Version;
  at: number;
  reading: PodReading | undefined;
  problem?: string;
}

export function samplesOf(read: readonly ReadPod[]): Sample[] {
  return read.flatMap(({ pod, version, at, reading }) =>
    reading === undefined
      ? []
      : [
          {
            series: pod.metadata.name,
            version,
            source: "app" as const,
            at,
            ...(reading.startedAt === undefined ? {} : { startedAt: reading.startedAt }),
            requests: reading.requests,
            errors: reading.bad,
          },
        ],
  );
}

/** All that a step's metrics are computed from: the pods at its start and at its end, and what was counted meanwhile. */
export interface StepReadings {
  before: ReadonlyMap<string, { at: number; reading: PodReading }>;
  now: readonly ReadPod[];
  counted: Record<Version, { requests: number; bad: number }>;
  seconds: number;
}

/** The metrics of a step, or what of them is missing. Nothing is filled in. */
export function metricsOf({ before, now, counted, seconds }: StepReadings): Metrics | { missing: string } {
  const { canary, stable } = counted;
  if (canary.requests === 0) return { missing: "the version had no requests in this step" };
  const growth = (versions: readonly Version[]) =>
    sumBuckets(
      now.flatMap(({ pod, version, reading }) =>
        reading === undefined || !versions.includes(version)
          ? []
          : [bucketGrowth(before.get(pod.metadata.name)?.reading, reading)],
      ),
    );
  const latencyMs = percentile95Ms(growth(["canary"]));
  const totalLatencyMs = percentile95Ms(growth(["canary", "stable"]));
  if (latencyMs === undefined || totalLatencyMs === undefined) {
    return { missing: "no histogram of durations grew in this step, so its latency is unknown" };
  }
  const all = canary.requests + stable.requests;
  return {
    errorRatio: canary.bad / canary.requests,
    latencyMs,
    ...resourcesOf(before, now),
    totalErrorRatio: (canary.bad + stable.bad) / all,
    totalLatencyMs,
    requestsPerSecond: all / seconds,
  };
}

/** Mean shares of what the version's pods may use; 0 where they have no limit or do not tell, which the verdict never sees. */
function resourcesOf(before: StepReadings["before"], now: readonly ReadPod[]): { cpu: number; memory: number } {
  const shares = now.flatMap(({ pod, version, at, reading }) => {
    const then = before.get(pod.metadata.name);
    if (version !== "canary" || reading === undefined || then === undefined) return [];
    const limits = pod.spec.containers[0]?.resources?.limits;
    const limit = (name: "cpu" | "memory") => (limits?.[name] === undefined ? undefined : quantity(limits[name]));
    const used = (reading.cpuSeconds ?? Number.NaN) - (then.reading.cpuSeconds ?? Number.NaN);
    return [
      {
        cpu: part(used / ((at - then.at) / 1000), limit("cpu")),
        memory: part(reading.memoryBytes ?? Number.NaN, limit("memory")),
      },
    ];
  });
  const mean = (key: "cpu" | "memory") =>
    shares.length === 0 ? 0 : shares.reduce((sum, share) => sum + share[key], 0) / shares.length;
  return { cpu: mean("cpu"), memory: mean("memory") };
}

const part = (used: number, limit: number | undefined) =>
  limit === undefined || !Number.isFinite(used / limit) ? 0 : Math.max(0, used / limit);

const quantity = (text: string | number): number => Number(parseQuantity(text)) / 1e9;
