import type { Hypotheses } from "./sprt.ts";

/** What a rule counts as a bad request. */
export type Bad =
  | { kind: "errors" }
  /** Slower than this, in seconds. It must be a bound of the histogram's buckets. */
  | { kind: "slower"; than: number }
  /** A counter of the sample's `events`: 4xx answers, the errors of a group of routes. */
  | { kind: "event"; name: string }
  /**
   * A version that hangs or refuses counts no errors: it answers nothing. Compares how many requests each version
   * answered with what the weight gives it, so it needs a router that keeps to its weights. `settleSeconds` after a
   * change of weight are left out.
   */
  | { kind: "silence"; settleSeconds: number };

/** One thing that a release can fail on. With both tests, both must reject. */
export interface Rule {
  name: string;
  bad: Bad;
  /** Whose counters: the application's own, or the router's, which also sees what never answers. */
  source: "app" | "router";
  /** The share of bad requests that is good (`p0`) and that is bad (`p1`). */
  absolute?: Hypotheses;
  /**
   * How many times stable's ratio is borne; without an absolute test, `refused` is the ratio that a gate must rule out.
   * For silence: how many times too few answers.
   */
  relative?: { tolerated: number; refused?: number };
  /** Its part of alpha, in relation to the other rules' parts. */
  alphaShare?: number;
}

export type HardEvidence = "outOfMemory" | "crash" | "restart";

export interface Policy {
  rules: Rule[];
  /** The probability of failing a good version in one attempt, over all rules and looks. */
  alpha: number;
  /** The probability that a gate passes a version that has been at p1 or worse since the last change of weight. */
  beta: number;
  /** How many requests at most share one fate: bursts of bad requests of at most this size leave alpha and beta true. */
  phi: number;
  /** How long a new pod's requests stay out of the comparison with stable, in seconds. */
  warmUpSeconds: number;
  /** A series whose last sample is older than this is gone, in seconds. */
  staleSeconds: number;
  /** For how long blindness is borne, and what it becomes. */
  blind: { seconds: number; atDeadline: "fail" | "inconclusive" };
  /** What fails a release at once, outside alpha. */
  hardEvidence: HardEvidence[];
  /** At most so many more bad requests than stable would have had; shown against what is spent. */
  budget?: number;
}

/** What was fixed before the rollout began. */
export interface Plan {
  /** Between two looks, in seconds. */
  pollSeconds: number;
  /** Between two samples of a series, in seconds. */
  scrapeSeconds: number;
  /** The longest that the attempt is watched, in seconds. The number of looks bounds the cumulative sums' false alarms. */
  horizonSeconds: number;
  /** Without a pass by then after a change of weight, the gate is inconclusive, in seconds. */
  gateSeconds: number;
}

export const defaultPolicy: Policy = {
  rules: [
    {
      name: "errors",
      bad: { kind: "errors" },
      source: "app",
      absolute: { p0: 0.005, p1: 0.02 },
      relative: { tolerated: 1.5 },
    },
  ],
  alpha: 0.001,
  beta: 0.05,
  phi: 1,
  warmUpSeconds: 0,
  staleSeconds: 30,
  blind: { seconds: 120, atDeadline: "fail" },
  hardEvidence: ["outOfMemory", "crash", "restart"],
};

/** Policy or plan that cannot be kept, with every reason. */
export class PolicyError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`this policy cannot be kept:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "PolicyError";
    this.problems = problems;
  }
}

/** @throws PolicyError listing every problem with its path. */
export function checkPolicy(policy: Policy, plan: Plan): void {
  const problems: string[] = [];
  const need = (holds: boolean, path: string, what: string) => {
    if (!holds) problems.push(`${path}: ${what}`);
  };
  const within = (value: number, low: number, high: number) => value > low && value < high;

  need(within(policy.alpha, 0, 0.5), "alpha", `must lie between 0 and 0.5, not ${policy.alpha}`);
  need(within(policy.beta, 0, 0.5), "beta", `must lie between 0 and 0.5, not ${policy.beta}`);
  need(policy.phi >= 1, "phi", `must be at least 1, not ${policy.phi}`);
  need(policy.warmUpSeconds >= 0, "warmUpSeconds", "must not be negative");
  need(policy.staleSeconds > plan.scrapeSeconds, "staleSeconds", "must be longer than the time between two scrapes");
  need(policy.blind.seconds > 0, "blind.seconds", "must be positive");
  need(policy.rules.length > 0, "rules", "must name at least one rule: a release that nothing judges cannot pass");
  for (const name of ["pollSeconds", "scrapeSeconds", "horizonSeconds", "gateSeconds"] as const) {
    need(plan[name] > 0, `plan.${name}`, `must be positive, not ${plan[name]}`);
  }
  const names = new Set<string>();
  for (const [index, rule] of policy.rules.entries()) {
    const path = `rules[${index}] (${rule.name})`;
    need(!names.has(rule.name), path, "has the name of another rule");
    names.add(rule.name);
    need((rule.alphaShare ?? 1) > 0, path, "alphaShare must be positive");
    if (rule.absolute !== undefined) {
      const { p0, p1 } = rule.absolute;
      need(p0 > 0 && p0 < p1 && p1 < 1, path, `needs 0 < p0 < p1 < 1, not p0 ${p0} and p1 ${p1}`);
    }
    if (rule.relative !== undefined) {
      const { tolerated, refused } = rule.relative;
      need(tolerated >= 1, path, `must tolerate at least 1 time stable's ratio, not ${tolerated}`);
      if (refused !== undefined) {
        need(refused > tolerated, path, `refuses ${refused} times stable's ratio but tolerates ${tolerated} times`);
      }
      need(
        rule.absolute !== undefined || refused !== undefined,
        path,
        "has no absolute test, so it needs relative.refused: the ratio to stable that a gate must rule out",
      );
    }
    need(
      rule.bad.kind !== "silence" || (rule.absolute === undefined && rule.relative !== undefined),
      path,
      "compares answers with the weight: it needs a relative test and cannot have an absolute one",
    );
    need(rule.absolute !== undefined || rule.relative !== undefined, path, "needs an absolute or a relative test");
  }
  need(
    policy.rules.some((rule) => rule.absolute !== undefined),
    "rules",
    "need one with an absolute test: without a serving stable nothing else is left",
  );
  if (problems.length > 0) throw new PolicyError(problems);
}

/** The first rule with an absolute test: what a simulation by counts alone is about. A checked policy has one. */
export function firstAbsolute({ rules }: Policy): { index: number; rule: Rule; absolute: Hypotheses } {
  for (const [index, rule] of rules.entries()) {
    if (rule.absolute !== undefined) return { index, rule, absolute: rule.absolute };
  }
  throw new PolicyError(["rules: none has an absolute test"]);
}
