import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { actionNames } from "./actions.ts";
import { parameterCount, QNetwork } from "./dqn/q-network.ts";
import { featureNames } from "./features.ts";

/** A trained network as it ships: small enough to be read by a person but for its parameters. */
export interface ModelFile {
  schemaVersion: 1;
  kind: "dqn";
  /** What the network sees and what it chooses from, in order. */
  features: readonly string[];
  actions: readonly string[];
  layers: readonly number[];
  /** How it was made: enough to make it again. */
  training: Record<string, unknown>;
  /** Of the parameters. */
  sha256: string;
  /** 32-bit floats, little endian, in base64. */
  parameters: string;
}

/** A model that cannot be used, and what to do. */
export class ModelError extends Error {
  readonly next: string;

  constructor(where: string, problem: string, next: string) {
    super(`${where} is no model that this agent can use: ${problem}`);
    this.name = "ModelError";
    this.next = next;
  }
}

export function parameterBytes({ parameters }: QNetwork): Buffer {
  const bytes = Buffer.alloc(4 * parameters.length);
  for (const [i, value] of parameters.entries()) bytes.writeFloatLE(value, 4 * i);
  return bytes;
}

/** Names a network: two have the same hash when they are the same in every bit. */
export function parameterHash(network: QNetwork): string {
  return createHash("sha256").update(parameterBytes(network)).digest("hex");
}

export function toModelFile(network: QNetwork, training: Record<string, unknown>): ModelFile {
  return {
    schemaVersion: 1,
    kind: "dqn",
    features: featureNames,
    actions: actionNames,
    layers: network.sizes,
    training,
    sha256: parameterHash(network),
    parameters: parameterBytes(network).toString("base64"),
  };
}

const retrain = "train one with this version: agent train";

/**
 * Refuses what was made for other inputs, other actions or another shape, and what was damaged.
 *
 * @param where for the error: a path.
 * @throws ModelError
 */
export function parseModel(text: string, where: string): { network: QNetwork; file: ModelFile } {
  let file: Partial<ModelFile> | null;
  try {
    file = JSON.parse(text) as Partial<ModelFile> | null;
  } catch (error) {
    throw new ModelError(where, `it is not JSON (${(error as Error).message})`, "check MODEL_PATH");
  }
  if (typeof file !== "object" || file === null || file.kind !== "dqn") {
    throw new ModelError(where, `its kind is not "dqn"`, "check MODEL_PATH");
  }
  if (file.schemaVersion !== 1) {
    throw new ModelError(where, `its schemaVersion is ${JSON.stringify(file.schemaVersion)}, not 1`, retrain);
  }
  requireSame(where, "inputs", file.features, featureNames);
  requireSame(where, "actions", file.actions, actionNames);
  const layers = file.layers ?? [];
  const fits =
    layers.length >= 2 &&
    layers.every((size) => Number.isInteger(size) && size > 0 && size <= 4096) &&
    layers[0] === featureNames.length &&
    layers.at(-1) === actionNames.length;
  if (!fits) {
    const shape = `${featureNames.length} inputs to ${actionNames.length} actions`;
    throw new ModelError(
      where,
      `its layers are ${JSON.stringify(file.layers)}, which do not lead from ${shape}`,
      retrain,
    );
  }
  const bytes = Buffer.from(file.parameters ?? "", "base64");
  const count = parameterCount(layers);
  if (bytes.length !== 4 * count) {
    throw new ModelError(where, `it has ${bytes.length / 4} parameters, its layers need ${count}`, "copy it again");
  }
  if (createHash("sha256").update(bytes).digest("hex") !== file.sha256) {
    throw new ModelError(where, "its parameters do not have the hash that it names", "copy it again");
  }
  const parameters = Float32Array.from({ length: count }, (_, i) => bytes.readFloatLE(4 * i));
  if (!parameters.every(Number.isFinite)) throw new ModelError(where, "a parameter is not a number", retrain);
  return { network: new QNetwork(layers, parameters), file: file as ModelFile };
}

/** @throws ModelError also when there is no such file. */
export async function readModel(path: string): Promise<{ network: QNetwork; file: ModelFile }> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new ModelError(path, `it cannot be read (${(error as Error).message})`, "check MODEL_PATH");
  }
  return parseModel(text, path);
}

function requireSame(
  where: string,
  what: string,
  found: readonly string[] | undefined,
  wanted: readonly string[],
): void {
  if (Array.isArray(found) && found.length === wanted.length && found.every((name, i) => name === wanted[i])) return;
  const has = Array.isArray(found) ? `${found.length} (${found.join(", ")})` : "none";
  throw new ModelError(where, `its ${what} are ${has}; wanted are ${wanted.length} (${wanted.join(", ")})`, retrain);
}
