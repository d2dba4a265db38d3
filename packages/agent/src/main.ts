#!/usr/bin/env node
import { CommanderError } from "commander";
import { AgentError, ExitCode } from "./errors.ts";
import { ModelError } from "./model-file.ts";
import { buildProgram } from "./program.ts";

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // The first asks to stop in good order; whoever asks twice wants out.
    if (interrupt.signal.aborted) process.exit(ExitCode.interrupted);
    interrupt.abort();
  });
}

try {
  await buildProgram(interrupt.signal).parseAsync();
  if (interrupt.signal.aborted) process.exitCode = ExitCode.interrupted;
} catch (error) {
  process.exitCode = report(error);
}

/** @returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (interrupt.signal.aborted) {
    process.stderr.write("agent: interrupted\n");
    return ExitCode.interrupted;
  }
  const known = error instanceof AgentError || error instanceof ModelError;
  const { message, stack, hint } = error as Error & { hint?: string };
  const isOfCluster = (error as Error).name === "KubeError";
  process.stderr.write(`agent: ${known || isOfCluster ? message : `unexpected: ${stack ?? message}`}\n`);
  const next = known ? error.next : hint;
  if (next !== undefined) process.stderr.write(`  next: ${next}\n`);
  if (error instanceof AgentError) return error.exit;
  return error instanceof ModelError ? ExitCode.refused : ExitCode.unexpected;
}
