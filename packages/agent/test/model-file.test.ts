import { Random } from "@safe-deploy/verdict";
import { describe, expect, test } from "vitest";
import { QNetwork } from "../src/dqn/q-network.ts";
import { featureNames } from "../src/features.ts";
import { modelCard } from "../src/model-card.ts";
import { ModelError, parameterHash, parseModel, readModel, toModelFile } from "../src/model-file.ts";
import { shippedModel } from "../src/shipped-model.ts";

const network = QNetwork.random([featureNames.length, 5, 4], new Random(3));
const file = toModelFile(network, { seed: 3 });
const changed = (changes: object) => JSON.stringify({ ...file, ...changes });

test("a model comes back as it was, bit for bit", () => {
  const back = parseModel(JSON.stringify(file), "model.json");
  expect(back.network.sizes).toEqual(network.sizes);
  expect(parameterHash(back.network)).toBe(parameterHash(network));
  expect([...back.network.parameters]).toEqual([...network.parameters]);
});

describe("a model is refused with what is wrong and what to do:", () => {
  const cases: [string, string, string][] = [
    ["no JSON", "{", "it is not JSON"],
    ["another kind", changed({ kind: "forest" }), 'its kind is not "dqn"'],
    ["an array", "[]", 'its kind is not "dqn"'],
    ["another version", changed({ schemaVersion: 2 }), "its schemaVersion is 2, not 1"],
    ["four inputs", changed({ features: ["a", "b", "c", "d"] }), "its inputs are 4 (a, b, c, d); wanted are 22"],
    ["inputs in another order", changed({ features: featureNames.toReversed() }), "its inputs are 22"],
    ["three actions", changed({ actions: ["HOLD", "UP", "DOWN"] }), "its actions are 3"],
    ["layers for other inputs", changed({ layers: [4, 5, 4] }), "its layers are [4,5,4]"],
    ["no layers", changed({ layers: undefined }), "its layers are undefined"],
    ["too few parameters", changed({ parameters: "AAAA" }), "its layers need 139"],
    ["a damaged parameter", changed({ parameters: `AAAA${file.parameters.slice(4)}` }), "do not have the hash"],
  ];
  test.each(cases)("%s", (_name, text, problem) => {
    expect(() => parseModel(text, "model.json")).toThrow(problem);
    try {
      parseModel(text, "model.json");
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError);
      expect((error as ModelError).next).not.toBe("");
      expect((error as ModelError).message).toMatch(/^model\.json is no model that this agent can use: /);
    }
  });

  test("none there", async () => {
    await expect(readModel("/nowhere/model.json")).rejects.toThrow("it cannot be read (ENOENT");
  });

  test("a parameter that is no number", () => {
    const broken = new QNetwork(network.sizes, network.parameters.slice());
    broken.parameters[0] = Number.NaN;
    expect(() => parseModel(JSON.stringify(toModelFile(broken, {})), "model.json")).toThrow("is not a number");
  });
});

test("the model that ships is small, fits this version, and its card names it", async () => {
  const { network: shipped, file: shippedFile } = await readModel(shippedModel);
  expect(JSON.stringify(shippedFile).length).toBeLessThan(200_000);
  expect(shipped.sizes[0]).toBe(featureNames.length);
  const { readFile } = await import("node:fs/promises");
  expect(await readFile(new URL("../model/README.md", import.meta.url), "utf8")).toBe(modelCard(shippedFile));
});
