import { Random } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { setOf, HOLD, UP } from "../src/actions.ts";
import { curveCsv, curveSvg } from "../src/dqn/curve.ts";
import { bestAction, Learner } from "../src/dqn/learner.ts";
import { QNetwork } from "../src/dqn/q-network.ts";
import { ReplayBuffer } from "../src/dqn/replay-buffer.ts";
import { defaultTraining, train, type Trained, type TrainingSettings } from "../src/dqn/train.ts";
import { trainingMix } from "../src/commands/train.ts";
import { parameterHash } from "../src/model-file.ts";

const few: TrainingSettings = {
  ...defaultTraining,
  steps: 3000,
  hidden: [16],
  warmUp: 500,
  validateEvery: 1500,
  validationRollouts: 20,
};

function trained(settings: TrainingSettings): Trained {
  const work = train(trainingMix, settings);
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
  }
}

test("the same seed gives the same parameters, another seed others", () => {
  const once = trained(few);
  expect(parameterHash(once.network)).toBe("95efa4eebc3d97109048426b390fa2514119855c65a721bc0fd6c63005dc6418");
  expect(parameterHash(trained({ ...few, seed: 2 }).network)).not.toBe(parameterHash(once.network));
  expect(once.curve.map(({ steps }) => steps)).toEqual([1500, 3000]);
  expect(once.best.cost).toBe(Math.min(...once.curve.map(({ cost }) => cost)));
});

test("the values of a walk along a line are learned, an action that is not allowed next apart", () => {
  // Three places in a row; only UP leads on, and the end is worth 1. What HOLD would bring in place 1 is a trap that
  // the set of allowed actions forbids.
  const buffer = new ReplayBuffer(64, 3);
  const place = (i: number) => Float32Array.from({ length: 3 }, (_, j) => (i === j ? 1 : 0));
  const random = new Random(5);
  for (let i = 0; i < 16; i++) {
    buffer.add(place(0), UP, 0, place(1), setOf(UP));
    buffer.add(place(1), UP, 1, place(2), 0);
    buffer.add(place(1), HOLD, 5, place(2), 0);
    buffer.add(place(0), HOLD, 0, place(0), setOf(HOLD, UP));
  }
  const network = QNetwork.random([3, 16, 4], random);
  const learner = new Learner(network, { batch: 32, discount: 0.9, learningRate: 0.01, targetEvery: 50 });
  let loss = Infinity;
  for (let i = 0; i < 1500; i++) loss = learner.update(buffer, random);
  const activations = network.activations(1);
  const valuesAt = (i: number) => {
    activations[0]!.set(place(i));
    return network.forward(activations, 1).slice();
  };
  expect(loss).toBeLessThan(1e-3);
  expect(valuesAt(1)[UP]).toBeCloseTo(1, 1);
  expect(valuesAt(1)[HOLD]).toBeCloseTo(5, 1);
  expect(valuesAt(0)[UP]).toBeCloseTo(0.9, 1);
  expect(valuesAt(0)[HOLD]).toBeCloseTo(0.81, 1);
  expect(bestAction(valuesAt(1), setOf(UP))).toBe(UP);
});

test("a replay buffer keeps the newest and draws from all it has", () => {
  const buffer = new ReplayBuffer(4, 1);
  for (let i = 0; i < 6; i++) buffer.add(Float32Array.of(i), UP, i, Float32Array.of(i + 1), 1);
  expect(buffer.size).toBe(4);
  expect([...buffer.states].toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5]);
  const places = new Int32Array(200);
  buffer.sample(places, new Random(1));
  expect(new Set(places)).toEqual(new Set([0, 1, 2, 3]));
});

test("the learning curve is a table and a drawing", () => {
  const curve = [
    { steps: 10, rollouts: 1, cost: 120, loss: 0.5, exploration: 1 },
    { steps: 20, rollouts: 3, cost: 12, loss: 0.25, exploration: 0.1 },
  ];
  expect(curveCsv(curve)).toBe(
    "steps,rollouts,validation_cost,loss,exploration\n10,1,120.000,0.500000,1.000\n20,3,12.000,0.250000,0.100\n",
  );
  expect(curveSvg(curve)).toMatch(/^<svg .*class="curve" d="M[\d. L]+"\/><\/svg>\n$/s);
});
