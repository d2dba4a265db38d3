import { helmArguments } from "../app-release.ts";
import { root } from "../world.ts";
import type { Figure } from "./figure.ts";
import { inPairs, pairedRatio, timed } from "./measure.ts";

export const chartRendering: Figure = {
  name: "chart-rendering",
  seconds: 10,
  async measure({ env }) {
    // What `helm upgrade --install` of the tests gets, for `helm template`.
    const [, , ...chartAndValues] = helmArguments("bench", "v1");
    const { subject, baseline } = await inPairs(
      15,
      () => timed("helm", ["template", ...chartAndValues], env, root),
      () => timed("helm", ["version"], env, root),
    );
    return [
      {
        what: "rendering the chart",
        subject: { command: "helm template", unit: "s", values: subject },
        baseline: { command: "helm version", unit: "s", values: baseline },
        ratio: pairedRatio(subject, baseline, "times the baseline"),
      },
    ];
  },
};
