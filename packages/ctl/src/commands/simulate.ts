import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import {
  type BurstEstimate,
  defaultAssumptions,
  estimateBursts,
  type Outcome as RolloutOutcome,
  type PlanAssumptions,
  PlanError,
  planFromValues,
  plannedSeconds,
  playRollouts,
  readRecording,
  type Recording,
  RecordingError,
  type RolloutPlan,
  type RolloutValues,
  type Scenario,
  type Simulation,
  type SimulationOptions,
  summarize,
  usualHorizonSeconds,
} from "@safe-deploy/verdict";
import { Helm } from "../act/helm.ts";
import { type GlobalOptions, parseDuration } from "../command-line.ts";
import { secondsWords } from "../domain/rollout.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Outcome } from "../output.ts";
import type { AgentValues } from "../simulate/agent.ts";
import { runBreathing } from "../simulate/breathe.ts";
import { replays, type ScenarioName, scenarioNames, scenariosOf, type Traffic } from "../simulate/scenarios.ts";
import { planWords } from "../simulate/plan-words.ts";
import { countWords, percentDigits, shareWords } from "../ui/simulated-numbers.ts";
import { type SideSimulation, simulationTable } from "../ui/simulation-table.ts";
import { wrapItems } from "../ui/wrap.ts";

export interface SimulateOptions extends GlobalOptions {
  chart: string;
  values: string[];
  set: string[];
  setString: string[];
  against: string[];
  scenario: string[];
  replay?: string;
  errors: string[];
  stableErrors: string;
  requestsPerSecond: string;
  rollouts: string;
  seed: string;
  engine?: RolloutPlan["engine"];
  scrape: string;
  podsReady: string;
  horizon?: string;
  plot?: string;
  budget?: string;
  faults: string;
  confidence: string;
}

/** One values file, or several merged, and the rollout that they describe. */
export interface Side {
  /** What stands for it in tables: empty when there is only one. */
  letter: string;
  name: string;
  values: RolloutValues;
  plan: RolloutPlan;
  /** Metrics that are not simulated. */
  alwaysGood: string[];
}

interface PlayedScenario {
  side: Side;
  outcomes: RolloutOutcome[];
  simulation: Simulation;
}

