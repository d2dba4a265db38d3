import path from "node:path";
import { must } from "../run.ts";
import { root } from "../world.ts";
import type { Figure, Row } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const numbers = [1, 100, 1000];
const runs = 3;
/** Half of what Argo Rollouts' controller may ask the API server for, per second. */
const apiGoal = 20;

interface Measured {
  rollouts: number;
  /** Of one core. */
  cpu: number;
  apiRequestsPerSecond: number;
  secondsBetweenLooks: number;
  scrapesPerSecond: number;
  scrapeErrors: number;
}

/** The verdict service with all of its rollouts in an update at once. */
export const verdictLoad: Figure = {
  name: "verdict-load",
  seconds: 480,
  async measure({ env, note }) {
    const command = "packages/verdict-service/bench/load.ts";
    const measured: Measured[] = [];
    for (let run = 0; run < runs; run++) {
      const args = [path.join(root, command), "--rollouts", numbers.join(","), "-o", "json"];
      const { stdout } = await must(process.execPath, args, { env, cwd: root });
      const seen = (JSON.parse(stdout) as { measured: Measured[] }).measured;
      note(`verdict-load: ${seen.map(({ rollouts, cpu }) => `${rollouts}: ${cpu.toFixed(2)} cores`).join(", ")}`);
      measured.push(...seen);
    }
    return numbers.flatMap((rollouts): Row[] => {
      const own = measured.filter((each) => each.rollouts === rollouts);
      const { secondsBetweenLooks, scrapesPerSecond, scrapeErrors } = own.at(-1)!;
      const cpu = own.map((each) => each.cpu);
      const core = cpu.map(() => 1);
      const requests = own.map(({ apiRequestsPerSecond }) => apiRequestsPerSecond);
      const allowed = requests.map(() => apiGoal);
      const cpuRatio = pairedRatio(cpu, core, "of the goal");
      const requestRatio = pairedRatio(requests, allowed, "of the goal");
      return [
        {
          what: `the verdict service's CPU in each second, ${rollouts} rollouts at once`,
          subject: { command, unit: "s", values: cpu },
          baseline: { command: "one core", unit: "s", values: core },
          ratio: cpuRatio,
          goal: { text: "under one core", isMet: cpuRatio.max < 1 },
          note: `a look every ${secondsBetweenLooks.toFixed(1)} s, ${scrapesPerSecond.toFixed(0)} pods read in a second, ${scrapeErrors} without an answer`,
        },
        {
          what: `its requests to the Kubernetes API, ${rollouts} rollouts at once`,
          subject: { command, unit: "requests/s", values: requests },
          baseline: { command: "half of the controller's limit", unit: "requests/s", values: allowed },
          ratio: requestRatio,
          goal: { text: "under half of the controller's limit", isMet: requestRatio.max < 1 },
        },
      ];
    });
  },
};
