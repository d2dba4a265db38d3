import { Command, CommanderError, InvalidArgumentError } from "commander";
import { exitCodes, type JudgeOnceOptions } from "./judge-once.ts";
import { openLog } from "./log.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

const program = new Command("verdict")
  .description("Says whether the new version of a Rollout is good, by sequential tests with stated error rates.")
  .option("--log-level <level>", "trace, debug, info, warn or error", "info")
  .exitOverride();

program
  .command("serve")
  .description("answer the gates of every Rollout that asks for it")
  .option("--host <address>", "address to listen on", "0.0.0.0")
  .option("--port <number>", "port to listen on", wholeNumber, 8080)
  .option("--namespace <name...>", "namespaces to serve; default: all", [])
  .option("--tls-cert <file>", "certificate, PEM; with --tls-key answers come over TLS")
  .option("--tls-key <file>", "its key, PEM")
  .action(async (flags: { host: string; port: number; namespace: string[]; tlsCert?: string; tlsKey?: string }) => {
    const { namespace: namespaces, ...rest } = flags;
    if ((rest.tlsCert === undefined) !== (rest.tlsKey === undefined)) {
      throw new CommanderError(exitCodes.usage, "usage", "--tls-cert and --tls-key go together");
    }
    const { serve } = await import("./serve.ts");
    await serve({ ...rest, namespaces }, openLog(program.opts<{ logLevel: string }>().logLevel), stop.signal);
  });

program
  .command("judge")
  .description("judge one gate and end with its verdict: 0 pass, 6 fail, 8 inconclusive")
  .requiredOption("--namespace <name>", "namespace of the Rollout")
  .requiredOption("--rollout <name>", "its name")
  .requiredOption("--hash <hash>", "hash of the pod template under test")
  .requiredOption("--weight <percent>", "the weight that the gate is about", wholeNumber)
  .option("--timeout-seconds <seconds>", "without a verdict by then it is inconclusive", wholeNumber, 300)
  .action(async (flags: JudgeOnceOptions) => {
    const { judgeOnce } = await import("./judge-once.ts");
    process.exitCode = await judgeOnce(flags, openLog(program.opts<{ logLevel: string }>().logLevel), stop.signal);
  });

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It is no whole number.");
  return Number(text);
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.code === "usage") process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  } else {
    const { message, hint } = error as Error & { hint?: string };
    process.stderr.write(`error: ${message}\n${hint === undefined ? "" : `${hint}\n`}`);
    process.exitCode = exitCodes.unexpected;
  }
}
