import path from "node:path";
import { root } from "../world.ts";
import type { Figure } from "./figure.ts";
import { inPairs, pairedRatio, timed } from "./measure.ts";

export const cliStart: Figure = {
  name: "cli-start",
  seconds: 10,
  async measure({ env }) {
    const ctl = path.join(root, "packages/ctl/dist/ctl.mjs");
    const { subject, baseline } = await inPairs(
      15,
      () => timed(process.execPath, [ctl, "--help"], env, root),
      () => timed("kubectl", ["version", "--client"], env, root),
    );
    const ratio = pairedRatio(subject, baseline, "times the baseline");
    return [
      {
        what: "start of ctl",
        subject: { command: "ctl --help", unit: "s", values: subject },
        baseline: { command: "kubectl version --client", unit: "s", values: baseline },
        ratio,
        goal: { text: "at most 4", isMet: ratio.median <= 4 },
      },
    ];
  },
};
