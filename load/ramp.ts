import { defineScenario } from "./lib/scenarios.ts";
import { writeSummary } from "./lib/summary.ts";
import { requireTarget, sendRequest } from "./lib/traffic.ts";

// Load that grows while a release goes on: does the new version bear its share?
const { settings, options } = defineScenario("ramp");
export { options, writeSummary as handleSummary };

export function setup(): void {
  requireTarget(settings);
}

export default function (): void {
  sendRequest(settings);
}
