import { usage } from "../errors.ts";

/** What the agent may do with its decisions. */
export type Mode = "advise" | "steer";

export interface AgentConfig {
  /** Name of the Rollout; its namespace is the connection's. */
  rollout: string;
  mode: Mode;
  /** Whether its own wish to abort is only told, or done. The verdict's `fail` is done in any case when it steers. */
  ownAbort: "advises" | "acts";
  stepSeconds: number;
  maxSteps: number;
  sloLatencyMs: number;
  modelPath: string | undefined;
  metrics: {
    port: number;
    path: string;
    requests: string;
    durationBucket: string;
    statusLabel: string;
    /** Matches the status of a bad request as a whole. */
    errorStatus: RegExp;
  };
}

/** @throws AgentError that lists every variable that cannot be read. */
export function readConfig(env: NodeJS.ProcessEnv): AgentConfig {
  const problems: string[] = [];
  const text = (name: string, fallback?: string): string => {
    const value = env[name] ?? fallback;
    if (value === undefined || value === "") problems.push(`${name} is not set`);
    return value ?? "";
  };
  const number = (name: string, fallback: number, least: number, most: number): number => {
    const value = env[name] === undefined ? fallback : Number(env[name] || Number.NaN);
    if (!(value >= least && value <= most))
      problems.push(`${name} is ${env[name]}; want a number from ${least} to ${most}`);
    return value;
  };
  const oneOf = <T extends string>(name: string, fallback: T, choices: readonly T[]): T => {
    const value = (env[name] ?? fallback) as T;
    if (!choices.includes(value)) problems.push(`${name} is ${value}; want ${choices.join(" or ")}`);
    return value;
  };
  const pattern = (name: string, fallback: string): RegExp => {
    try {
      return new RegExp(`^(?:${env[name] ?? fallback})$`);
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
      return /^$/;
    }
  };
  const config: AgentConfig = {
    rollout: text("ROLLOUT"),
    mode: oneOf("MODE", "advise", ["advise", "steer"]),
    ownAbort: oneOf("OWN_ABORT", "advises", ["advises", "acts"]),
    stepSeconds: number("STEP_INTERVAL", 10, 2, 3600),
    maxSteps: Math.round(number("MAX_STEPS", 100, 1, 10_000)),
    sloLatencyMs: number("SLO_LATENCY", 200, 1, 600_000),
    modelPath: env["MODEL_PATH"] || undefined,
    metrics: {
      port: number("METRICS_PORT", 8080, 1, 65_535),
      path: text("METRICS_PATH", "/metrics"),
      requests: text("REQUESTS_METRIC", "http_requests_total"),
      durationBucket: text("DURATION_BUCKET_METRIC", "http_request_duration_seconds_bucket"),
      statusLabel: text("STATUS_LABEL", "status"),
      errorStatus: pattern("ERROR_STATUS", "5.."),
    },
  };
  if (problems.length > 0)
    throw usage(`the environment is wrong:\n  ${problems.join("\n  ")}`, "docs/agent.md lists the variables");
  return config;
}
