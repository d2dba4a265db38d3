import path from "node:path";
import { defaultAssumptions } from "@safe-deploy/verdict";
import { buildImages, buildVerdictImage } from "../images.ts";
import { words } from "../run.ts";
import { chart, root, World } from "../world.ts";
import {
  Canary,
  byPrometheus,
  type End,
  failsTestedPath,
  measureHarm,
  percent,
  randomPaths,
  rate,
  releaseFlags,
  rolloutValues,
  sequentially,
  type Setting,
  sideBySide,
} from "./canary.ts";
import type { Bench, Figure, Row } from "./figure.ts";

const lanes = 2;
const limitSeconds = 630;
const version = "v3";
/** How many rollouts must lie within what is simulated for 19 of 20. */
const goal = 18;
const simulatedRollouts = 2_000;
/** How long pods take to serve is not what is compared: in the simulation they take this long. */
const podsReadySeconds = 1;
/** k6 tells the second in which the last request ended, so its middle is off by at most this. */
const halfSecond = 0.5;
/** Until the first weight, from which on the cluster is watched: pods, and the controller, on average. */
const untilWeightSeconds = podsReadySeconds + defaultAssumptions.delay.reconcile;

// Helm makes a text of a fraction that comes by --set.
const quarter = ["-f", path.join(root, "e2e/values/bench/quarter-waits.yaml")];
const presetA: Setting = {
  name: "preset A, a quarter of its waits",
  flags: ["-f", `${chart}/presets/a.yaml`, ...quarter],
  historySeconds: 40,
};
const presetB: Setting = {
  name: "preset B canary, a quarter of its waits",
  flags: ["-f", `${chart}/presets/b-canary.yaml`, ...quarter],
  historySeconds: 40,
};
export const settings = [byPrometheus, presetA, presetB, sequentially(rolloutValues), sequentially(presetA)];
const errors = [0.05, 0.2, 0.5, 1];

interface Job {
  setting: Setting;
  share: number;
}

/** Both ends belong to it. */
interface Range {
  low: number;
  high: number;
}

/** In what 95 of 100 simulated rollouts lie that end in one way. */
interface Prediction {
  seconds: Range;
  bad: Range;
}

/** Bad canaries on the cluster, beside what `ctl simulate` says of the same values, errors and traffic. */
export const liveAgainstSimulated: Figure = {
  name: "live-against-simulated",
  seconds: 30 * 60,
  onlyWith: "LONG",
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", version]);
    await buildVerdictImage(world);
    return await compareWithSimulated(world, bench);
  },
};

export async function compareWithSimulated(
  world: World,
  { note, failed }: Pick<Bench, "note" | "failed">,
): Promise<Row[]> {
  const jobs = settings.flatMap((setting) => errors.map((share): Job => ({ setting, share })));
  const compare = async ({ setting, share }: Job, index: number) => {
    const namespace = `bench-simulated-${index}`;
    const predicted = await predict(world, setting, share);
    await using canary = await Canary.install(world, namespace, setting);
    const harm = await measureHarm(canary, {
      paths: randomPaths(share, `simulated/${index}`),
      version,
      flags: failsTestedPath,
      limitSeconds,
    });
    const one = judge(predicted, { ...harm, seconds: harm.secondsServed + untilWeightSeconds });
    note(`live-against-simulated: ${setting.name}, ${percent(share)} errors: ${one.told}`);
    return { ...one, told: `${setting.name}, ${percent(share)}: ${one.told}` };
  };
  const measured = await sideBySide(lanes, jobs, compare, ({ setting, share }, error) =>
    failed(`${setting.name}, ${percent(share)} errors`, error),
  );
  const rowOf = (what: string, isInside: (one: (typeof measured)[number]) => boolean): Row => {
    const inside = measured.filter(isInside).length;
    const ratio = inside / measured.length;
    return {
      what,
      subject: { command: "rollouts on the cluster", unit: "rollouts", values: [inside] },
      baseline: { command: "all of them", unit: "rollouts", values: [measured.length] },
      ratio: { median: ratio, min: ratio, max: ratio, reads: "of the baseline" },
      goal: { text: `at least ${goal} of ${jobs.length}`, isMet: measured.length === jobs.length && inside >= goal },
    };
  };
  return [
    {
      ...rowOf("time to the end within the simulated 95 %", ({ isTimeInside }) => isTimeInside),
      note: measured.map(({ told }) => told).join("; "),
    },
    rowOf("bad answers to users within the simulated 95 %", ({ isBadInside }) => isBadInside),
  ];
}

/** What is said of these values before anything is rolled out, for each way to end. */
async function predict(world: World, setting: Setting, share: number): Promise<Map<End, Prediction>> {
  const ran = await world.ctl([
    ...["simulate", "--chart", chart, ...releaseFlags(setting, "simulated")],
    ...["--scenario", "buggy", "--errors", percent(share).replace(" ", ""), "--stable-errors", "0%"],
    ...["--requests-per-second", String(rate), "--rollouts", String(simulatedRollouts)],
    ...["--pods-ready", `${podsReadySeconds}s`, "--horizon", `${limitSeconds}s`, "-o", "json"],
  ]);
  if (ran.code !== 0) throw new Error(`ctl simulate ended with ${ran.code}: ${words(ran)}`);
  const { simulations } = JSON.parse(ran.stdout) as {
    simulations: { seconds: Record<string, Range>; badOf: Record<string, { untilEnd: Range }> }[];
  };
  const [simulation] = simulations;
  const ends: [string, End][] = [
    ["aborted", "taken back"],
    ["paused", "waits for a person"],
    ["promoted", "promoted"],
  ];
  return new Map(
    ends.flatMap(([name, end]): [End, Prediction][] => {
      const [seconds, bad] = [simulation?.seconds[name], simulation?.badOf[name]?.untilEnd];
      return seconds === undefined || bad === undefined ? [] : [[end, { seconds, bad }]];
    }),
  );
}

function judge(predicted: Map<End, Prediction>, live: { end: End; seconds: number; requests: number }) {
  const of = predicted.get(live.end);
  const isIn = (value: number, range: Range | undefined, tolerance = 0) =>
    range !== undefined && value >= range.low - tolerance && value <= range.high + tolerance;
  const isTimeInside = isIn(live.seconds, of?.seconds, halfSecond);
  const isBadInside = isIn(live.requests, of?.bad);
  const range = ({ low, high }: Range) => `${low.toFixed(0)} to ${high.toFixed(0)}`;
  const simulated = of === undefined ? "never simulated" : `simulated ${range(of.seconds)} s, ${range(of.bad)} bad`;
  const told = `${live.end} after ${live.seconds.toFixed(0)} s, ${live.requests} bad (${simulated})`;
  return { isTimeInside, isBadInside, told };
}
