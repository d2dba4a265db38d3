import path from "node:path";
import { root } from "../world.ts";
import type { Figure } from "./figure.ts";
import { pairedRatio, timed } from "./measure.ts";

const goalSeconds = 10;

/** Preset A without a fault: the longest way through it, with every measurement of both gates. */
export const simulatorSpeed: Figure = {
  name: "simulator-speed",
  seconds: 40,
  async measure({ env }) {
    const ctl = path.join(root, "packages/ctl/dist/ctl.mjs");
    const command = "ctl simulate -f charts/myapp/presets/a.yaml --scenario healthy --rollouts 10000";
    const values: number[] = [];
    for (let run = 0; run < 5; run++) {
      values.push(await timed(process.execPath, [ctl, ...command.split(" ").slice(1)], env, root));
    }
    const goal = values.map(() => goalSeconds);
    const ratio = pairedRatio(values, goal, "of the goal");
    return [
      {
        what: "10,000 simulated rollouts of preset A, on one core",
        subject: { command, unit: "s", values },
        baseline: { command: "the goal", unit: "s", values: goal },
        ratio,
        goal: { text: "at most 10 s", isMet: ratio.median <= 1 },
      },
    ];
  },
};
