import { expect, test } from "vitest";
import { type Cell, play } from "../src/simulator/counted-rollouts.ts";
import { badCells, goodCells } from "../bench/promises.ts";
import { expectedCrossing } from "../src/expectation.ts";
import { clopperPearson } from "../src/intervals.ts";
import { defaultPolicy } from "../src/policy.ts";
import { divideAlpha } from "../src/alpha.ts";
import { playRollout } from "./rollout.ts";

/** Far more alpha than by default, so that a broken bound shows in few rollouts. The whole grid is `pnpm bench`. */
const policy = { ...defaultPolicy, alpha: 0.05 };
const runs = 400;
/** Of a promise that is kept, a seed shows this many or more once in a thousand; the seed is fixed. */
const kept = (events: number, n: number, promised: number) => clopperPearson(events, n, 0.998).low <= promised;

const cells = (all: ReturnType<typeof goodCells>) =>
  all.filter(({ requestsPerSecond, plan }) => requestsPerSecond <= 100 || plan.pollSeconds > 1);

test.each(cells(goodCells(policy)))("a good version is failed in at most alpha of rollouts: $name", (cell) => {
  const { failed } = play(cell, runs, 11);
  expect(kept(failed, runs, policy.alpha), `${failed} of ${runs} failed`).toBe(true);
});

test.each(cells(badCells(policy)))("a bad version passes in at most beta of gates: $name", (cell) => {
  const { passed, failed } = play(cell, runs, 12);
  expect(kept(passed, runs, policy.beta), `${passed} of ${runs} passed`).toBe(true);
  if (cell.requestsPerSecond >= 100) expect(failed).toBe(runs);
});

test("these simulations would show a broken bound: phi left out, and an absolute test alone in an outage", () => {
  const usual = goodCells(policy).find(({ name }) => name === "p0, 100/s");
  const bursts: Cell = { ...usual!, burst: 6, policy };
  const outage: Cell = {
    ...goodCells(policy).find(({ name }) => name === "outage of 120 s, 100/s")!,
    stableServes: false,
  };
  for (const broken of [bursts, outage]) {
    expect(kept(play(broken, 200, 13).failed, 200, policy.alpha)).toBe(false);
  }
});

test.each([0.02, 0.05, 0.2, 1])(
  "bad requests until the failure are close to what the boundary alone costs, at %d",
  (p) => {
    const cell: Cell = {
      ...badCells(defaultPolicy)[2]!,
      plan: { pollSeconds: 0.1, scrapeSeconds: 0.1, horizonSeconds: 600, gateSeconds: 300 },
      phases: [{ from: 0, canary: p, stable: 0.001 }],
    };
    const { bad, failed } = play(cell, 2000, 14);
    expect(failed).toBe(2000);
    const mean = bad.reduce((sum, each) => sum + each, 0) / bad.length;
    const [boundaries] = divideAlpha(cell.policy, { ...cell.plan, pollSeconds: 1 });
    const exact = expectedCrossing({ p0: 0.005, p1: 0.02 }, boundaries!.sprt, p).bad;
    expect(mean / exact).toBeGreaterThan(0.9);
    expect(mean / exact).toBeLessThan(1.5);
  },
);

test("whole rollouts with pods, skewed scrapes and an outage of both versions do not fail at 1,000 requests/s", () => {
  const outage = (second: number) => (second >= 100 && second < 160 ? 0.3 : 0.002);
  for (let seed = 1; seed <= 20; seed++) {
    const { last, seconds } = playRollout({
      canary: outage,
      stable: outage,
      requestsPerSecond: 1000,
      skew: true,
      canaryPods: 2,
      seconds: 240,
      seed,
    });
    expect(last.verdict, `seed ${seed} at ${seconds} s: ${last.reason}`).not.toBe("fail");
  }
});
