import type { GlobalOptions } from "../command-line.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { observeRelease, podsInOrder, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { connect } from "../run-command.ts";

export interface LogsOptions extends GlobalOptions {
  follow: boolean;
  previous: boolean;
  tail: string;
}

/** The pods' logs, each line with the name of its pod in front. */
export async function runLogs(options: LogsOptions, signal: AbortSignal): Promise<Outcome> {
  if (!/^\d+$/.test(options.tail)) throw new CtlError("CTL_E_USAGE", `--tail ${options.tail} is not a number of lines`);
  const { kube, release, address } = await connect(options, signal);
  const state = await observeRelease(kube, release);
  const { facts } = requireRelease(state);
  const names = podsInOrder(state.workload).map(({ pod }) => pod.metadata.name);
  if (names.length === 0) {
    throw new CtlError("CTL_E_NO_RELEASE", `release "${release}" has no pods`, { next: `ctl status ${address}` });
  }
  const width = Math.max(...names.map((name) => name.length));
  const o = { container: facts.container, tailLines: Number(options.tail) };
  const prefixed = (name: string, text: string) =>
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => `${name.padEnd(width)}  ${line}\n`)
      .join("");

  if (options.follow) {
    await Promise.all(
      names.map(async (name) => {
        for await (const line of kube.followLogs(name, { ...o, signal })) process.stdout.write(prefixed(name, line));
      }),
    );
    return { exit: ExitCode.ok, text: "", json: { schemaVersion: 1, kind: "logs" } };
  }
  const logs = await Promise.all(
    names.map(async (name) => ({
      pod: name,
      log: await kube
        .logs(name, { ...o, previous: options.previous })
        .catch((error: Error) => `(no log: ${error.message})`),
    })),
  );
  return {
    exit: ExitCode.ok,
    text: logs.map(({ pod, log }) => prefixed(pod, log)).join(""),
    json: { schemaVersion: 1, kind: "logs", pods: logs },
  };
}
