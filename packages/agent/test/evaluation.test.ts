import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Random } from "@safe-deploy/verdict";
import { beforeAll, expect, test } from "vitest";
import { QNetwork } from "../src/dqn/q-network.ts";
import { evaluate, type Evaluation } from "../src/evaluation/evaluate.ts";
import { judge } from "../src/evaluation/judgement.ts";
import { paretoFront, paretoPlot } from "../src/evaluation/pareto-plot.ts";
import { meanOf } from "../src/evaluation/summarize.ts";
import { featureNames } from "../src/features.ts";
import { toModelFile } from "../src/model-file.ts";
import { alwaysUp, rules, sequentialClimb, sequentialGates } from "../src/policies/baselines.ts";

const run = promisify(execFile);
const main = join(import.meta.dirname, "../src/main.ts");
const agent = (...args: string[]) =>
  run(process.execPath, [main, ...args], { env: { ...process.env, MODEL_PATH: "" } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );

let evaluation: Evaluation;
beforeAll(() => {
  const work = evaluate([alwaysUp, rules, sequentialGates, sequentialClimb], { rolloutsPerScenario: 40, seed: 5 });
  for (;;) {
    const next = work.next();
    if (next.done === true) {
      evaluation = next.value;
      return;
    }
  }
});

test("every policy meets the same versions: what looks at nothing has the same bad requests whoever else is judged", () => {
  const of = (policies: Parameters<typeof evaluate>[0]) => {
    const work = evaluate(policies, { rolloutsPerScenario: 20, seed: 5 });
    for (;;) {
      const next = work.next();
      if (next.done === true) return next.value.summaries.filter(({ policy }) => policy === "always UP");
    }
  };
  expect(of([alwaysUp])).toEqual(of([rules, alwaysUp]));
});

test("the sequential test promotes the good and aborts the bad; who only goes up promotes all", () => {
  const of = (policy: string, scenario: string) =>
    evaluation.summaries.find(
      (one) => one.environment === "small" && one.policy === policy && one.scenario === scenario,
    )!;
  expect(of("always UP", "buggy").promoted.share).toBe(1);
  expect(of("sequential test, gates", "healthy").promoted.share).toBe(1);
  expect(of("sequential test, gates", "buggy").aborted.share).toBe(1);
  expect(of("sequential test, gates", "buggy").bad.mean).toBeLessThan(of("always UP", "buggy").bad.mean / 10);
  // Rules without a way to abort stand still until the horizon.
  expect(of("rules", "buggy").undecided.share).toBeGreaterThan(0.9);
});

test("a mean has its interval", () => {
  expect(meanOf([1, 2, 3])).toMatchObject({ mean: 2, low: expect.closeTo(0.868, 3), high: expect.closeTo(3.132, 3) });
});

test("the judgement says whether the agent costs less, more, or what cannot be told apart, on the same versions", () => {
  const row = (environment: string, policy: string, costs: number[]) => {
    const cost = meanOf(costs);
    return { environment, policy, rollouts: costs.length, cost, steps: cost, excess: cost, costs };
  };
  // Versions differ far more from each other than policies do on the same one.
  const versions = [10, 200, 35, 1000, 20, 410];
  const of = (...changes: number[][]) =>
    judge(
      {
        overall: changes.flatMap((change, i) => [
          row(
            `e${i}`,
            "agent",
            versions.map((cost, j) => cost + change[j % change.length]!),
          ),
          row(
            `e${i}`,
            "gates",
            versions.map((cost) => cost + 50),
          ),
          row(`e${i}`, "climb", versions),
        ]),
      },
      "agent",
      ["gates", "climb"],
    );
  expect(of([-3, -4])).toEqual({
    agentWins: true,
    sentences: [
      'In "e0" "agent" costs less: 275.7 against 279.2 of "climb"; on the same versions the difference is -3.5 (-3.9 to -3.1).',
    ],
  });
  expect(of([-3, -4], [-30, 40])).toMatchObject({ agentWins: false });
  expect(of([-30, 40]).sentences[0]).toContain("nothing can be told apart");
  expect(of([3, 4]).sentences[0]).toContain("costs MORE");
});

test("the front has what nothing beats in both, and the drawing a point for each policy", () => {
  const points = [
    { steps: 8, harm: 50 },
    { steps: 20, harm: 5 },
    { steps: 21, harm: 5 },
    { steps: 12, harm: 10 },
    { steps: 30, harm: 60 },
  ];
  expect(paretoFront(points).map(({ steps }) => steps)).toEqual([8, 12, 20]);
  expect(paretoPlot(evaluation.overall).match(/<title>[^<]* bad, /g)).toHaveLength(evaluation.overall.length);
});

test("the tables go between the marks of a document and leave the rest as it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "agent-"));
  const model = join(folder, "model.json");
  const network = QNetwork.random([featureNames.length, 8, 4], new Random(1));
  await writeFile(model, JSON.stringify(toModelFile(network, {})));
  const docs = join(folder, "agent.md");
  const marks = "<!-- evaluation: written by `agent evaluate --docs` -->\nold\n<!-- /evaluation -->";
  await writeFile(docs, `# Before\n${marks}\nafter\n`);
  const { code, stdout, stderr } = await agent(
    "evaluate",
    "--model",
    model,
    "--rollouts",
    "2",
    "--docs",
    docs,
    "-o",
    "json",
  );
  expect(stderr).toContain("100 % evaluated");
  expect(code).toBe(0);
  const result = JSON.parse(stdout) as { schemaVersion: number; summaries: unknown[]; bound: number };
  expect(result).toMatchObject({ schemaVersion: 1, kind: "agentEvaluation" });
  expect(result.summaries).toHaveLength(6 * 11);
  const written = await readFile(docs, "utf8");
  expect(written).toMatch(
    /^# Before\n<!-- evaluation[\s\S]*least that any policy can reach[\s\S]*<!-- \/evaluation -->\nafter\n$/,
  );
  expect(written).not.toContain("\nold\n");
});

test.each([
  ["an unknown command", ["learn"], 2, "unknown command"],
  [
    "a number that is none",
    ["evaluate", "--rollouts", "many"],
    2,
    "--rollouts many is not a whole number of at least 1",
  ],
  ["another output", ["evaluate", "-o", "yaml"], 2, "--output yaml: text or json"],
  ["a document without marks", ["evaluate", "--docs", join(import.meta.dirname, "rollout.ts")], 2, "lacks the marks"],
  ["no such model", ["evaluate", "--model", "/nowhere.json"], 3, "next: check MODEL_PATH"],
  ["too few steps", ["train", "--steps", "10"], 2, "--steps 10 is not a whole number of at least 1000"],
  ["an environment that names no Rollout", ["run"], 2, "ROLLOUT is not set"],
])("%s is refused with what to do", async (_name, args, code, words) => {
  const result = await agent(...args);
  expect(result.stderr).toContain(words);
  expect(result.code).toBe(code);
});