/** Plays many rollouts of the values, without a cluster. */
export async function runSimulate(options: SimulateOptions, signal: AbortSignal): Promise<Outcome> {
  const settings = read(options);
  const sides = await readSides(options, settings.assumptions);
  if (options.budget !== undefined) {
    const { runBudget } = await import("../simulate/budget.ts");
    return await runBudget(sides, settings, budgetOf(options), signal);
  }
  const recorded = options.replay === undefined ? undefined : await readReplay(options.replay, sides[0]!.values);
  const started = performance.now();
  const simulated: PlayedScenario[] = [];
  for (const side of sides) {
    const scenarios: Scenario[] =
      recorded === undefined
        ? settings.scenarios.flatMap((name) => scenariosOf(name, side.plan, settings.traffic))
        : replays(recorded, options.errors.length > 0 ? settings.traffic.errors : []);
    const horizonSeconds = settings.horizonSeconds ?? usualHorizonSeconds(side.plan);
    const played: SimulationOptions = { rollouts: settings.rollouts, seed: settings.seed, horizonSeconds };
    for (const scenario of scenarios) {
      const outcomes = await runBreathing(playRollouts(side.plan, scenario, played), signal);
      simulated.push({ side, outcomes, simulation: summarize(side.plan, scenario, outcomes, played) });
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const { requestsPerSecond, stable } = settings.traffic;
  const traffic =
    recorded === undefined
      ? `${requestsPerSecond} requests/s, of which stable fails ${percent(stable)}`
      : "traffic as recorded";
  const head = [
    ...sides.flatMap(sideLines),
    `${settings.rollouts.toLocaleString("en")} rollouts each, seed ${settings.seed}; ${traffic}`,
  ];
  if (options.plot !== undefined) {
    const { plotSimulations } = await import("../ui/simulation-plot.ts");
    await writePlot(
      options.plot,
      plotSimulations(
        simulated.map(({ side, outcomes, simulation }) => ({
          side: side.letter,
          name: side.name,
          outcomes,
          simulation,
        })),
        { head, asPage: options.plot.endsWith(".html") },
      ),
    );
  }
  const bursts = recorded === undefined ? undefined : estimateBursts(windowsOf(recorded.stable));
  const table = simulated.map(({ side, simulation }): SideSimulation => ({ side: side.letter, simulation }));
  const width = process.stdout.isTTY ? process.stdout.columns : Infinity;
  return {
    exit: ExitCode.ok,
    text: [
      ...head,
      "",
      simulationTable(table, width),
      ...footLines(sides, table),
      ...(recorded === undefined ? [] : burstLines(bursts, sides)),
      "",
    ].join("\n"),
    json: {
      schemaVersion: 1,
      kind: "simulation",
      requestsPerSecond: recorded === undefined ? requestsPerSecond : null,
      ...(recorded === undefined ? {} : { bursts: bursts ?? null }),
      seconds,
      simulations: simulated.map(({ side, simulation }) => ({
        values: side.name,
        plannedSeconds: plannedSeconds(side.plan),
        notSimulated: side.alwaysGood,
        ...simulation,
      })),
    },
  };
}

/** The options as numbers. */
export interface Settings {
  assumptions: PlanAssumptions;
  scenarios: readonly ScenarioName[];
  traffic: Traffic;
  rollouts: number;
  seed: number;
  horizonSeconds: number | undefined;
}

/** @throws CtlError CTL_E_USAGE */
function read(options: SimulateOptions): Settings {
  const unknown = options.scenario.find((name) => !(scenarioNames as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new CtlError("CTL_E_USAGE", `there is no scenario "${unknown}"`, {
      next: `choose from ${scenarioNames.join(", ")}`,
    });
  }
  if (options.plot !== undefined && !/\.(svg|html)$/.test(options.plot)) {
    throw new CtlError("CTL_E_USAGE", `--plot ${options.plot} is neither a drawing nor a page`, {
      next: "name a file that ends in .svg or .html",
    });
  }
  const errors = (options.errors.length > 0 ? options.errors : ["2%", "5%", "20%", "100%"]).map((text) =>
    share("--errors", text),
  );
  return {
    assumptions: {
      ...defaultAssumptions,
      ...(options.engine === undefined ? {} : { engine: options.engine }),
      scrapeSeconds: seconds("--scrape", options.scrape),
      delay: { ...defaultAssumptions.delay, scaleUp: seconds("--pods-ready", options.podsReady) },
    },
    scenarios: options.scenario.length > 0 ? (options.scenario as ScenarioName[]) : scenarioNames,
    traffic: {
      requestsPerSecond: number("--requests-per-second", options.requestsPerSecond, { over: 0, upTo: 1e6 }),
      stable: share("--stable-errors", options.stableErrors),
      errors,
    },
    rollouts: number("--rollouts", options.rollouts, { over: 0, upTo: 1e6, whole: true }),
    seed: number("--seed", options.seed, { over: -1, upTo: 2 ** 31, whole: true }),
    horizonSeconds: options.horizon === undefined ? undefined : seconds("--horizon", options.horizon),
  };
}

function budgetOf(options: SimulateOptions) {
  const confidence = share("--confidence", options.confidence);
  if (confidence < 0.5 || confidence > 0.999) {
    throw new CtlError("CTL_E_USAGE", `--confidence ${options.confidence} is out of range`, {
      next: "give a share from 50% to 99.9%",
    });
  }
  const faults = share("--faults", options.faults);
  if (faults === 0) {
    throw new CtlError("CTL_E_USAGE", "--faults 0 has no bad requests to limit", { next: "give a share such as 2%" });
  }
  return {
    budget: number("--budget", options.budget!, { over: -1, upTo: 1e9, whole: true }),
    confidence,
    faults,
  };
}

function number(name: string, text: string, o: { over: number; upTo: number; whole?: boolean }): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > o.over && value <= o.upTo && (o.whole !== true || Number.isInteger(value))) return value;
  throw new CtlError("CTL_E_USAGE", `${name} ${text} is no ${o.whole === true ? "whole " : ""}number above ${o.over}`, {
    next: `give one up to ${o.upTo}`,
  });
}

/** `0.05` or `5%`. */
function share(name: string, text: string): number {
  const match = /^([0-9.]+)(%?)$/.exec(text.trim());
  const value = Number(match?.[1]) / (match?.[2] === "%" ? 100 : 1);
  if (value >= 0 && value <= 1) return value;
  throw new CtlError("CTL_E_USAGE", `${name} ${text} is no share of requests`, { next: "write it as 5% or 0.05" });
}

function seconds(name: string, text: string): number {
  const value = parseDuration(text);
  if (value !== undefined && value > 0) return value;
  throw new CtlError("CTL_E_USAGE", `${name} ${text} is not a duration`, { next: "write it as 90s, 5m or 1h" });
}

/** @throws CtlError when a file is missing, the chart refuses the values, or they describe nothing to simulate. */
async function readSides(options: SimulateOptions, assumptions: PlanAssumptions): Promise<Side[]> {
  for (const file of [...options.values, ...options.against]) {
    if (!existsSync(file)) {
      throw new CtlError("CTL_E_USAGE", `there is no values file ${file}`, { next: "correct --values or --against" });
    }
  }
  if (!/^(oci|https?):\/\//.test(options.chart) && !existsSync(options.chart)) {
    throw new CtlError("CTL_E_NO_CHART", `there is no chart at ${options.chart}`, {
      next: "name it with --chart, or in CTL_CHART",
    });
  }
  const helm = await Helm.find({ release: options.release, namespace: "default" });
  const chosen = options.against.length > 0 ? [options.values, options.against] : [options.values];
  const shorten = new Set(chosen.map(nameOf)).size === chosen.length;
  return await Promise.all(
    chosen.map(async (files, index): Promise<Side> => {
      const name = shorten ? nameOf(files) : files.join(" + ");
      const values = (await helm.values({
        chart: options.chart,
        // Without an image nothing renders, and what runs does not matter here.
        base: {
          image: { tag: "simulated" },
          hooks: { image: { tag: "simulated" } },
          agent: { image: { tag: "simulated" } },
        },
        files,
        set: options.set,
        setString: options.setString,
      })) as unknown as RolloutValues;
      const letter = chosen.length === 1 ? "" : "AB"[index]!;
      return { letter, name, values, ...(await planOf(values, name, assumptions)) };
    }),
  );
}

const nameOf = (files: string[]) =>
  files.length === 0 ? "the chart's own values" : files.map((file) => basename(file)).join(" + ");

/** @throws CtlError CTL_E_NO_SIMULATION */
async function planOf(
  values: RolloutValues & {
    mode?: string;
    worker?: boolean;
    agent?: AgentValues & { enabled?: boolean; mode?: string };
  },
  name: string,
  assumptions: PlanAssumptions,
) {
  if (values.mode !== "rollout") {
    throw new CtlError("CTL_E_NO_SIMULATION", `${name}: mode is ${values.mode}, which has no steps to simulate`, {
      next: "simulate values with `mode: rollout`, such as -f charts/myapp/presets/a.yaml",
    });
  }
  if (values.worker === true) {
    throw new CtlError("CTL_E_NO_SIMULATION", `${name}: a worker takes jobs, and only requests are simulated`, {
      next: "simulate values with `worker: false`",
    });
  }
  try {
    const { plan, alwaysGood } = planFromValues(values, assumptions);
    const { agent } = values;
    if (agent?.enabled !== true || agent.mode !== "steer") return { plan, alwaysGood };
    const { agentSteering } = await import("../simulate/agent.ts");
    return { plan: { ...plan, steering: agentSteering(agent) }, alwaysGood };
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    throw new CtlError("CTL_E_NO_SIMULATION", [`${name}:`, ...error.problems.map((each) => `  - ${each}`)].join("\n"), {
      next: "correct the values named above, then run the same command",
      details: { problems: error.problems },
      cause: error,
    });
  }
}

/** @throws CtlError CTL_E_USAGE */
async function readReplay(file: string, values: RolloutValues) {
  const { statusLabel = "status", errorStatus = "5.." } =
    (values.analysis as { names?: { statusLabel?: string; errorStatus?: string } }).names ?? {};
  try {
    return readRecording(JSON.parse(await readFile(file, "utf8")), { status: statusLabel, errorStatus });
  } catch (error) {
    const next = error instanceof RecordingError ? error.next : "give a JSON file, as /api/v1/query_range answers";
    throw new CtlError("CTL_E_USAGE", `--replay ${file}: ${(error as Error).message}`, { next, cause: error });
  }
}

/** What was counted between two samples. */
function windowsOf(recording: readonly Recording[]): { requests: number; bad: number }[] {
  return recording.slice(1).map(({ requests, bad }, index) => ({
    requests: requests - recording[index]!.requests,
    bad: bad - recording[index]!.bad,
  }));
}

/** How many of stable's errors share one fate, beside what the sequential tests of the values allow for. */
function burstLines(bursts: BurstEstimate | undefined, sides: readonly Side[]): string[] {
  if (bursts === undefined)
    return ["Bursts: too few errors of stable in the recording to tell how many come together."];
  const phi = Math.ceil(10 * bursts.phi) / 10;
  return [
    `Bursts: stable's errors come as if ${phi} shared one fate (${bursts.windows} windows of the recording).`,
    ...sides
      .filter(({ plan }) => plan.sequential.policy.phi < bursts.phi)
      .map(({ letter, plan }) => {
        const of = letter === "" ? "" : ` of ${letter}`;
        return `analysis.sequential.policy.phi${of} is ${plan.sequential.policy.phi}: set ${phi}, or good versions fail more often than promised.`;
      }),
  ];
}

async function writePlot(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new CtlError("CTL_E_USAGE", `--plot: ${(error as Error).message}`, {
      next: "name a file that can be written",
    });
  }
}

