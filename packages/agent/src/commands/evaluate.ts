import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, relative } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { defaultPrices } from "../cost.ts";
import { leastCost } from "../dynamic-program.ts";
import { smallProblem } from "../environment/two-versions.ts";
import { defaultSettings } from "../environment/simulated-rollout.ts";
import { usage } from "../errors.ts";
import { evaluate, type Evaluation } from "../evaluation/evaluate.ts";
import { judge, type Judgement } from "../evaluation/judgement.ts";
import { paretoPlot } from "../evaluation/pareto-plot.ts";
import { advisoryTable, markdown, overallTable, publishedTable, scenarioTable } from "../evaluation/table.ts";
import { type ModelFile, readModel } from "../model-file.ts";
import { AgentPolicy } from "../policies/agent-policy.ts";
import { alwaysUp, rules, sequentialClimb, sequentialGates } from "../policies/baselines.ts";
import { shippedModel } from "../shipped-model.ts";
import { wholeNumber } from "./options.ts";
import { Progress } from "./progress.ts";

export interface EvaluateOptions {
  model?: string;
  rollouts: string;
  seed: string;
  output: string;
  docs?: string;
  plot?: string;
}

const begin = "<!-- evaluation: written by `agent evaluate --docs` -->";
const end = "<!-- /evaluation -->";

export async function runEvaluate(options: EvaluateOptions, signal: AbortSignal): Promise<void> {
  if (options.output !== "text" && options.output !== "json") throw usage(`--output ${options.output}: text or json`);
  const rolloutsPerScenario = wholeNumber("--rollouts", options.rollouts, 1);
  const seed = wholeNumber("--seed", options.seed, 0);
  const document = options.docs === undefined ? undefined : await readDocument(options.docs);
  const { network, file } = await readModel(options.model ?? (process.env["MODEL_PATH"] || shippedModel));
  const agent = new AgentPolicy(network, "advises");
  const actingAgent = new AgentPolicy(network, "acts");
  const policies = [alwaysUp, rules, sequentialGates, sequentialClimb, agent, actingAgent];
  const progress = new Progress();
  const work = evaluate(policies, { rolloutsPerScenario, seed });
  let evaluation: Evaluation | undefined;
  while (evaluation === undefined) {
    signal.throwIfAborted();
    const next = work.next();
    if (next.done === true) evaluation = next.value;
    else progress.show(next.value.done, next.value.of, "evaluated");
    await breathe();
  }
  const bound = leastCost(smallProblem, defaultSettings);
  const baselines = [sequentialGates.name, sequentialClimb.name];
  const judgement = judge(evaluation, agent.name, baselines);
  const acting = judge(evaluation, actingAgent.name, baselines);
  const about = aboutWords(file, rolloutsPerScenario, seed);
  if (options.plot !== undefined) await writeFile(options.plot, paretoPlot(evaluation.overall));
  const words = textOf(evaluation, {
    agent: agent.name,
    bound,
    about,
    sentences: [...sentencesOf(judgement), ...acting.sentences],
  });
  if (document !== undefined) {
    const plot =
      options.plot === undefined
        ? ""
        : `\n![Harm against time](${relative(dirname(document.path), options.plot) || basename(options.plot)})\n`;
    await writeFile(document.path, `${document.before}${begin}\n${words}${plot}${end}${document.after}`);
  }
  if (options.output === "text") process.stdout.write(words);
  else {
    const { summaries } = evaluation;
    const overall = evaluation.overall.map(({ costs: _costs, ...row }) => row);
    const result = { schemaVersion: 1, kind: "agentEvaluation", model: file.sha256, seed, prices: defaultPrices };
    process.stdout.write(
      `${JSON.stringify({ ...result, bound, agentWins: judgement.agentWins, summaries, overall }, null, 2)}\n`,
    );
  }
}

/** @throws AgentError before the work begins when the marks are missing. */
async function readDocument(path: string): Promise<{ path: string; before: string; after: string }> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw usage(`--docs ${path} cannot be read: ${(error as Error).message}`);
  });
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from)
    throw usage(`--docs ${path} lacks the marks that the tables go between`, `write "${begin}" and "${end}" into it`);
  return { path, before: text.slice(0, from), after: text.slice(to + end.length) };
}

function sentencesOf({ agentWins, sentences }: Judgement): string[] {
  const conclusion = agentWins
    ? "It beats the sequential test in every environment."
    : "It does NOT beat the sequential test everywhere, so the chart's default stays: the agent advises.";
  return [`**${conclusion}**`, ...sentences];
}

function aboutWords(file: ModelFile, rollouts: number, seed: number): string {
  const { excessBad, step, falseAbort, notPromoted } = defaultPrices;
  return [
    `${rollouts.toLocaleString("en")} rollouts of each scenario and policy, seed ${seed}, model ${file.sha256.slice(0, 16)}.`,
    `Prices: ${excessBad} for each bad request more than a good version would have had, ${step} for each step of 10 s without a decision, ${falseAbort} for the abort of a good version, ${notPromoted} for a good version that is not promoted after 100 steps.`,
    "Means; in brackets 95 % confidence.",
  ].join(" ");
}

function textOf(
  { summaries, overall }: Evaluation,
  o: { agent: string; bound: number; about: string; sentences: readonly string[] },
): string {
  const environments = [...new Set(summaries.map(({ environment }) => environment))];
  const perEnvironment = environments.map((environment) =>
    [
      `### ${environment}`,
      "",
      markdown(scenarioTable(summaries.filter((one) => one.environment === environment))),
    ].join("\n"),
  );
  return [
    o.about,
    "",
    ...o.sentences.map((sentence) => `- ${sentence}`),
    "",
    "### All scenarios, as often as they come",
    "",
    markdown(overallTable(overall, o.bound)),
    "",
    ...perEnvironment.flatMap((table) => [table, ""]),
    "### The agent's own wish to abort",
    "",
    markdown(advisoryTable(summaries, o.agent)),
    "",
    "### Beside the figures of the project it was asked for after",
    "",
    markdown(publishedTable(summaries)),
    "",
  ].join("\n");
}
