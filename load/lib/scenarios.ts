import type { Options, Scenario } from "k6/options";
import { type Defaults, readSettings, type Settings } from "./settings.ts";

export type ScenarioName = "baseline" | "failure" | "ramp" | "spike" | "soak";

/** What each scenario does when nothing else is asked for. */
export const DEFAULTS: Record<ScenarioName, Defaults> = {
  baseline: { rate: 50, duration: "30s", paths: "/version" },
  failure: { rate: 50, duration: "30s", paths: "/feature/new" },
  ramp: { rate: 100, duration: "2m", paths: "/version,/feature/new" },
  spike: { rate: 20, duration: "1m", paths: "/version" },
  soak: { rate: 20, duration: "30m", paths: "/version" },
};

/** A request without an answer after this time counts as failed. */
export const REQUEST_TIMEOUT_SECONDS = 5;
const SPIKE_FACTOR = 5;

/** A scenario's settings and options, from the environment. */
export function defineScenario(name: ScenarioName): { settings: Settings; options: Options } {
  const settings = readSettings(__ENV, DEFAULTS[name]);
  return {
    settings,
    options: {
      scenarios: { [name]: shapes[name](settings) },
      // The contract: a run that breaks one of these fails.
      thresholds: {
        failed_requests: ["rate<0.01"],
        answers: ["p(95)<500"],
        dropped_iterations: ["count<1"],
      },
      summaryTrendStats: ["min", "med", "p(90)", "p(95)", "p(99)", "max"],
      // The tags that k6 adds by itself would only make the stream of samples longer.
      systemTags: [],
      noConnectionReuse: settings.connections === "new",
      // One request each, so that requests begun and answers counted are the same.
      maxRedirects: 0,
    },
  };
}

const shapes: Record<ScenarioName, (settings: Settings) => Scenario> = {
  baseline: constant,
  failure: constant,
  ramp: rising,
  spike: spiking,
  soak: constant,
};

function constant({ rate, durationSeconds }: Settings): Scenario {
  return {
    executor: "constant-arrival-rate",
    rate,
    duration: `${durationSeconds}s`,
    ...virtualUsers(rate),
  };
}

/** From a tenth of the rate up to the rate in seven tenths of the time, and at the rate for the rest. */
function rising({ rate, durationSeconds }: Settings): Scenario {
  return {
    executor: "ramping-arrival-rate",
    startRate: Math.max(1, Math.round(rate / 10)),
    stages: [
      { target: rate, duration: share(durationSeconds, 0.7) },
      { target: rate, duration: share(durationSeconds, 0.3) },
    ],
    ...virtualUsers(rate),
  };
}

/** Three tenths of the time at the rate, three at five times the rate, three at the rate, with steep slopes between. */
function spiking({ rate, durationSeconds }: Settings): Scenario {
  const part = (fraction: number): string => share(durationSeconds, fraction);
  return {
    executor: "ramping-arrival-rate",
    startRate: rate,
    stages: [
      { target: rate, duration: part(0.3) },
      { target: rate * SPIKE_FACTOR, duration: part(0.05) },
      { target: rate * SPIKE_FACTOR, duration: part(0.3) },
      { target: rate, duration: part(0.05) },
      { target: rate, duration: part(0.3) },
    ],
    ...virtualUsers(rate * SPIKE_FACTOR),
  };
}

function share(durationSeconds: number, fraction: number): string {
  return `${Math.round(fraction * durationSeconds * 1000)}ms`;
}

/**
 * Each virtual user waits for one answer. With twice the rate of them, answers slower than 2 s on average make k6 drop
 * requests, which is how a stalled server shows. Most are made before the start, because making one takes time.
 */
function virtualUsers(rate: number): { preAllocatedVUs: number; maxVUs: number; gracefulStop: string } {
  const maxVUs = Math.max(10, 2 * rate);
  return {
    preAllocatedVUs: Math.min(maxVUs, Math.max(10, Math.min(rate, 300))),
    maxVUs,
    gracefulStop: `${REQUEST_TIMEOUT_SECONDS + 1}s`,
  };
}
