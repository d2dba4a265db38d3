import type { ModelFile } from "./model-file.ts";

/** What a person should know before using a model, in Markdown: after M. Mitchell et al., "Model Cards" (2019). */
export function modelCard({ layers, features, actions, sha256, training }: ModelFile): string {
  const of = (key: string) => JSON.stringify(training[key]);
  return `# Model card

Written by \`agent train\`; \`docs/agent.md\` has what it was judged by.

| | |
|---|---|
| what it is | a deep Q-network, ${layers.join("-")}, rectifiers between the layers |
| what it chooses | ${actions.join(", ")}, every ${of("stepSeconds")} s |
| what it sees | ${features.join(", ")} |
| parameters | ${sha256} (SHA-256) |
| trained in | ${of("environments")} |
| prices | ${of("prices")} |
| horizon | ${of("horizon")} steps |
| seed, steps | ${of("seed")}, ${of("steps")}; taken after ${of("takenAfterSteps")} |
| cost at validation | ${of("validationCost")} bad requests a rollout |
| made with | Node ${String(training["node"])}; the same seed on the same version gives the same hash |

## Meant for
Choosing how fast a canary goes from 10 to 100 %, in steps of 10, under the sequential verdict, which vetoes UP, forces ABORT and alone allows 100 %. As an adviser: it tells what it would do. It may steer where somebody has read docs/agent.md.

## Not meant for
Judging a release by itself. Blue-green, workers, weights other than tens, services that count no requests.

## What it does not know
- It was trained in simulations: no retries, no caches, no caller that goes away, no pod that differs from the next.
- Latency, CPU and memory say something in a third of the rollouts that it was trained in, and there only what the source's formulas make of them. In the others their levels are random, so that it learns to leave them alone.
- Its own wish to abort has no stated rate of false alarms. It is advice.
- 20 to 480 requests/s were tried. With less it waits, and with more nobody knows.
`;
}
