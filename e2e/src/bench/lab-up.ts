import { must } from "../run.ts";
import { root } from "../world.ts";
import type { Figure } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const rounds = 3;
const goalSeconds = 30;

/** From the command to all add-ons Ready, with programs built and images in the lab's registry. */
export const labUp: Figure = {
  name: "lab-up",
  seconds: 60 + rounds * 45,
  async measure({ env, note }) {
    const lab = (...args: string[]) =>
      must(process.execPath, ["packages/lab/src/main.ts", ...args], { env, cwd: root });
    await lab("up", "--install", "--addons", "all");
    const seconds: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      await lab("down");
      seconds.push((await lab("up", "--addons", "all")).seconds);
      note(`lab-up: ${round} of ${rounds}`);
    }
    const goal = seconds.map(() => goalSeconds);
    const ratio = pairedRatio(seconds, goal, "of the goal");
    return [
      {
        what: "a cluster with all add-ons Ready, caches warm",
        subject: { command: "lab up --addons all", unit: "s", values: seconds },
        baseline: { command: "the goal", unit: "s", values: goal },
        ratio,
        goal: { text: `under ${goalSeconds} s`, isMet: ratio.median < 1 },
      },
    ];
  },
};
