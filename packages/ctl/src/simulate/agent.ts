import { parseModel, simulatedSteering } from "@safe-deploy/agent";
import model from "@safe-deploy/agent/model.json" with { type: "json" };
import type { Steering } from "@safe-deploy/verdict";

/** What of the chart's values an agent that steers depends on. */
export interface AgentValues {
  stepIntervalSeconds: number;
  maxSteps: number;
  sloLatencyMs: number;
  ownAbort: "advises" | "acts";
}

/** The agent with the model that ships; another one (`agent.modelPath`) is in an image that is not here. */
export function agentSteering({ stepIntervalSeconds, maxSteps, sloLatencyMs, ownAbort }: AgentValues): Steering {
  const { network } = parseModel(JSON.stringify(model), "the model that ships");
  return simulatedSteering(network, { stepSeconds: stepIntervalSeconds, maxSteps, sloLatencyMs, ownAbort });
}
