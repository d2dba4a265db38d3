import { defineScenario } from "./lib/scenarios.ts";
import { writeSummary } from "./lib/summary.ts";
import { requireTarget, sendRequest } from "./lib/traffic.ts";

// Steady load for long: does the service get worse with time?
const { settings, options } = defineScenario("soak");
export { options, writeSummary as handleSummary };

export function setup(): void {
  requireTarget(settings);
}

export default function (): void {
  sendRequest(settings);
}
