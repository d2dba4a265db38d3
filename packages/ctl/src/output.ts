import { CtlError } from "./errors.ts";
import type { ExitCode } from "./exit-codes.ts";

/** What a command gives back: its exit code, and its result for stdout in both forms. */
export interface Outcome {
  exit: ExitCode;
  text: string;
  /** One document with a `schemaVersion`. */
  json: unknown;
}

export function printOutcome(outcome: Outcome, form: "text" | "json"): void {
  process.stdout.write(form === "json" ? `${JSON.stringify(outcome.json, null, 2)}\n` : outcome.text);
}

/** Says what went wrong, what it means and what to do. */
export function printError(error: CtlError, form: "text" | "json"): void {
  if (form === "json") {
    const { code, message, next, details } = error;
    process.stdout.write(
      `${JSON.stringify({ schemaVersion: 1, error: { code, exit: error.exit, message, next, details } }, null, 2)}\n`,
    );
    return;
  }
  process.stderr.write(`ctl: ${error.code}: ${error.message}\n`);
  if (error.next !== undefined) process.stderr.write(`  next: ${error.next}\n`);
}

/** Turns whatever was thrown into an error with a code. */
export function toCtlError(error: unknown, interrupted: boolean): CtlError {
  if (error instanceof CtlError) return error;
  if (interrupted) return new CtlError("CTL_E_INTERRUPTED", "interrupted", { cause: error });
  const { name, status, message, hint } = error as Error & { status?: number; hint?: string };
  if (name === "KubeError") {
    return new CtlError(status === 403 ? "CTL_E_FORBIDDEN" : "CTL_E_CLUSTER", message, { next: hint, cause: error });
  }
  throw error;
}
