import { expect, test } from "vitest";
import { planFromValues } from "../src/simulator/plan-from-values.ts";
import { plannedSeconds, type RolloutPlan } from "../src/simulator/rollout-plan.ts";
import { buggy, healthy } from "../src/simulator/scenario.ts";
import { simulate } from "../src/simulator/simulate.ts";
import type { Move, Steering } from "../src/simulator/steering.ts";

interface Seen {
  at: number;
  weight: number;
  requests: number;
  waits: boolean;
}

/** Says these moves at the looks at which it is waited for, then holds; and what it saw. */
function scripted(moves: readonly Move[], atOtherTimes: Move = "hold"): { steering: Steering; seen: Seen[] } {
  const seen: Seen[] = [];
  const begin: Steering["begin"] = () => {
    const left = [...moves];
    return {
      look(at, weight, { canary }, waits) {
        seen.push({ at, weight, requests: canary.requests, waits });
        return waits ? (left.shift() ?? "hold") : atOtherTimes;
      },
    };
  };
  return { steering: { lookSeconds: 5, stepSeconds: 10, begin }, seen };
}

const { plan } = planFromValues({
  replicaCount: 3,
  rollout: {
    router: "traefik",
    canary: { steps: [10, 20, 30].flatMap((setWeight) => [{ setWeight }, { pause: null }]) },
  },
  analysis: { engine: "thresholds", metrics: {} },
});

const play = (steering: Steering | undefined, scenario = healthy()) =>
  simulate({ ...plan, ...(steering === undefined ? {} : { steering }) }, scenario, {
    ...{ rollouts: 1, seed: 1, horizonSeconds: 300 },
  });

test("without anybody who steers, a pause without an end waits for a person", () => {
  expect(play(undefined).why).toEqual([{ end: "paused", why: "waits for a person to promote", weight: 10, count: 1 }]);
});

test("who steers goes up, down to the weight before, and on to all requests", () => {
  const { steering, seen } = scripted(["up", "hold", "down", "hold", "up", "up", "up"]);
  expect(play(steering).ends.promoted.count).toBe(1);
  const weights = seen.filter(({ waits }) => waits).map(({ weight }) => weight);
  expect(weights).toEqual([10, 20, 20, 10, 10, 20, 30]);
  expect(seen.map(({ at }) => at)).toEqual(seen.map((_, index) => 5 * (index + 1)));
  expect(seen.at(-1)!.requests).toBeGreaterThan(seen[1]!.requests);
});

test("down at the first weight stays there", () => {
  const { steering, seen } = scripted(["down", "down"]);
  expect(play(steering).ends.paused.count).toBe(1);
  expect(new Set(seen.filter(({ waits }) => waits).map(({ weight }) => weight))).toEqual(new Set([10]));
});

test("an abort takes all requests away, also while nobody waits for it; other moves are for pauses only", () => {
  const inPause = play(scripted(["hold", "abort"]).steering, buggy(0.5));
  expect(inPause.why).toEqual([{ end: "aborted", why: "the agent aborts", weight: 10, count: 1 }]);
  const { aborted } = inPause.badOf;
  expect(aborted?.byHorizon.median).toBe(aborted?.untilEnd.median);
  const timed: RolloutPlan = { ...plan, steps: [{ setWeight: 10 }, { pauseSeconds: 60 }, { setWeight: 100 }] };
  const options = { rollouts: 1, seed: 1, horizonSeconds: 300 };
  const abort = simulate({ ...timed, steering: scripted([], "abort").steering }, healthy(), options);
  expect(abort.ends.aborted.count).toBe(1);
  expect(abort.seconds.aborted?.median).toBeLessThan(10);
  const up = simulate({ ...timed, steering: scripted([], "up").steering }, healthy(), options);
  expect(up.seconds.promoted?.median).toBeGreaterThan(60);
});

test("who holds for ever is stopped by the horizon, and a pause is planned with a step", () => {
  const { steering } = scripted([]);
  expect(play(steering).why).toMatchObject([{ end: "paused", why: "the horizon came first" }]);
  expect(plannedSeconds({ ...plan, steering }) - plannedSeconds(plan)).toBeCloseTo(30);
});
