import { hostname } from "node:os";
import { acquireLease, Kube } from "@safe-deploy/kube";
import { readConfig } from "../cluster/config.ts";
import { runLoop } from "../cluster/loop.ts";
import { AgentError, ExitCode } from "../errors.ts";
import { readModel } from "../model-file.ts";
import { AgentPolicy } from "../policies/agent-policy.ts";
import { shippedModel } from "../shipped-model.ts";

/** Follows the Rollout that the environment names, until it is told to stop. Of several, only the Lease's holder acts. */
export async function runAgent(signal: AbortSignal): Promise<void> {
  const config = readConfig(process.env);
  const { network, file } = await readModel(config.modelPath ?? shippedModel);
  const kube = await Kube.connect({ namespace: process.env["NAMESPACE"], fieldManager: "safe-deploy-agent" });
  const log = (line: Record<string, unknown>) =>
    process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
  log({ what: "model", sha256: file.sha256, layers: file.layers });
  await using lease = await acquireLease(kube, {
    name: `${config.rollout}-agent`,
    holder: hostname(),
    durationSeconds: 30,
    waitMs: Infinity,
    signal,
  });
  const agent = new AgentPolicy(network, config.ownAbort);
  await runLoop({ kube, config, agent, signal: AbortSignal.any([signal, lease.signal]), log });
  if (lease.signal.aborted && !signal.aborted) {
    throw new AgentError("the Lease was lost, so another agent may act now", { exit: ExitCode.unexpected });
  }
}
