import { divideAlpha } from "../src/alpha.ts";
import { expectedComparison, expectedCrossing, expectedDelay } from "../src/expectation.ts";
import { defaultPolicy, type Policy } from "../src/policy.ts";
import type { Cell, Phase } from "../src/simulator/counted-rollouts.ts";

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

/** A bad version, and what the boundary that ends it costs exactly. */
export interface CostCell extends Cell {
  name: string;
  /** Bad requests since the version is bad, by recursion, looked at after each request: for the absolute test alone. */
  absolute: number;
  /** For the comparison with stable alone, had the fault been known. Both must reject, so the larger counts. */
  comparison: number;
  /** Seconds from the start to the moment at which it is bad. */
  turns: number;
  /** What the looks let through beyond the boundary: half a look's bad requests on average. */
  perLook: number;
}

/** Versions at p1 and worse, from the start and from later on, beside stable versions of different health. */
export function costCells(policy: Policy): CostCell[] {
  const { p0, p1 } = policy.rules[0]!.absolute!;
  const hypotheses = { p0, p1 };
  const { tolerated } = policy.rules[0]!.relative!;
  const [boundaries] = divideAlpha(policy, base.plan);
  const cells: CostCell[] = [];
  for (const p of [p1, 2.5 * p1, 10 * p1, 1]) {
    for (const stable of [0, p0 / 5, p0 / 2, p0]) {
      for (const weight of [10, 50]) {
        for (const turns of [0, 600]) {
          const boundary = turns === 0 ? boundaries!.sprt : boundaries!.cusum;
          const absolute =
            turns === 0 ? expectedCrossing(hypotheses, boundary, p) : expectedDelay(hypotheses, boundary, p);
          const comparison = expectedComparison({ canary: p, stable, share: weight / 100 }, tolerated, boundary);
          const before = { from: 0, canary: stable, stable };
          const from = { from: turns, canary: p, stable };
          cells.push({
            ...base,
            policy,
            weight,
            phases: turns === 0 ? [from] : [before, from],
            name: `${percent(p)} at weight ${weight}, stable ${percent(stable)}${turns === 0 ? "" : ", turned bad"}`,
            absolute: absolute.bad,
            comparison: comparison.bad,
            turns,
            perLook: (base.requestsPerSecond * base.plan.pollSeconds * weight * p) / 100 / 2,
          });
        }
      }
    }
  }
  return cells;
}

const percent = (ratio: number) => `${Number((100 * ratio).toPrecision(3))} %`;
