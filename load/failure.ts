import { defineScenario } from "./lib/scenarios.ts";
import { writeSummary } from "./lib/summary.ts";
import { requireTarget, sendRequest } from "./lib/traffic.ts";

// Steady load on the new feature: what do its faults do to users?
const { settings, options } = defineScenario("failure");
export { options, writeSummary as handleSummary };

export function setup(): void {
  requireTarget(settings);
}

export default function (): void {
  sendRequest(settings);
}
