import { Command } from "commander";
import type { EvaluateOptions } from "./commands/evaluate.ts";
import type { TrainOptions } from "./commands/train.ts";

/** Each command's code is loaded only when it is chosen, so that help stays fast. */
export function buildProgram(signal: AbortSignal): Command {
  const program = new Command("agent")
    .description("Learns how fast a rollout may go, and steers one; the sequential verdict has the last word.")
    .showHelpAfterError("(agent --help shows the commands)")
    .exitOverride();
  const command = (usage: string, description: string) =>
    program.command(usage).description(description).exitOverride();

  command("train", "train a model in simulated rollouts; the same seed gives the same model")
    .option("--seed <number>", "seed of everything that is random", "1")
    .option("--steps <number>", "decisions in the environment", "300000")
    .option("--out <folder>", "where model.json, curve.csv, curve.svg and README.md are written", "model")
    .option("--checkpoints <folder>", "also write the model of each validation there")
    .action(async (options: TrainOptions) => (await import("./commands/train.ts")).runTrain(options, signal));

  command("evaluate", "judge a model against the sequential test, rules and the best possible")
    .option("--model <file>", "the model (default: MODEL_PATH, or the one that ships)")
    .option("--rollouts <number>", "rollouts of each scenario and policy", "1000")
    .option("--seed <number>", "seed of the rollouts", "1000")
    .option("-o, --output <form>", "form of the result on stdout: text or json", "text")
    .option("--docs <file>", "also write the tables into this Markdown file, between its marks")
    .option("--plot <file>", "also draw harm against time, as SVG")
    .action(async (options: EvaluateOptions) => (await import("./commands/evaluate.ts")).runEvaluate(options, signal));

  command("run", "follow the Rollout that the environment names, and advise or steer (docs/agent.md)").action(
    async () => (await import("./commands/run.ts")).runAgent(signal),
  );

  return program;
}
