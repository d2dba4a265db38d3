import type { GlobalOptions } from "../command-line.ts";
import { type HookName, runHook } from "../act/run-hook.ts";
import { isPending } from "../domain/helm-release.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { connect, timeoutSeconds } from "../run-command.ts";

/** Runs the declared checks against what is live, from inside the cluster. */
export async function runSmoke(options: GlobalOptions, signal: AbortSignal): Promise<Outcome> {
  return await runHookCommand(options, "smoke", undefined, signal);
}

/** Runs the migration Job by hand: the image and the database of the live release, other arguments. */
export async function runMigrate(options: GlobalOptions, args: string[], signal: AbortSignal): Promise<Outcome> {
  return await runHookCommand(options, "migrate", args, signal);
}

async function runHookCommand(
  options: GlobalOptions,
  hook: HookName,
  args: string[] | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const { kube, release, address } = await connect(options, signal);
  const state = await observeRelease(kube, release);
  const { newest } = requireRelease(state);
  if (isPending(newest)) {
    throw new CtlError(
      "CTL_E_LOCKED",
      `revision ${newest.version} of "${release}" is ${newest.info.status}; its hooks are in use`,
      {
        next: `ctl wait ${address}`,
      },
    );
  }
  const run = await runHook(kube, newest, hook, {
    signal,
    deadline: Date.now() + timeoutSeconds(options) * 1000,
    say: (line) => process.stderr.write(`${line}\n`),
    ...(args === undefined ? {} : { args }),
  });
  const result = { schemaVersion: 1, kind: hook, release, passed: run.succeeded, why: run.why, log: run.log };
  if (run.succeeded)
    return { exit: ExitCode.ok, text: `${run.log.trimEnd()}\n✓ ${hook} hook: Job Complete\n`, json: result };
  return {
    exit: ExitCode.notRestored,
    text: `${run.log.trimEnd()}\n✗ ${hook} hook: ${run.why}\n  next: ctl rollback ${address}\n`,
    json: result,
  };
}
