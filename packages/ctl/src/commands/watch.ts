import type { Kube } from "@safe-deploy/kube";
import type { Report } from "@safe-deploy/report";
import { observeRollout } from "../act/control-rollout.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { waitingCommands } from "../domain/rollout-commands.ts";
import { rolloutChanges } from "../domain/rollout-changes.ts";
import { rolloutState, type RolloutState } from "../domain/rollout.ts";
import { rolloutVerdict, type RolloutVerdict } from "../domain/rollout-verdict.ts";
import { CtlError } from "../errors.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { observeRelease, type ReleaseState, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { collectPage } from "../report/collect-page.ts";
import { Journal } from "../report/journal.ts";
import { liveReport } from "../report/operation-report.ts";
import type { Ending } from "../report/page-report.ts";
import { Timeline } from "../report/timeline.ts";
import { connect, type Connection, timeoutSeconds } from "../run-command.ts";
import { type GetOptions, runGet } from "./get.ts";

export interface WatchOptions extends Omit<GetOptions, "watch"> {
  web: boolean;
  port?: string;
}

/** Follows a rollout on the terminal, or as a page. */
export async function runWatch(options: WatchOptions, signal: AbortSignal): Promise<Outcome> {
  const port = parsePort(options);
  if (!options.web) return await runGet({ ...options, watch: true }, signal);
  const connection = await connect(options, signal);
  const state = await observeRelease(connection.kube, connection.release);
  const { facts } = requireRelease(state);
  await observeRollout(connection.kube, facts, connection.address);
  const deadline = Date.now() + timeoutSeconds(options) * 1000;
  const closing = new AbortController();
  // Also ends what the pages are made from when the server does not come up.
  const stop = AbortSignal.any([signal, closing.signal]);
  const { serveReport } = await import("@safe-deploy/report");
  try {
    const server = await serveReport({
      source: livePages({ ...connection, signal: stop }, { facts, before: state, deadline }),
      signal: stop,
      ...(port === undefined ? {} : { port }),
    }).catch((error: unknown) => {
      throw asUsage(error, port);
    });
    process.stderr.write(`${server.url}\n`);
    await server.ended;
    closing.abort();
    await server.closed;
  } finally {
    closing.abort();
  }
  signal.throwIfAborted();
  return await runGet({ ...options, watch: false }, signal);
}

/** @throws CtlError CTL_E_USAGE */
function parsePort({ port, web }: WatchOptions): number | undefined {
  if (port === undefined) return undefined;
  if (!web) throw new CtlError("CTL_E_USAGE", "--port is for the page", { next: "add --web" });
  if (/^\d+$/.test(port) && Number(port) <= 65535) return Number(port);
  throw new CtlError("CTL_E_USAGE", `--port ${port} is not a port`, { next: "a number up to 65535" });
}

function asUsage(error: unknown, port: number | undefined): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "EADDRINUSE" && code !== "EACCES") return error;
  return new CtlError("CTL_E_USAGE", `the page cannot be served at port ${port}: ${(error as Error).message}`, {
    next: "leave --port away, or choose another one",
  });
}

/** Prometheus has new samples no sooner, and what is left of a pause counts down; in milliseconds. */
const redrawMs = 2_000;

/** The report as it grows, until the rollout has ended. One that waits for a person goes on. */
async function* livePages(
  { kube, release, signal }: Connection,
  o: { facts: ReleaseFacts; before: ReleaseState; deadline: number },
): AsyncGenerator<Report> {
  const timeline = new Timeline(() => undefined);
  const startedAt = Date.parse(o.before.helm[0]?.info.last_deployed ?? "") || timeline.startedAt;
  const journal = new Journal(startedAt, o.facts.container);
  journal.begin(o.before.workload);
  const page = async (ending: Ending, endedAt?: number) =>
    await collectPage({
      ...{ kube, release, journal, startedAt, ending },
      ...(endedAt === undefined ? {} : { endedAt }),
      kind: "deploy",
      timeline: timeline.entries,
      before: o.before,
      logs: [],
    });
  let last: RolloutState | undefined;
  for await (const seen of followWorkload(kube, o.facts, { signal, deadline: o.deadline, withAnalyses: true })) {
    const { rollout } = seen.workload;
    if (rollout === undefined)
      throw new CtlError("CTL_E_NO_ROLLOUT", `Rollout ${o.facts.workload.name} was deleted`, {
        next: `ctl status --release ${release} -n ${kube.namespace}`,
      });
    journal.look(seen);
    const state = rolloutState({ ...seen.workload, rollout, analysisRuns: seen.analysisRuns });
    for (const change of rolloutChanges(last, state)) timeline.add(change);
    last = state;
    const verdict = rolloutVerdict(state, seen.now);
    const ending =
      verdict.kind === "promoted"
        ? await promoted(kube, release)
        : endingOf(verdict, { subject: `Rollout/${state.name}`, address: `--release ${release} -n ${kube.namespace}` });
    const isOpen = ["running", "paused", "inconclusive"].includes(ending.result);
    yield await page(ending, isOpen ? undefined : Date.now());
    if (!isOpen) return;
    seen.wakeAt(seen.now + redrawMs);
  }
}

/** The rollout's last gate has written its verdict by then, unless the steps were skipped. */
async function promoted(kube: Kube, release: string): Promise<Ending> {
  const { live, helm } = await observeRelease(kube, release);
  const entry = live?.entry;
  if (entry?.verdict !== "pass") return { result: "unverified", summary: `${release} is promoted` };
  return {
    result: "verified",
    summary: `${release} runs ${entry.image}, promoted`,
    live: liveReport(entry, helm[0]?.version ?? entry.helmRevision),
  };
}

function endingOf(
  verdict: Exclude<RolloutVerdict, { kind: "promoted" }>,
  { subject, address }: { subject: string; address: string },
): Ending {
  const results = {
    inFlight: "running",
    aborted: "failed",
    paused: "paused",
    inconclusive: "inconclusive",
    stuck: "failed",
    invalid: "failed",
  } as const satisfies Record<typeof verdict.kind, Ending["result"]>;
  const summary = verdict.kind === "inFlight" ? `waiting for ${verdict.why}` : verdict.why;
  const kinds = { aborted: "RolloutAborted", stuck: "DeadlineExceeded", invalid: "RolloutRefused" } as const;
  const kind = verdict.kind in kinds ? kinds[verdict.kind as keyof typeof kinds] : undefined;
  return {
    result: results[verdict.kind],
    summary,
    ...(verdict.kind === "paused" || verdict.kind === "inconclusive"
      ? { next: waitingCommands(verdict, address) }
      : {}),
    ...(kind === undefined ? {} : { fault: { kind, subject, message: verdict.why } }),
  };
}
