import { Random } from "@safe-deploy/verdict";
import { ABORT, type Action, type ActionSet, DOWN, fullWeight, HOLD, includes, UP } from "../actions.ts";
import { drawOne, type Environment } from "../environment/truth.ts";
import { defaultSettings, type RolloutSettings, SimulatedRollout } from "../environment/simulated-rollout.ts";
import { featureNames, writeFeatures } from "../features.ts";
import { play } from "../policies/play.ts";
import type { Steering } from "../policies/policy.ts";
import { Learner, type LearnerSettings, bestAction } from "./learner.ts";
import { QNetwork } from "./q-network.ts";
import { ReplayBuffer } from "./replay-buffer.ts";

export interface TrainingSettings extends LearnerSettings {
  seed: number;
  /** Decisions in the environment. */
  steps: number;
  hidden: readonly number[];
  bufferSize: number;
  /** The share of the steps after a promotion that are learned from: nine of ten steps are of that time, and all alike. */
  afterPromotion: number;
  /** Decisions before the first update. */
  warmUp: number;
  /** Decisions between two updates. */
  updateEvery: number;
  /** The share of random actions falls from the first to the last over this part of all steps. */
  exploration: { first: number; last: number; part: number };
  /** A reward is the cost in bad requests divided by this, and negative. */
  costScale: number;
  /** Decisions between two validations, each of so many rollouts. */
  validateEvery: number;
  validationRollouts: number;
}

export const defaultTraining: TrainingSettings = {
  seed: 1,
  steps: 300_000,
  hidden: [64, 64],
  batch: 32,
  discount: 0.995,
  learningRate: 5e-4,
  targetEvery: 1000,
  bufferSize: 100_000,
  afterPromotion: 0.2,
  warmUp: 5_000,
  updateEvery: 2,
  exploration: { first: 1, last: 0.03, part: 0.4 },
  costScale: 50,
  validateEvery: 20_000,
  validationRollouts: 400,
};

/** Where versions come from while training, and how often each. */
export type Mix = readonly (readonly [Environment, number])[];

/** A point of the learning curve. */
export interface CurvePoint {
  steps: number;
  rollouts: number;
  /** Mean cost of the rollouts of the validation, in bad requests, without exploration. */
  cost: number;
  /** Mean loss of the updates since the last point. */
  loss: number;
  exploration: number;
}

export interface Trained {
  /** The network of the point whose validation cost was least. */
  network: QNetwork;
  best: CurvePoint;
  curve: CurvePoint[];
}

/**
 * Trains under the shield. The same settings give the same network, bit for bit, on the same version of Node.
 *
 * A step of the generator is a thousand decisions, so that whoever waits can do something else; it has the point of the
 * curve when there is a new one. `network` is the present one.
 */
export function* train(
  mix: Mix,
  settings: TrainingSettings,
  rolloutSettings: RolloutSettings = defaultSettings,
): Generator<{ steps: number; point?: CurvePoint; network: QNetwork }, Trained, void> {
  const random = new Random(settings.seed);
  const network = QNetwork.random([featureNames.length, ...settings.hidden, 4], random);
  const learner = new Learner(network, settings);
  const buffer = new ReplayBuffer(settings.bufferSize, featureNames.length);
  const single = network.activations(1);
  const state = single[0]!;
  const next = new Float32Array(featureNames.length);
  const curve: CurvePoint[] = [];
  let best: { point: CurvePoint; parameters: Float32Array } | undefined;
  let losses = { sum: 0, count: 0 };
  let rollouts = 0;
  let rollout = newRollout(mix, random, rolloutSettings);
  for (let step = 1; step <= settings.steps; step++) {
    writeFeatures(rollout.situation, state);
    const exploration = explorationAt(step, settings);
    const action =
      random.uniform() < exploration
        ? explore(rollout.allowed, random)
        : bestAction(network.forward(single, 1), rollout.allowed);
    const isOver = rollout.situation.weight === fullWeight && action === HOLD;
    const reward = -rollout.step(action) / settings.costScale;
    writeFeatures(rollout.situation, next);
    if (!isOver || random.uniform() < settings.afterPromotion) {
      buffer.add(state, action, reward, next, rollout.ended ? 0 : rollout.allowed);
    }
    if (rollout.ended) {
      rollouts++;
      rollout = newRollout(mix, random, rolloutSettings);
    }
    if (step >= settings.warmUp && step % settings.updateEvery === 0) {
      const rate = settings.learningRate * (1 - 0.9 * (step / settings.steps));
      losses = { sum: losses.sum + learner.update(buffer, random, rate), count: losses.count + 1 };
    }
    if (step % settings.validateEvery === 0 || step === settings.steps) {
      const cost = validate(network, mix, settings, rolloutSettings);
      const loss = losses.count === 0 ? 0 : losses.sum / losses.count;
      const point: CurvePoint = { steps: step, rollouts, cost, loss, exploration };
      losses = { sum: 0, count: 0 };
      curve.push(point);
      if (best === undefined || cost < best.point.cost) best = { point, parameters: network.parameters.slice() };
      yield { steps: step, point, network };
    } else if (step % 1000 === 0) yield { steps: step, network };
  }
  if (best === undefined) throw new RangeError("training needs at least one step");
  return { network: new QNetwork(network.sizes, best.parameters), best: best.point, curve };
}

function newRollout(mix: Mix, random: Random, settings: RolloutSettings): SimulatedRollout {
  return new SimulatedRollout(drawOne(random, mix).draw(random), random, settings);
}

/** Mostly up: a walk that goes up and down alike hardly ever sees a promotion, and one that aborts often sees nothing. */
function explore(allowed: ActionSet, random: Random): Action {
  const frequencies: readonly (readonly [Action, number])[] = [
    [HOLD, 0.3],
    [UP, 0.55],
    [DOWN, 0.1],
    [ABORT, 0.05],
  ];
  return drawOne(
    random,
    frequencies.filter(([action]) => includes(allowed, action)),
  );
}

function explorationAt(step: number, { steps, exploration: { first, last, part } }: TrainingSettings): number {
  return Math.max(last, first + ((last - first) * step) / (part * steps));
}

/** The same rollouts each time, whatever was drawn while training. */
function validate(
  network: QNetwork,
  mix: Mix,
  { seed, validationRollouts }: TrainingSettings,
  rolloutSettings: RolloutSettings,
): number {
  const random = new Random(seed + 1_000_003);
  const activations = network.activations(1);
  const greedy: Steering = {
    name: "greedy",
    shielded: true,
    choose(situation, allowed) {
      writeFeatures(situation, activations[0]!);
      return bestAction(network.forward(activations, 1), allowed);
    },
  };
  let cost = 0;
  for (let i = 0; i < validationRollouts; i++) {
    cost += play(newRollout(mix, random, rolloutSettings), greedy).cost;
  }
  return cost / validationRollouts;
}
