import { clopperPearson, defaultPolicy, expectedComparison, expectedCrossing } from "@safe-deploy/verdict";
import { hasFailed, type SeriesPoint } from "@safe-deploy/load";
import { buildImages, buildVerdictImage } from "../images.ts";
import { World } from "../world.ts";
import {
  byThresholds,
  Canary,
  failsTestedPath,
  type Harm,
  harmWords,
  measureHarm,
  percent,
  randomPaths,
  rate,
  rolloutValues,
  sequentially,
  type Setting,
  sideBySide,
  timesFewer,
} from "./canary.ts";
import { budget, keepsBudget } from "./budget.ts";
import type { Bench, Figure, Row } from "./figure.ts";
import { median } from "./measure.ts";

const lanes = 2;
const limitSeconds = 300;
const version = "v3";
const roundsWithErrors = 5;
const otherRounds = 2;
/** Percent, the first weight of the defaults. */
const weight = 10;
/** Beyond what the boundary costs at least, and what gets through until a verdict takes effect. */
const costGoal = 1.5;

/** Something that is wrong with the new version. */
interface Fault {
  name: string;
  /** Of errors, 0 to 1. */
  share?: number;
  paths: (seed: string) => string[];
  /** Flags of Helm: of both versions, of the new one, and what each engine needs to see it. */
  both: string[];
  bad: string[];
  setting: { thresholds: string[]; sequential: string[] };
  isBad?: (point: SeriesPoint) => boolean;
  rounds: number;
}

const otherPaths = () => ["/version"];
const latency = (milliseconds: number) => ["--set-string", `config.FAULT_LATENCY_MS=${milliseconds}`];
const rule = (name: string, values: Record<string, unknown>) => [
  "--set-json",
  `analysis.sequential.policy.rules.${name}=${JSON.stringify(values)}`,
];
// Of what no declared check finds: else the first gate's checks would end it before either engine.
const noChecks = ["--set-json", 'checks=[{"name":"health","request":{"path":"/health"},"expect":{"status":200}}]'];

const faults: Fault[] = [
  ...[0.02, 0.05, 0.2, 1].map((share): Fault => ({
    name: `${percent(share)} errors`,
    share,
    paths: (seed) => randomPaths(share, seed),
    both: [],
    bad: failsTestedPath,
    setting: { thresholds: [], sequential: [] },
    rounds: roundsWithErrors,
  })),
  {
    name: "three times as slow",
    paths: otherPaths,
    both: latency(60),
    bad: latency(180),
    setting: {
      thresholds: ["--set", "rollout.canary.background={errorRatio,latencyVersusStable}"],
      sequential: rule("slow", { bad: "slower", seconds: 0.1, p0: 0.02, p1: 0.1, tolerated: 2 }),
    },
    isBad: (point) => point.version === version,
    rounds: otherRounds,
  },
  {
    name: "it hangs",
    paths: otherPaths,
    both: [],
    bad: latency(600_000),
    setting: {
      thresholds: noChecks,
      sequential: [...noChecks, ...rule("silence", { bad: "silence", tolerated: 3, refused: 10 })],
    },
    isBad: ({ version: answered, status }) => answered === "none" && hasFailed(status),
    rounds: otherRounds,
  },
];

interface Job {
  fault: Fault;
  engine: "thresholds" | "sequential";
  round: number;
}

/** The same faults on the cluster, judged by each engine: how many bad requests, and how often more than the budget. */
export const engines: Figure = {
  name: "engines",
  seconds: 35 * 60,
  onlyWith: "LONG",
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", version]);
    await buildVerdictImage(world);
    return await compareEngines(world, bench);
  },
};

export async function compareEngines(world: World, { note, failed }: Pick<Bench, "note" | "failed">): Promise<Row[]> {
  // The longest first, so that no lane ends alone.
  const jobs: Job[] = [
    ...faults.map((fault): Job => ({ fault, engine: "thresholds", round: 0 })),
    ...faults.flatMap((fault) =>
      Array.from({ length: fault.rounds }, (_, round): Job => ({ fault, engine: "sequential", round })),
    ),
  ];
  const measureJob = async (job: Job, index: number) => {
    const { fault, engine, round } = job;
    await using canary = await Canary.install(world, `bench-engines-${index}`, settingOf(job), fault.both);
    const harm = await measureHarm(canary, {
      paths: fault.paths(`engines/${fault.name}/${round}`),
      version,
      flags: fault.bad,
      limitSeconds,
      ...(fault.isBad === undefined ? {} : { isBad: fault.isBad }),
    });
    note(`engines: ${fault.name}, ${engine}: ${harmWords(harm)}`);
    return { ...job, harm, delay: engine === "sequential" ? await delayOf(canary, harm) : undefined };
  };
  const measured = await sideBySide(lanes, jobs, measureJob, ({ fault, engine }, error) =>
    failed(`${fault.name}, ${engine}`, error),
  );
  const harms = (fault: Fault, engine: Job["engine"]) =>
    measured.filter((one) => one.fault === fault && one.engine === engine).map(({ harm }) => harm);
  const ofFaults = faults.flatMap((fault): Row[] => {
    const [subject, [baseline]] = [harms(fault, "sequential"), harms(fault, "thresholds")];
    if (subject.length === 0 || baseline === undefined) return [];
    const { requests, ratio } = timesFewer(subject, baseline);
    const { isAtLeast = false } = ratio;
    return [
      {
        what: `bad requests, ${fault.name}`,
        subject: { command: "the sequential engine", unit: "requests", values: requests },
        baseline: { command: "the thresholds", unit: "requests", values: [baseline.requests], isAtLeast },
        ratio,
        goal: { text: "every one taken back", isMet: subject.every(({ end }) => end === "taken back") },
        note: `sequential: ${subject.map(harmWords).join("; ")}. Thresholds: ${harmWords(baseline)}`,
      },
    ];
  });
  const ofErrors = faults.flatMap((fault) => {
    const own = measured.filter((one) => one.fault === fault);
    return costRow(
      fault,
      own.flatMap(({ harm, delay }) => (delay === undefined ? [] : [{ harm, delay }])),
    );
  });
  const withErrors = measured.filter(({ fault, engine }) => engine === "sequential" && fault.share !== undefined);
  return [...ofFaults, ...ofErrors, ...budgetRow(withErrors)];
}

