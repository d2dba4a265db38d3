import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { defaultHorizon, defaultPrices, defaultStepSeconds } from "../cost.ts";
import { curveCsv, curveSvg } from "../dqn/curve.ts";
import { defaultTraining, type Mix, train, type Trained, type TrainingSettings } from "../dqn/train.ts";
import { countedRequests, trainingRanges } from "../environment/counted-requests.ts";
import { sourceDynamics } from "../environment/source-dynamics.ts";
import { modelCard } from "../model-card.ts";
import { type ModelFile, toModelFile } from "../model-file.ts";
import { wholeNumber } from "./options.ts";
import { Progress } from "./progress.ts";

export interface TrainOptions {
  seed: string;
  steps: string;
  out: string;
  checkpoints?: string;
}

/** What the model that ships is trained in. */
export const trainingMix: Mix = [
  [countedRequests("training", trainingRanges), 0.7],
  [sourceDynamics, 0.3],
];

export async function runTrain(options: TrainOptions, signal: AbortSignal): Promise<void> {
  const settings: TrainingSettings = {
    ...defaultTraining,
    seed: wholeNumber("--seed", options.seed, 0),
    steps: wholeNumber("--steps", options.steps, 1000),
  };
  // A folder that cannot be written is told now, not after ten minutes.
  await mkdir(options.out, { recursive: true });
  if (options.checkpoints !== undefined) await mkdir(options.checkpoints, { recursive: true });
  const progress = new Progress();
  const training = train(trainingMix, settings);
  let trained: Trained | undefined;
  let cost = "";
  while (trained === undefined) {
    signal.throwIfAborted();
    const next = training.next();
    if (next.done === true) {
      trained = next.value;
      break;
    }
    const { steps, point, network } = next.value;
    cost = point === undefined ? cost : `, mean cost ${point.cost.toFixed(1)}`;
    progress.show(steps, settings.steps, `of ${settings.steps} steps${cost}`);
    if (options.checkpoints !== undefined && point !== undefined) {
      const file = toModelFile(network, about(settings, trainingMix, point));
      await writeFile(join(options.checkpoints, `model-${String(point.steps).padStart(8, "0")}.json`), text(file));
    }
    await breathe();
  }
  const file = toModelFile(trained.network, about(settings, trainingMix, trained.best));
  await writeFile(join(options.out, "model.json"), text(file));
  await writeFile(join(options.out, "curve.csv"), curveCsv(trained.curve));
  await writeFile(join(options.out, "curve.svg"), curveSvg(trained.curve));
  await writeFile(join(options.out, "README.md"), modelCard(file));
  process.stdout.write(
    `${join(options.out, "model.json")}: mean cost ${trained.best.cost.toFixed(1)} after ${trained.best.steps} steps, parameters ${file.sha256.slice(0, 16)}\n`,
  );
}

const text = (file: ModelFile) => `${JSON.stringify(file, null, 2)}\n`;

function about(settings: TrainingSettings, mix: Mix, { steps, cost }: { steps: number; cost: number }) {
  return {
    ...settings,
    environments: mix.map(([{ name }, share]) => ({ name, share })),
    prices: defaultPrices,
    horizon: defaultHorizon,
    stepSeconds: defaultStepSeconds,
    node: process.versions.node,
    takenAfterSteps: steps,
    validationCost: Number(cost.toFixed(2)),
  };
}
