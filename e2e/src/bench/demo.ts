import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buildImages } from "../images.ts";
import { must } from "../run.ts";
import { root, World } from "../world.ts";
import type { Bench, Figure, Row } from "./figure.ts";

const warmGoalSeconds = 180;
const coldGoalSeconds = 20 * 60;
const coldFirstPodGoalSeconds = 8 * 60;

/** The whole `make demo` without a running cluster, with programs built and images in the lab's registry. */
export const warmDemo: Figure = {
  name: "demo",
  seconds: 240,
  async measure(bench) {
    const world = await World.open({ addons: "rollout", show: false });
    await buildImages(world, ["v1", "v2", "v3"]);
    await world.lab(["down"]);
    const demo = await runDemo(bench, { cwd: root, env: bench.env });
    return [wholeDemo("the demo, caches warm", demo, warmGoalSeconds)];
  },
};

/** `make demo` in a fresh clone with empty caches for packages, Go modules, Go builds and images. */
export const coldDemo: Figure = {
  name: "demo-cold",
  seconds: coldGoalSeconds,
  onlyWith: "COLD",
  async measure(bench) {
    const folder = await mkdtemp(path.join(tmpdir(), "safe-deploy-cold-"));
    const clone = path.join(folder, "clone");
    const env: NodeJS.ProcessEnv = {
      ...bench.env,
      LAB_NAME: `${bench.env["LAB_NAME"]}-cold`,
      XDG_CACHE_HOME: path.join(folder, "cache"),
      XDG_DATA_HOME: path.join(folder, "data"),
      npm_config_cache: path.join(folder, "npm"),
      GOCACHE: path.join(folder, "go-build"),
      GOMODCACHE: path.join(folder, "go-modules"),
      // The tools of the warm cache on PATH would be taken for the machine's own.
      PATH: (bench.env["PATH"] ?? "")
        .split(":")
        .filter((entry) => !entry.includes("/safe-deploy/") && !entry.startsWith(root))
        .join(":"),
    };
    try {
      await must("git", ["clone", "--quiet", root, clone]);
      const startedAt = Date.now();
      const demo = await runDemo(bench, { cwd: clone, env });
      const firstPod = (await firstPodRunningAt(clone, env)) - startedAt;
      return [
        wholeDemo("the demo from a fresh clone, all caches cold", demo, coldGoalSeconds),
        againstGoal("first pod running, from a fresh clone, all caches cold", firstPod / 1000, coldFirstPodGoalSeconds),
      ];
    } finally {
      await must("make", ["down"], { cwd: clone, env }).catch((error: unknown) => bench.note(String(error)));
      await rm(folder, { recursive: true, force: true });
    }
  },
};

interface Demo {
  seconds: number;
  /** Seconds by the demo's own steps, and by program that the toolchain built. */
  parts: [string, number][];
}

async function runDemo(bench: Bench, o: { cwd: string; env: NodeJS.ProcessEnv }): Promise<Demo> {
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1000;
  const steps: { name: string; at: number }[] = [{ name: "set-up", at: 0 }];
  const built: [string, number][] = [];
  let rest = "";
  const onStderr = (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const step = /^== \d+\/\d+ ([^:]+)/.exec(line)?.[1];
      const program = /(\S+) v\S+(?: \(\d+ of \d+\))?: built in/.exec(line)?.[1];
      if (step !== undefined) steps.push({ name: step, at: elapsed() });
      if (program !== undefined) built.push([`${program} built at`, elapsed()]);
      if (step !== undefined || program !== undefined) bench.note(`demo: ${line.replace(/^== /, "")}`);
    }
  };
  const { seconds } = await must("make", ["demo"], { ...o, onStderr });
  const parts = steps.map(({ name, at }, index): [string, number] => [name, (steps[index + 1]?.at ?? seconds) - at]);
  return { seconds, parts: [...parts, ...built] };
}

function wholeDemo(what: string, demo: Demo, goalSeconds: number): Row {
  const parts = demo.parts.map(([name, seconds]) => `${name} ${seconds.toFixed(0)} s`);
  return { ...againstGoal(what, demo.seconds, goalSeconds), note: parts.join(", ") };
}

function againstGoal(what: string, seconds: number, goalSeconds: number): Row {
  const ratio = seconds / goalSeconds;
  return {
    what,
    subject: { command: "make demo", unit: "s", values: [seconds] },
    baseline: { command: "the goal", unit: "s", values: [goalSeconds] },
    ratio: { median: ratio, min: ratio, max: ratio, reads: "of the goal" },
    goal: { text: `under ${goalSeconds / 60} min`, isMet: ratio < 1 },
  };
}

/** Unix time in milliseconds at which the first container of the cluster ran. */
async function firstPodRunningAt(clone: string, env: NodeJS.ProcessEnv): Promise<number> {
  const { stdout } = await must(
    "sh",
    [
      "-c",
      'PATH="$PWD/node_modules/.bin:$PATH"; eval "$(node packages/lab/src/main.ts env)"; kubectl get pods -A -o json',
    ],
    { cwd: clone, env },
  );
  const { items } = JSON.parse(stdout) as {
    items: { status: { containerStatuses?: { state: { running?: { startedAt: string } } }[] } }[];
  };
  const times = items
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .flatMap(({ state }) => (state.running === undefined ? [] : Date.parse(state.running.startedAt)));
  if (times.length === 0) throw new Error("no pod runs after the demo");
  return Math.min(...times);
}
