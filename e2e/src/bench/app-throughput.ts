import path from "node:path";
import { must } from "../run.ts";
import { root } from "../world.ts";
import type { Figure } from "./figure.ts";
import { pairedRatio } from "./measure.ts";

const pairs = 5;
const secondsPerRun = 4;

export const appThroughput: Figure = {
  name: "app-throughput",
  seconds: pairs * 2 * (secondsPerRun + 2),
  async measure({ env, note }) {
    const app = path.join(root, "packages/app");
    await must(process.execPath, ["build.ts"], { cwd: app, env });
    const subject: number[] = [];
    const baseline: number[] = [];
    for (let pair = 1; pair <= pairs; pair++) {
      const ran = await must(process.execPath, ["bench/throughput.ts", "1", String(secondsPerRun)], { cwd: app, env });
      const measured = JSON.parse(ran.stdout) as { bare: number; app: number };
      subject.push(measured.app);
      baseline.push(measured.bare);
      note(`app-throughput: pair ${pair} of ${pairs}`);
    }
    const ratio = pairedRatio(subject, baseline, "times the baseline");
    return [
      {
        what: "requests/s of the app, with metrics and request log",
        subject: { command: "the app, GET /version", unit: "requests/s", values: subject },
        baseline: { command: "a bare fastify with the same answer", unit: "requests/s", values: baseline },
        ratio,
        goal: { text: "at least 0.9", isMet: ratio.median >= 0.9 },
      },
    ];
  },
};