/** What is simulated of one side: its steps, what watches them, and what is left out. */
export function sideLines({ letter, name, plan, alwaysGood }: Side): string[] {
  const split = plan.router ? "canary by a router" : `canary by the share of ${plan.replicas} pods`;
  return [
    `${letter === "" ? "" : `${letter} = `}${name}: ${split}, ${plan.engine}${plan.steering === undefined ? "" : ", steered by the agent"}, ${secondsWords(plannedSeconds(plan))} when all is well`,
    ...planWords(plan),
    ...(alwaysGood.length === 0 ? [] : wrapItems(alwaysGood, "  not simulated, taken as good: ")),
  ];
}

function footLines(sides: readonly Side[], table: readonly SideSimulation[]): string[] {
  const of = (side: string) => (side === "" ? "" : ` of ${side}`);
  return [
    ...sides.flatMap(({ letter, plan }) => {
      const own = table.filter(({ side }) => side === letter);
      const overBudget = own.flatMap(({ simulation: { scenario, overBudget } }) =>
        overBudget === undefined ? [] : [`${scenario} ${shareWords(overBudget)}`],
      );
      const falseAborts = own.flatMap(({ simulation: { scenario, falseAborts } }) =>
        falseAborts === undefined ? [] : [`${scenario} ${shareWords(falseAborts)}`],
      );
      const goingOn = own.flatMap(({ simulation: { scenario, falseAborts, badOf } }) =>
        (["promoted", "paused"] as const).flatMap((end) => {
          const bad = badOf[end]?.byHorizon;
          return bad === undefined || falseAborts !== undefined
            ? []
            : [`${scenario} ${end}: ${countWords(bad.median)} by ${secondsWords(own[0]!.simulation.horizonSeconds)}`];
        }),
      );
      return [
        ...(falseAborts.length === 0 ? [] : wrapItems(falseAborts, `False aborts${of(letter)}: `)),
        ...(overBudget.length === 0
          ? []
          : wrapItems(overBudget, `Over the budget of ${plan.sequential.policy.budget}${of(letter)}: `)),
        ...(goingOn.length === 0 ? [] : wrapItems(goingOn, `Goes on failing${of(letter)}: `)),
      ];
    }),
    "Medians; in brackets 95 % confidence (shares: Clopper and Pearson 1934,",
    "medians: Thompson 1936).",
  ];
}

const percent = (ratio: number) => `${percentDigits(ratio)} %`;
