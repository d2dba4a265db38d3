import { defineScenario } from "./lib/scenarios.ts";
import { writeSummary } from "./lib/summary.ts";
import { requireTarget, sendRequest } from "./lib/traffic.ts";

// Steady load: is the service as good as it should be?
const { settings, options } = defineScenario("baseline");
export { options, writeSummary as handleSummary };

export function setup(): void {
  requireTarget(settings);
}

export default function (): void {
  sendRequest(settings);
}
