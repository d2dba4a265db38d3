import path from "node:path";
import { must } from "../run.ts";
import { root } from "../world.ts";
import { budget, keepsBudget } from "./budget.ts";
import type { Figure } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const errors = ["2%", "5%", "20%", "100%"];
const rollouts = 100_000;
/** A budget is kept in 99 % of rollouts. */
const allowed = 0.01;

interface Simulation {
  overBudget: { share: number; count: number; low: number; high: number };
}

/** How often the defaults, judged by the sequential engine, let a bad version go over a budget of bad requests. */
export const simulatedBudget: Figure = {
  name: "simulated-budget",
  seconds: 420,
  async measure({ env, note }) {
    const ctl = path.join(root, "packages/ctl/dist/ctl.mjs");
    const command = [
      ...["simulate", "-f", "charts/myapp/values-rollout.yaml", "--engine", "sequential", ...keepsBudget],
      ...["--scenario", "buggy"],
      ...["--rollouts", String(rollouts), ...errors.flatMap((share) => ["--errors", share])],
    ];
    note(`simulated-budget: ${rollouts} rollouts each with ${errors.join(", ")} errors`);
    const ran = await must(process.execPath, [ctl, ...command, "-o", "json"], { env, cwd: root });
    const { simulations } = JSON.parse(ran.stdout) as { simulations: Simulation[] };
    return simulations.map(({ overBudget: { count, low, high } }, index) => {
      const ratio = pairedRatio([count], [allowed * rollouts], "of the limit");
      return {
        what: `simulated rollouts with more than ${budget} bad requests, ${errors[index]} errors`,
        subject: { command: "the defaults, sequential", unit: "rollouts", values: [count] },
        baseline: { command: `the limit, 1 % of ${rollouts}`, unit: "rollouts", values: [allowed * rollouts] },
        ratio,
        goal: { text: "at most 1 %, with 95 % confidence", isMet: high <= allowed },
        note: `with 95 % confidence between ${(100 * low).toFixed(3)} % and ${(100 * high).toFixed(3)} % of rollouts`,
      };
    });
  },
};
