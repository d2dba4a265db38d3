import type { HardEvidence } from "./policy.ts";

export type Version = "canary" | "stable";

/** One scrape of one pod: its cumulative counters as they were then. */
export interface Sample {
  /** The pod's name (or the router's, for its counters), unique in its version and source. */
  series: string;
  version: Version;
  source: "app" | "router";
  /** When the counters were read, in milliseconds since the epoch, by the clock that stamps every sample. */
  at: number;
  /** When the process began to count; without it a series counts from its first sample. */
  startedAt?: number;
  requests: number;
  errors: number;
  /** Cumulative: how many requests took at most `le` seconds. The last bound is Infinity. */
  buckets?: { le: number; count: number }[];
  /** Further counters of bad requests, by name. */
  events?: Record<string, number>;
}

/** All that was seen since the last look. */
export interface Observation {
  /** Milliseconds since the epoch, by the same clock as the samples. */
  now: number;
  /** The share of requests that the canary is given, in percent. */
  weight: number;
  /** Whether stable takes requests of users: not at a first deploy, not for a preview, not at 100 %. */
  stableServes: boolean;
  samples: Sample[];
  /** Pods of either version that are known to be gone, by series. */
  gone?: string[];
  /** What happened to the canary's pods since the last look. */
  incidents?: { kind: HardEvidence; pod: string; message: string }[];
  /** What could not be read, in plain words: the metrics' server is unreachable, the versions cannot be told apart. */
  problems?: string[];
}
