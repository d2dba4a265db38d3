import { resources } from "@safe-deploy/kube";
import { failuresOf, type LoadResult } from "@safe-deploy/load";
import { buildImages } from "../images.ts";
import { World } from "../world.ts";
import { Canary, byPrometheus, failsTestedPath, randomPaths, rollOut, type Setting, sideBySide } from "./canary.ts";
import type { Bench, Figure, Row } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const lanes = 3;
const rounds = 2;
/** What is left of each limit for slower scrapes, controllers and routers. */
const share = 2 / 3;
const version = "v3";

interface Case {
  what: string;
  setting: Setting;
  /** Share of the requests that fail. */
  errors: number;
  flags: string[];
  /** Within which the version must be taken back. */
  limitSeconds: number;
  since: "its first bad answer" | "its first slow answer" | "its first restart";
}

const cases: Case[] = [
  {
    what: "more than 5 % errors (8 %)",
    setting: byPrometheus,
    errors: 0.08,
    flags: failsTestedPath,
    limitSeconds: 120,
    since: "its first bad answer",
  },
  {
    what: "fewer than 95 % successes (92 %), by `successRatio` alone",
    setting: {
      ...byPrometheus,
      flags: [...byPrometheus.flags, "--set", "rollout.canary.background={successRatio}"],
    },
    errors: 0.08,
    flags: failsTestedPath,
    limitSeconds: 120,
    since: "its first bad answer",
  },
  {
    what: "99th percentile above 1 s (1.5 s)",
    setting: byPrometheus,
    errors: 0,
    flags: ["--set-string", "config.FAULT_LATENCY_MS=1500"],
    limitSeconds: 180,
    since: "its first slow answer",
  },
  {
    what: "a container that restarts",
    setting: byPrometheus,
    errors: 0,
    flags: ["--set-string", "config.FAULT_CRASH_AFTER_S=30"],
    limitSeconds: 60,
    since: "its first restart",
  },
];

/** A bad canary is taken back within the time that its kind of fault allows. */
export const limits: Figure = {
  name: "limits",
  seconds: 7 * 60,
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", version]);
    return await measureLimits(world, bench);
  },
};

export async function measureLimits(world: World, { note, failed }: Pick<Bench, "note" | "failed">): Promise<Row[]> {
  const jobs = cases.flatMap((one) => Array.from({ length: rounds }, (_, round) => ({ one, round })));
  const measured = await sideBySide(
    lanes,
    jobs,
    async ({ one, round }, index) => {
      await using canary = await Canary.install(world, `bench-limits-${index}`, one.setting);
      const { end, at, traffic } = await rollOut(canary, {
        paths: randomPaths(one.errors, `limits/${index}/${round}`),
        version,
        flags: one.flags,
        limitSeconds: 2 * one.limitSeconds,
      });
      if (end !== "taken back") throw new Error(`after ${2 * one.limitSeconds} s: ${end}`);
      const seconds = (at - (await beginning(world, canary.namespace, one.since, traffic))) / 1000;
      note(`limits: ${one.what}: weight 0 after ${seconds.toFixed(0)} s of ${one.limitSeconds}`);
      return { one, seconds };
    },
    ({ one }, error) => failed(one.what, error),
  );
  return cases.flatMap((one): Row[] => {
    const seconds = measured.filter((each) => each.one === one).map((each) => each.seconds);
    if (seconds.length === 0) return [];
    const limit = seconds.map(() => one.limitSeconds);
    const ratio = pairedRatio(seconds, limit, "of the limit");
    return [
      {
        what: `from ${one.since} to weight 0: ${one.what}`,
        subject: { command: byPrometheus.name, unit: "s", values: seconds },
        baseline: { command: "the limit", unit: "s", values: limit },
        ratio,
        goal: { text: "at most two thirds", isMet: ratio.max <= share },
      },
    ];
  });
}

/** Unix time in milliseconds, of a clock of whole seconds. */
async function beginning(world: World, namespace: string, since: Case["since"], traffic: LoadResult): Promise<number> {
  const seconds = traffic.series.filter((point) => point.version === version).map(({ t }) => t);
  const firstAnswer = Math.min(...seconds);
  if (since === "its first slow answer") return firstAnswer * 1000;
  if (since === "its first bad answer") return (failuresOf(traffic.series, version)?.first ?? Number.NaN) * 1000;
  const { items } = await world.kube.list(resources.Pod, { namespace });
  const ended = items
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .flatMap(({ lastState }) => lastState?.terminated?.finishedAt ?? []);
  return Math.min(...ended.map((time) => Date.parse(time)));
}
