import { Command, Help, Option } from "commander";
import type { GlobalOptions } from "./command-line.ts";
import type { Outcome } from "./output.ts";

/** Runs the chosen command. Each one's code is loaded only when it is chosen, so that help stays fast. */
export type Runner = (run: (signal: AbortSignal) => Promise<Outcome>, output: "text" | "json") => Promise<void>;

const exitCodes = `
Exit codes:
  0 done and verified          5 failed, and restored: the release before serves, verified
  1 unexpected error           6 failed, and not restored
  2 wrong usage                7 paused: a person must promote or abort
  3 refused, nothing changed   8 inconclusive: a person must decide
  4 deadline passed            130 interrupted
`;

const env = process.env;

/** @param defaultChart where the chart is looked for when neither --chart nor CTL_CHART names one. */
export function buildProgram(runner: Runner, defaultChart: string): Command {
  const program = new Command("ctl")
    .description("Deploys that end verified, or back where they were.")
    .option("-n, --namespace <name>", "namespace of the release (default: NS, or the kubeconfig's)", env["NS"])
    .addOption(new Option("-r, --release <name>", "name of the release").default(env["RELEASE"] ?? "myapp"))
    .option("--kubeconfig <file>", "kubeconfig to use instead of KUBECONFIG")
    .option("--context <name>", "context of the kubeconfig")
    .addOption(
      new Option("-o, --output <form>", "form of the result on stdout").choices(["text", "json"]).default("text"),
    )
    .option("--timeout <duration>", "deadline, such as 90s or 5m; by default a rollout's own waits come on top", "5m")
    .addHelpText("after", exitCodes)
    .showHelpAfterError("(ctl --help shows the commands)")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, optionDescription: describeOption });

  const command = (usage: string, description: string) =>
    program.command(usage).description(description).exitOverride();
  /** Hands the merged options to the command's own module. */
  const act =
    <O extends GlobalOptions>(run: (options: O, signal: AbortSignal, args: string[]) => Promise<Outcome>) =>
    async (...parameters: unknown[]) => {
      const self = parameters.at(-1) as Command;
      const timeoutIsDefault = program.getOptionValueSource("timeout") === "default";
      const options = { ...self.optsWithGlobals<O>(), timeoutIsDefault };
      await runner((signal) => run(options, signal, self.args), options.output);
    };

  const chartOption = () =>
    new Option("--chart <path>", "chart to deploy").default(
      env["CTL_CHART"] ?? defaultChart,
      "CTL_CHART, or this project's",
    );
  const reporting = (c: Command) =>
    c.option("--report <folder>", "where the report is written (default: a new folder of ctl's own)");
  const withChart = (c: Command) =>
    c
      .addOption(chartOption())
      .option("-f, --values <file>", "values file; may be given several times", collect, [])
      .option("--set <key=value>", "one value; may be given several times", collect, [])
      .option("--set-string <key=value>", "one value as a string; may be given several times", collect, [])
      .option("--image <reference>", "image to deploy: registry/name:tag, or @sha256:…")
      .option("--reuse-values", "keep the live release's values under those given", false)
      .option("--create-namespace", "create the namespace when it does not exist", false);

  reporting(withChart(command("deploy", "install or upgrade, verify, and restore the release before when it fails")))
    .option("--skip-preflight", "apply without looking for problems first", false)
    .option("--no-rollback", "leave a failed release as it is (exit code 6)")
    .option("--pause-first", "verify a first release without its routes, and wait for ctl promote (exit code 7)", false)
    .option("--bake <duration>", "watch the verified release for so long, and take it back when its pods end", "0s")
    .option("--dry-run", "print the plan and preflight's findings, and change nothing", false)
    .action(act(async (o, signal) => (await import("./commands/deploy.ts")).runDeploy(o as never, signal)));
  withChart(command("preflight", "look for what would make a deploy fail, and change nothing")).action(
    act(async (o, signal) => (await import("./commands/deploy.ts")).runPreflight(o as never, signal)),
  );
  command("status", "what runs, whether it is verified, and what to do next").action(
    act(async (o, signal) => (await import("./commands/status.ts")).runStatus(o, signal)),
  );
  command("wait", "wait until what is under way has ended; the exit code says how").action(
    act(async (o, signal) => (await import("./commands/wait.ts")).runWait(o, signal)),
  );
  command("history", "the revisions, the verdict on each, and where a rollback would go").action(
    act(async (o, signal) => (await import("./commands/history.ts")).runHistory(o, signal)),
  );
  reporting(command("rollback", "go back to the last verified release, and verify it again"))
    .alias("undo")
    .option(
      "--to <revision>",
      "a revision that was verified, or `verified`: the newest such that is not live",
      "verified",
    )
    .option("--to-revision <revision>", "the same as --to")
    .option("--dry-run", "say where it would go, and change nothing", false)
    .action(act(async (o, signal) => (await import("./commands/rollback.ts")).runRollback(o as never, signal)));
  command("get", "the rollout as a tree: steps, weights, analyses against their limits, pods")
    .option("-w, --watch", "go on until it has ended or waits for a person", false)
    .action(act(async (o, signal) => (await import("./commands/get.ts")).runGet(o as never, signal)));
  command("watch", "the same as get --watch; with --web as a page that this machine serves")
    .option("--web", "serve the live page, and print its address", false)
    .option("--port <number>", "port of the page (default: one that is free)")
    .action(act(async (o, signal) => (await import("./commands/watch.ts")).runWatch(o as never, signal)));
  for (const [name, description] of [
    ["promote", "end the pause that a rollout waits in, and follow it to its end"],
    ["abort", "send all traffic back to the stable release, and leave the new one as it is"],
    ["retry", "begin an aborted rollout again, and follow it to its end"],
    ["pause", "stop a rollout where it is, until it is resumed"],
    ["resume", "go on with a rollout that a person paused, and follow it to its end"],
  ] as const) {
    const steering = command(name, description);
    if (name === "promote")
      steering.option("--full", "skip all steps, pauses and analyses that are left", false).addOption(chartOption());
    if (name !== "pause") reporting(steering);
    if (name !== "abort" && name !== "pause")
      steering.option("--no-rollback", "leave a release that fails as it is (exit code 6)");
    steering.action(act(async (o, signal) => (await import("./commands/steer.ts")).runSteer(name, o as never, signal)));
  }
  reporting(
    command("mode <mode>", "run the release as a rollout or as a deployment, without a failed request in between"),
  )
    .addOption(chartOption())
    .action(
      act(async (o, signal, args) => (await import("./commands/mode.ts")).runMode(args[0] ?? "", o as never, signal)),
    );
  command("traffic [url]", "count who answers at the router (default: CTL_URL), and compare with the rollout's weight")
    .option("--requests <number>", "requests to send, and again as many with the header", "100")
    .option("--header <header>", 'also send requests with this header, such as "x-canary: true": all are the canary\'s')
    .option("--host <name>", "Host header that the router knows the release by")
    .option("--path <path>", "path to ask for when the address has none", "/version")
    .action(
      act(async (o, signal, args) => (await import("./commands/traffic.ts")).runTraffic(args[0], o as never, signal)),
    );
  command("smoke", "run the declared checks against the live release, inside the cluster").action(
    act(async (o, signal) => (await import("./commands/hooks.ts")).runSmoke(o, signal)),
  );
  command("logs", "the logs of the release's pods")
    .option("-f, --follow", "go on as new lines come", false)
    .option("-p, --previous", "of the run before the last restart", false)
    .option("--tail <lines>", "lines from the end", "200")
    .action(act(async (o, signal) => (await import("./commands/logs.ts")).runLogs(o as never, signal)));
  for (const [name, value] of [
    ["fail-on", "true"],
    ["fail-off", "false"],
  ] as const) {
    reporting(command(name, `deploy what is live with the flag FEATURE_NEW=${value}`))
      .addOption(chartOption())
      .option("--flag <name>", "another flag", "FEATURE_NEW")
      .option("--no-rollback", "leave a failed release as it is (exit code 6)")
      .action(act(async (o, signal) => (await import("./commands/flags.ts")).runFlag(o as never, value, signal)));
  }
  command("simulate", "play many rollouts of a values file, without a cluster: how long, how many bad requests")
    .addOption(chartOption())
    .option("-f, --values <file>", "values file; may be given several times", collect, [])
    .option("--set <key=value>", "one value; may be given several times", collect, [])
    .option("--set-string <key=value>", "one value as a string; may be given several times", collect, [])
    .option("--against <file>", "values file of a second rollout beside it; may be given several times", collect, [])
    .option("--scenario <name>", "what happens; may be given several times (default: all)", collect, [])
    .option("--errors <share>", "bad requests of a buggy version, as 5% or 0.05; several times", collect, [])
    .option("--stable-errors <share>", "bad requests of the stable version", "0.1%")
    .option("--requests-per-second <number>", "of both versions together", "100")
    .option("--replay <file>", "traffic as recorded: the answer of Prometheus' /api/v1/query_range")
    .addOption(
      new Option("--engine <name>", "what judges (default: analysis.engine)").choices(["thresholds", "sequential"]),
    )
    .option("--rollouts <number>", "rollouts of each scenario", "1000")
    .option("--seed <number>", "the same seed gives the same numbers", "1")
    .option("--scrape <duration>", "how often Prometheus scrapes", "5s")
    .option("--pods-ready <duration>", "until new pods are ready", "2s")
    .option("--horizon <duration>", "how long a rollout is watched (default: 10m longer than it takes)")
    .option("--plot <file>", "also draw it, as .svg or .html")
    .option("--budget <number>", "find settings with at most so many bad requests")
    .option("--faults <share>", "with --budget: for versions that fail at least so many", "2%")
    .option("--confidence <share>", "with --budget: in so many of rollouts", "99%")
    .action(act(async (o, signal) => (await import("./commands/simulate.ts")).runSimulate(o as never, signal)));
  command("set-image <image>", "write an image into a values file")
    .option("--file <file>", "the values file", "deploy/values.yaml")
    .action(
      act(async (o, _signal, args) => (await import("./commands/set-image.ts")).runSetImage(args[0] ?? "", o as never)),
    );
  command("migrate <args...>", "run the database migration Job by hand: upgrade [V], downgrade V|-1, status").action(
    act(async (o, signal, args) => (await import("./commands/hooks.ts")).runMigrate(o, args, signal)),
  );
  command("verify", "what the chart's hooks run inside the cluster")
    .requiredOption("--facts <file>", "release.json of the chart")
    .requiredOption("--checks <file>", "checks.json of the chart")
    .option("--checks-only", "only run the declared checks, and judge nothing", false)
    .action(act(async (o, signal) => (await import("./commands/verify.ts")).runVerify(o as never, signal)));
  command("completion <shell>", "completion script for bash, zsh or fish").action(async (shell: string) => {
    await runner(async () => {
      const { completionScript } = await import("./commands/completion.ts");
      const text = completionScript(shell, program);
      return { exit: 0, text, json: { schemaVersion: 1, kind: "completion", text } };
    }, "text");
  });
  return program;
}

/** No list and a switch that is off are no defaults that tell anybody anything. */
function describeOption(option: Option): string {
  const isSaid = !Array.isArray(option.defaultValue) && option.defaultValue !== false;
  return isSaid ? new Help().optionDescription(option) : option.description;
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
