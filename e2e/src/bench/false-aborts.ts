import { clopperPearson } from "@safe-deploy/verdict";
import { buildImages, buildVerdictImage } from "../images.ts";
import { World } from "../world.ts";
import {
  Canary,
  byPrometheus,
  type End,
  failsTestedPath,
  keptRate,
  percent,
  randomPaths,
  rate,
  rolloutValues,
  sequentially,
  type Setting,
  sideBySide,
} from "./canary.ts";
import type { Bench, Figure, Row } from "./figure.ts";

const lanes = 3;
const rolloutsPerLane = 10;
const errorShare = 0.005;
/** The waits of the defaults are two minutes and a half in all. */
const limitSeconds = 600;

/** Versions no worse than the one before, with the errors that every service has: how many are taken back? */
export const falseAborts: Figure = {
  name: "false-aborts",
  seconds: 30 * 60,
  onlyWith: "LONG",
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", "v2"]);
    return await countFalseAborts(world, byPrometheus, bench);
  },
};

/** The same, judged by the sequential engine. */
export const falseAbortsSequential: Figure = {
  ...falseAborts,
  name: "false-aborts-sequential",
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", "v2"]);
    await buildVerdictImage(world);
    return await countFalseAborts(world, sequentially(rolloutValues), bench);
  },
};

/** What became of each rollout of a lane, and what its users got. */
interface Lane {
  ends: End[];
  requests: number;
  failed: number;
  kept: number;
}

export async function countFalseAborts(
  world: World,
  setting: Setting,
  { note, failed }: Pick<Bench, "note" | "failed">,
): Promise<Row[]> {
  const measureLane = async (lane: number): Promise<Lane> => {
    await using canary = await Canary.install(world, `bench-false-aborts-${lane}`, setting, failsTestedPath);
    await canary.startTraffic(randomPaths(errorShare, `false-aborts/${lane}`), rolloutsPerLane * limitSeconds);
    const ends: End[] = [];
    for (let rollout = 0; rollout < rolloutsPerLane; rollout++) {
      const stable = await canary.stableHash();
      await canary.upgrade(rollout % 2 === 0 ? "v2" : "v1", failsTestedPath);
      const { end } = await canary.untilEnd(await canary.untilTested(stable), limitSeconds);
      ends.push(end);
      note(`false-aborts: lane ${lane}, ${ends.length} of ${rolloutsPerLane}: ${end}`);
    }
    const traffic = await canary.stopTraffic();
    return { ends, requests: traffic.totals.requests, failed: traffic.totals.failed, kept: keptRate(traffic) };
  };
  const numbers = Array.from({ length: lanes }, (_, lane) => lane);
  const measured = await sideBySide(lanes, numbers, measureLane, (lane, error) => failed(`lane ${lane}`, error));
  if (measured.length === 0) return [];
  const ends = measured.flatMap((lane) => lane.ends);
  const aborted = ends.filter((end) => end === "taken back").length;
  const unfinished = ends.filter((end) => end !== "taken back" && end !== "promoted").length;
  const sum = (of: (lane: Lane) => number) => measured.reduce((total, lane) => total + of(lane), 0);
  const ratio = aborted / ends.length;
  return [
    {
      what: "healthy rollouts taken back",
      subject: { command: setting.name, unit: "rollouts", values: [aborted] },
      baseline: { command: "the healthy rollouts", unit: "rollouts", values: [ends.length] },
      ratio: { median: ratio, min: ratio, max: ratio, reads: "of the baseline" },
      goal: { text: "none", isMet: aborted === 0 && unfinished === 0 },
      note: [
        `${percent(sum((lane) => lane.failed) / sum((lane) => lane.requests))} of the answers were errors, at ${rate} requests/s (${percent(Math.min(...measured.map((lane) => lane.kept)))} of them sent)`,
        `${ends.length - aborted - unfinished} were promoted and ${unfinished} had not ended after ${limitSeconds} s`,
        `with 95 % confidence fewer than ${percent(clopperPearson(aborted, ends.length, 0.9).high)} of such rollouts are taken back (exact one-sided bound of Clopper and Pearson, Biometrika 26, 1934)`,
      ].join("; "),
    },
  ];
}
