import path from "node:path";
import { buildImages } from "../images.ts";
import { chart, root, World } from "../world.ts";
import {
  Canary,
  byPrometheus,
  failsTestedPath,
  harmWords,
  measureHarm,
  percent,
  randomPaths,
  type Setting,
  sideBySide,
  timesFewer,
} from "./canary.ts";
import type { Bench, Figure, Row } from "./figure.ts";

/** Releases at a time, each with its own traffic: more would be beyond a machine of two cores. */
const lanes = 3;
/** From the first weight on. */
const limitSeconds = 630;
const rounds = 3;
const own = (name: string) => path.join(root, "e2e/values/bench", name);

export const presets: Setting[] = [
  {
    name: "preset A",
    flags: ["-f", `${chart}/presets/a.yaml`, "--set", "verify.enabled=false"],
    analysis: own("a-analysis.tpl"),
    historySeconds: 60,
  },
  {
    name: "preset B canary",
    flags: ["-f", `${chart}/presets/b-canary.yaml`, "-f", own("b-canary.yaml")],
    analysis: own("b-canary-analysis.tpl"),
    historySeconds: 60,
  },
  { name: "preset C", flags: ["-f", `${chart}/presets/c.yaml`], historySeconds: 20 },
];

/** Share of errors, and the least that the defaults must save over preset A. */
const errors = [
  { share: 0.05, goal: 5 },
  { share: 0.2, goal: 10 },
  { share: 1, goal: 10 },
];

interface Job {
  setting: Setting;
  share: number;
  round: number;
}

/** A bad canary under traffic: how long it serves, and how many of its answers are bad. */
export const detection: Figure = {
  name: "detection",
  seconds: 28 * 60,
  onlyWith: "LONG",
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", "v3"]);
    return await compareDetection(world, bench);
  },
};

export async function compareDetection(world: World, { note, failed }: Pick<Bench, "note" | "failed">): Promise<Row[]> {
  // The longest first, so that no lane ends alone.
  const jobs: Job[] = [
    ...errors.flatMap(({ share }) => presets.toReversed().map((setting) => ({ setting, share, round: 0 }))),
    ...errors.flatMap(({ share }) =>
      Array.from({ length: rounds }, (_, round) => ({ setting: byPrometheus, share, round })),
    ),
  ];
  const measureJob = async (job: Job, index: number) => {
    const { setting, share, round } = job;
    await using canary = await Canary.install(world, `bench-detection-${index}`, setting);
    const harm = await measureHarm(canary, {
      paths: randomPaths(share, `detection/${share}/${round}`),
      version: "v3",
      flags: failsTestedPath,
      limitSeconds,
    });
    note(`detection: ${nameOf(job)}: ${harmWords(harm)}`);
    return { ...job, harm };
  };
  const measured = await sideBySide(lanes, jobs, measureJob, (job, error) => failed(nameOf(job), error));
  const of = (setting: Setting, share: number) =>
    measured.filter((one) => one.setting === setting && one.share === share).map(({ harm }) => harm);
  return errors.flatMap(({ share, goal }) =>
    presets.flatMap((preset): Row[] => {
      const [subject, [baseline]] = [of(byPrometheus, share), of(preset, share)];
      if (subject.length === 0 || baseline === undefined) return [];
      const { requests, ratio } = timesFewer(subject, baseline);
      const { isAtLeast = false } = ratio;
      return [
        {
          what: `bad answers to users, ${percent(share)} errors`,
          subject: { command: byPrometheus.name, unit: "requests", values: requests },
          baseline: { command: preset.name, unit: "requests", values: [baseline.requests], isAtLeast },
          ratio,
          ...(preset.name === "preset A" ? { goal: { text: `at least ${goal}`, isMet: ratio.median >= goal } } : {}),
          note: `${byPrometheus.name}: ${subject.map(harmWords).join("; ")}. ${preset.name}: ${harmWords(baseline)}`,
        },
      ];
    }),
  );
}

function nameOf({ setting, share }: Job): string {
  return `${percent(share)} errors, ${setting.name}`;
}
