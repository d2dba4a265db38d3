export { parseChecks } from "./parse.ts";
export { renderJson } from "./render-json.ts";
export { renderJunit } from "./render-junit.ts";
export { renderProgress, renderText, type TextOptions } from "./render-text.ts";
export type { CheckProgress, CheckReport, CheckResult, CheckStatus, FailedRequest, Outcome } from "./report.ts";
export { BaseUrlError, runChecks, type RunOptions } from "./run.ts";
export { type Check, type CheckSpec, CheckSpecError, type SpecProblem } from "./spec.ts";
