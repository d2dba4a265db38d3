import { defineScenario } from "./lib/scenarios.ts";
import { writeSummary } from "./lib/summary.ts";
import { requireTarget, sendRequest } from "./lib/traffic.ts";

// A sudden rise to five times the rate and back: does the service keep up?
const { settings, options } = defineScenario("spike");
export { options, writeSummary as handleSummary };

export function setup(): void {
  requireTarget(settings);
}

export default function (): void {
  sendRequest(settings);
}
