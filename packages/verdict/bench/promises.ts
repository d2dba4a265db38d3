import { defaultPolicy, type Policy } from "../src/policy.ts";
import type { Cell, Phase } from "./cell.ts";

/** The cells in which the promises are simulated. */

export interface NamedCell extends Cell {
  name: string;
  /** What is promised: false aborts of at most alpha, or passes of bad versions of at most beta. */
  promise: "alpha" | "beta";
}

const base: Cell = {
  policy: defaultPolicy,
  plan: { pollSeconds: 1, scrapeSeconds: 1, horizonSeconds: 1800, gateSeconds: 600 },
  requestsPerSecond: 100,
  weight: 10,
  phases: [],
  stableServes: true,
  lag: 0,
  burst: 1,
};

const both = (ratio: number): Phase[] => [{ from: 0, canary: ratio, stable: ratio }];
const outage = (usual: number, from: number, seconds: number, height = 0.3): Phase[] => [
  ...both(usual),
  { from, canary: height, stable: height },
  { from: from + seconds, canary: usual, stable: usual },
];
const slowScrapes = { ...base.plan, pollSeconds: 5, scrapeSeconds: 5 };

function alpha(name: string, changes: Partial<Cell>): NamedCell {
  return { ...base, ...changes, name, promise: "alpha" };
}

/** Good versions: error ratios 0 to p0, traffic 1 to 10,000 requests/s, outages of both, lag, bursts. */
export function goodCells(policy: Policy): NamedCell[] {
  const p0 = policy.rules[0]!.absolute!.p0;
  const r = policy.rules[0]!.relative!.tolerated;
  const rates = [1, 10, 100, 1000, 10_000];
  return [
    ...rates.map((rate) => alpha(`p0, ${rate}/s`, { requestsPerSecond: rate, phases: both(p0) })),
    ...rates.map((rate) =>
      alpha(`p0, ${rate}/s, no stable`, { requestsPerSecond: rate, phases: both(p0), stableServes: false }),
    ),
    ...[0, 0.1, 0.5].map((share) => alpha(`${share} p0`, { phases: both(share * p0) })),
    ...[0.1, 0.5].map((share) =>
      alpha(`p0, stable ${share} p0`, { phases: [{ from: 0, canary: p0, stable: share * p0 }] }),
    ),
    ...[10, 50, 90].map((weight) =>
      alpha(`${r} times stable at p0, weight ${weight}`, {
        weight,
        phases: [{ from: 0, canary: r * p0, stable: p0 }],
      }),
    ),
    ...rates.map((rate) =>
      alpha(`outage of 120 s, ${rate}/s`, { requestsPerSecond: rate, phases: outage(p0 / 5, 900, 120) }),
    ),
    alpha("outage at the start", { phases: outage(p0 / 5, 0, 120) }),
    alpha("outage, canary 5 times stable below p0", {
      phases: [
        { from: 0, canary: p0, stable: p0 / 5 },
        { from: 900, canary: 0.3, stable: 0.3 },
        { from: 1020, canary: p0, stable: p0 / 5 },
      ],
    }),
    ...[1, 5, 120].flatMap((seconds) =>
      [0.5, 0.98].map((lag) =>
        alpha(`outage of ${seconds} s, scrapes 5 s, lag ${lag}, 10,000/s`, {
          requestsPerSecond: 10_000,
          plan: slowScrapes,
          phases: outage(p0 / 5, 902, seconds),
          lag,
        }),
      ),
    ),
    ...[3, 6].map((burst) =>
      alpha(`bursts of ${burst}`, { burst, phases: both(p0), policy: { ...policy, phi: burst } }),
    ),
    alpha("outage, bursts of 6", { burst: 6, phases: outage(p0 / 5, 900, 120), policy: { ...policy, phi: 6 } }),
  ].map((cell) => ({ ...cell, policy: { ...policy, phi: cell.policy.phi } }));
}

/** Versions at p1 since the last change of weight: they may pass the gate with a probability of at most beta. */
export function badCells(policy: Policy): NamedCell[] {
  const { p0, p1 } = policy.rules[0]!.absolute!;
  const bad = (name: string, changes: Partial<Cell>): NamedCell => ({
    ...base,
    policy,
    ...changes,
    name,
    promise: "beta",
  });
  const phases = (stable: number): Phase[] => [{ from: 0, canary: p1, stable }];
  return [
    ...[1, 10, 100, 1000, 10_000].map((rate) =>
      bad(`p1, ${rate}/s`, { requestsPerSecond: rate, phases: phases(p0 / 5) }),
    ),
    bad("p1, stable at p0", { phases: phases(p0) }),
    bad("p1, stable at 0, weight 50", { weight: 50, phases: phases(0) }),
    bad("p1, no stable", { phases: phases(0), stableServes: false }),
    bad("p1, bursts of 6", { burst: 6, phases: phases(p0 / 5), policy: { ...policy, phi: 6 } }),
  ];
}
