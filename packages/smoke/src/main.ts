import { run } from "./cli.ts";

const interrupt = new AbortController();
// Once only: a second signal ends the process at once, as it would without us.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
});