/** What a verdict takes until no bad request ends any more, in seconds, and the boundary it was given by, in nats. */
interface Delay {
  untilWeight: number;
  untilLast: number;
  boundary: number;
}

/** Undefined where it was not the verdict that ended it. */
async function delayOf(canary: Canary, { at, lastBadAt }: Harm): Promise<Delay | undefined> {
  const failed = (await canary.attempt()).path.find(({ verdict }) => verdict === "fail");
  const boundary = failed?.rules[0]?.boundaries[0];
  if (failed === undefined || boundary === undefined) return undefined;
  return { untilWeight: at - failed.at / 1000, untilLast: lastBadAt - at, boundary };
}

/** Bad requests beside what the boundary costs at least, exactly, and what the delays let through. */
function costRow({ name, share }: Fault, measured: readonly { harm: Harm; delay: Delay }[]): Row[] {
  const { absolute, relative } = defaultPolicy.rules[0]!;
  if (share === undefined || measured.length === 0 || absolute === undefined) return [];
  const { boundary } = measured[0]!.delay;
  const alone = expectedCrossing(absolute, boundary, share).bad;
  const fault = { canary: share, stable: 0, share: weight / 100 };
  const compared = expectedComparison(fault, relative!.tolerated, boundary).bad;
  const atLeast = Math.max(alone, compared);
  const untilWeight = median(measured.map(({ delay }) => delay.untilWeight));
  const untilLast = median(measured.map(({ delay }) => delay.untilLast));
  // Half a scrape until a bad answer is in a sample.
  const seconds = 0.5 + untilWeight + untilLast;
  const through = (seconds * rate * weight * share) / 100;
  const mean = measured.reduce((sum, { harm }) => sum + harm.requests, 0) / measured.length;
  const ratio = mean / (atLeast + through);
  return [
    {
      what: `bad requests beyond the least possible, ${name}`,
      subject: { command: "the sequential engine, mean", unit: "requests", values: [mean] },
      baseline: { command: "the boundary and the delay", unit: "requests", values: [atLeast + through] },
      ratio: { median: ratio, min: ratio, max: ratio, reads: "times the baseline" },
      goal: { text: `at most ${costGoal}`, isMet: ratio <= costGoal },
      note: `${digits(atLeast)} until the boundary is reached (absolute test ${digits(alone)}, comparison ${digits(compared)}, each exactly), ${digits(through)} in ${digits(seconds)} s of delay: 0.5 s until a scrape, ${digits(untilWeight)} s from the verdict to weight 0, ${digits(untilLast)} s until the last bad request had ended`,
    },
  ];
}

const digits = (value: number) => Number(value.toPrecision(3)).toString();

/** How many of the rollouts with errors went over the budget. */
function budgetRow(measured: readonly { harm: { requests: number } }[]): Row[] {
  if (measured.length === 0) return [];
  const over = measured.filter(({ harm }) => harm.requests > budget).length;
  const ratio = over / measured.length;
  const { low, high } = clopperPearson(over, measured.length);
  return [
    {
      what: `rollouts with more than ${budget} bad requests, of 2 to 100 % errors`,
      subject: { command: "the sequential engine", unit: "rollouts", values: [over] },
      baseline: { command: "all of them", unit: "rollouts", values: [measured.length] },
      ratio: { median: ratio, min: ratio, max: ratio, reads: "of the baseline" },
      goal: { text: "no more than 1 % would have by chance", isMet: low <= 0.01 },
      note: `with 95 % confidence between ${percent(low)} and ${percent(high)} of such rollouts do`,
    },
  ];
}

/** All that is rolled out, each with what is wrong with it. */
export const settings: Setting[] = faults.flatMap((fault) =>
  (["thresholds", "sequential"] as const).map((engine) => {
    const { name, flags, ...setting } = settingOf({ fault, engine });
    return { ...setting, name: `${name}, ${fault.name}`, flags: [...flags, ...fault.both, ...fault.bad] };
  }),
);

function settingOf({ fault, engine }: Pick<Job, "fault" | "engine">): Setting {
  const flags = [...rolloutValues.flags, ...fault.setting[engine]];
  return engine === "sequential"
    ? sequentially({ ...rolloutValues, flags: [...flags, ...keepsBudget] })
    : byThresholds({ ...rolloutValues, flags });
}
