import path from "node:path";
import { must } from "../run.ts";
import { root } from "../world.ts";
import type { Figure, Row } from "./figure.ts";

const presets = [
  { name: "preset A", file: "a.yaml" },
  { name: "preset B canary", file: "b-canary.yaml" },
  { name: "preset C", file: "c.yaml" },
];
const errors = ["2%", "5%", "20%", "100%"];
const rollouts = 2_000;

interface Simulation {
  ends: Record<string, { share: number }>;
  badByHorizon: { mean: number; low: number; high: number };
}

/** The presets on simulated faults, judged by their thresholds and by the sequential engine. */
export const simulatedEngines: Figure = {
  name: "simulated-engines",
  seconds: 120,
  async measure({ env, note }) {
    const ctl = path.join(root, "packages/ctl/dist/ctl.mjs");
    const simulate = async (file: string, engine: string) => {
      const ran = await must(
        process.execPath,
        [
          ...[ctl, "simulate", "-f", `charts/myapp/presets/${file}`, "--engine", engine, "--rollouts", `${rollouts}`],
          ...["--scenario", "buggy", ...errors.flatMap((share) => ["--errors", share]), "-o", "json"],
        ],
        { env, cwd: root },
      );
      return (JSON.parse(ran.stdout) as { simulations: Simulation[] }).simulations;
    };
    const rows: Row[] = [];
    for (const { name, file } of presets) {
      const [thresholds, sequential] = [await simulate(file, "thresholds"), await simulate(file, "sequential")];
      note(`simulated-engines: ${name}`);
      for (const [index, share] of errors.entries()) {
        const [subject, baseline] = [sequential[index]!, thresholds[index]!];
        const ratio = baseline.badByHorizon.mean / subject.badByHorizon.mean;
        rows.push({
          what: `bad answers of a simulated rollout, ${name}, ${share} errors`,
          subject: { command: "the sequential engine", unit: "requests", values: [subject.badByHorizon.mean] },
          baseline: { command: "the thresholds", unit: "requests", values: [baseline.badByHorizon.mean] },
          ratio: { median: ratio, min: ratio, max: ratio, reads: "times fewer than the baseline" },
          note: `sequential: ${told(subject)}. Thresholds: ${told(baseline)}`,
        });
      }
    }
    return rows;
  },
};

function told({ ends, badByHorizon: { low, high } }: Simulation): string {
  const shares = Object.entries(ends).filter(([, { share }]) => share > 0);
  const words = shares.map(([end, { share }]) => `${(100 * share).toFixed(1)} % ${end}`);
  return `${words.join(", ")}, 95 of 100 with ${low} to ${high} bad`;
}
