import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";

/** What of the two versions was seen last, and whether the clock can be trusted. */
export interface Sight {
  clockWentBack: boolean;
  /** When each version's oldest live series was last sampled, in milliseconds; undefined when there is none. */
  seen: { canary: number | undefined; stable: number | undefined };
}

/** Why nothing can be judged now, in plain words; undefined when it can. */
export function blindness(
  { now, weight, stableServes }: Observation,
  { clockWentBack, seen }: Sight,
  problems: readonly string[],
  { staleSeconds }: Policy,
): string | undefined {
  if (clockWentBack) return "the clock went back";
  if (problems.length > 0) return problems.join("; ");
  // While the canary is given no requests its pods may not even exist.
  const canary = weight > 0 || !stableServes ? (["canary"] as const) : [];
  const stable = stableServes ? (["stable"] as const) : [];
  for (const version of [...canary, ...stable]) {
    const at = seen[version];
    if (at === undefined) return `there are no samples of the ${version} version`;
    const age = (now - at) / 1000;
    if (age > staleSeconds) return `the last sample of the ${version} version is ${Math.round(age)} s old`;
  }
  return undefined;
}
