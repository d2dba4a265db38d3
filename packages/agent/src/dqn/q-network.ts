import type { Random } from "@safe-deploy/verdict";
import { normal } from "../environment/truth.ts";

/** What a batch made of each layer: the inputs, then each layer's outputs; row by row. */
export type Activations = Float32Array[];

/**
 * Fully connected layers with rectifiers between them; the last is linear and gives the value of each action.
 * All parameters lie in one array, layer by layer: weights row by row (outputs x inputs), then biases.
 */
export class QNetwork {
  /** Inputs, hidden layers, outputs. */
  readonly sizes: readonly number[];
  readonly parameters: Float32Array;

  /** @throws RangeError when the parameters are not as many as the sizes need. */
  constructor(sizes: readonly number[], parameters: Float32Array = new Float32Array(parameterCount(sizes))) {
    if (parameters.length !== parameterCount(sizes)) {
      throw new RangeError(
        `layers ${sizes.join("-")} have ${parameterCount(sizes)} parameters, not ${parameters.length}`,
      );
    }
    this.sizes = sizes;
    this.parameters = parameters;
  }

  /** Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers" (2015): deviation sqrt(2 / inputs). */
  static random(sizes: readonly number[], random: Random): QNetwork {
    const network = new QNetwork(sizes);
    for (const { inputs, outputs, weights } of layersOf(sizes)) {
      const deviation = Math.sqrt(2 / inputs);
      for (let i = 0; i < inputs * outputs; i++) network.parameters[weights + i] = normal(random, deviation);
    }
    return network;
  }

  activations(batch: number): Activations {
    return this.sizes.map((size) => new Float32Array(batch * size));
  }

  /** Fills the activations from their first, the inputs. @returns the last: a row of values for each input. */
  forward(activations: Activations, batch: number): Float32Array {
    const { parameters } = this;
    const layers = layersOf(this.sizes);
    for (const [layer, { inputs, outputs, weights, biases, isLast }] of layers.entries()) {
      const from = activations[layer]!;
      const to = activations[layer + 1]!;
      for (let row = 0; row < batch; row++) {
        const start = row * inputs;
        for (let out = 0; out < outputs; out++) {
          let sum = parameters[biases + out]!;
          const own = weights + out * inputs;
          for (let i = 0; i < inputs; i++) sum += parameters[own + i]! * from[start + i]!;
          to[row * outputs + out] = isLast || sum > 0 ? sum : 0;
        }
      }
    }
    return activations[layers.length]!;
  }

  /**
   * Adds to `gradient` the gradient of a loss by the parameters, given that by the outputs of the last `forward`.
   *
   * Source: D. E. Rumelhart, G. E. Hinton, R. J. Williams, Nature 323 (1986).
   *
   * @param deltas as large as the activations; their last holds the gradient by the outputs, the others are overwritten.
   */
  backward(activations: Activations, deltas: Activations, batch: number, gradient: Float32Array): void {
    const { parameters } = this;
    const layers = layersOf(this.sizes);
    for (let layer = layers.length - 1; layer >= 0; layer--) {
      const { inputs, outputs, weights, biases } = layers[layer]!;
      const from = activations[layer]!;
      const delta = deltas[layer + 1]!;
      const before = deltas[layer]!;
      before.fill(0);
      for (let row = 0; row < batch; row++) {
        const start = row * inputs;
        for (let out = 0; out < outputs; out++) {
          const d = delta[row * outputs + out]!;
          if (d === 0) continue;
          gradient[biases + out]! += d;
          const own = weights + out * inputs;
          for (let i = 0; i < inputs; i++) {
            gradient[own + i]! += d * from[start + i]!;
            before[start + i]! += d * parameters[own + i]!;
          }
        }
      }
      // The rectifier of the layer below lets through only what was positive.
      if (layer > 0) for (let i = 0; i < batch * inputs; i++) if (from[i] === 0) before[i] = 0;
    }
  }
}

interface Layer {
  inputs: number;
  outputs: number;
  /** Where its weights and its biases begin. */
  weights: number;
  biases: number;
  isLast: boolean;
}

const known = new WeakMap<readonly number[], Layer[]>();

function layersOf(sizes: readonly number[]): Layer[] {
  let layers = known.get(sizes);
  if (layers !== undefined) return layers;
  layers = [];
  let place = 0;
  for (let i = 0; i + 1 < sizes.length; i++) {
    const inputs = sizes[i]!;
    const outputs = sizes[i + 1]!;
    const biases = place + inputs * outputs;
    layers.push({ inputs, outputs, weights: place, biases, isLast: i + 2 === sizes.length });
    place = biases + outputs;
  }
  known.set(sizes, layers);
  return layers;
}

export function parameterCount(sizes: readonly number[]): number {
  return layersOf(sizes).reduce((sum, { inputs, outputs }) => sum + (inputs + 1) * outputs, 0);
}
