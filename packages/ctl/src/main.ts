#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { CtlError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import { printError, printOutcome, toCtlError } from "./output.ts";
import { buildProgram } from "./program.ts";

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // The first asks to stop in good order; whoever asks twice wants out.
    if (interrupt.signal.aborted) process.exit(ExitCode.interrupted);
    process.stderr.write("\nctl: stopping; once more to quit at once\n");
    interrupt.abort();
  });
}

/** Whoever read the output has gone, as in `ctl logs | head`. */
let unread = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  unread = true;
  interrupt.abort();
});
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  // A deploy goes on although nobody sees how far it is.
  if (error.code !== "EPIPE") throw error;
});

const program = buildProgram(
  async (run, form) => {
    try {
      const outcome = await run(interrupt.signal);
      printOutcome(outcome, form);
      process.exitCode = outcome.exit;
    } catch (error) {
      if (unread) return;
      const known = toCtlError(error, interrupt.signal.aborted);
      printError(known, form);
      process.exitCode = known.exit;
    }
  },
  fileURLToPath(new URL("../../../charts/myapp", import.meta.url)),
);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  else {
    process.stderr.write(
      `ctl: unexpected: ${error instanceof CtlError ? error.message : ((error as Error).stack ?? String(error))}\n`,
    );
    process.exitCode = ExitCode.unexpected;
  }
}
