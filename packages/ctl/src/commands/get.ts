import { hashLabel } from "@safe-deploy/kube";
import { styleText } from "node:util";
import { observeRollout } from "../act/control-rollout.ts";
import type { GlobalOptions } from "../command-line.ts";
import type { ReleaseFacts } from "../domain/facts.ts";
import { rolloutChanges } from "../domain/rollout-changes.ts";
import { rolloutState, type RolloutState } from "../domain/rollout.ts";
import { rolloutVerdict, type RolloutVerdict } from "../domain/rollout-verdict.ts";
import type { WorkloadSnapshot } from "../domain/serving.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { followWorkload } from "../observe/follow-workload.ts";
import { observeRelease, readWorkload, requireRelease } from "../observe/release-state.ts";
import type { Outcome } from "../output.ts";
import { connect, type Connection, timeoutSeconds } from "../run-command.ts";
import { rolloutTree } from "../ui/rollout-tree.ts";

export interface GetOptions extends GlobalOptions {
  watch: boolean;
}

/** What is left of a pause counts down between two changes. */
const redrawMs = 1_000;

/** The rollout as a tree; with --watch until it has ended or waits for a person. */
export async function runGet(options: GetOptions, signal: AbortSignal): Promise<Outcome> {
  const connection = await connect(options, signal);
  const { kube, release, address } = connection;
  const { facts } = requireRelease(await observeRelease(kube, release));
  if (options.watch) return await watchRollout(connection, facts, options);
  const { state, verdict } = await observeRollout(kube, facts, address);
  const workload = await readWorkload(kube, facts);
  return outcomeOf(state, verdict, treeOf(kube.namespace, { state, verdict, workload, facts, now: kube.serverNow() }));
}

async function watchRollout(connection: Connection, facts: ReleaseFacts, options: GetOptions): Promise<Outcome> {
  const { kube, signal, address } = connection;
  await observeRollout(kube, facts, address);
  const deadline = Date.now() + timeoutSeconds(options) * 1000;
  const screen = new Screen(process.stderr);
  let last: RolloutState | undefined;
  try {
    for await (const seen of followWorkload(kube, facts, { signal, deadline, withAnalyses: true })) {
      const { rollout } = seen.workload;
      if (rollout === undefined) throw new CtlError("CTL_E_NO_ROLLOUT", `Rollout ${facts.workload.name} was deleted`);
      const state = rolloutState({ ...seen.workload, rollout, analysisRuns: seen.analysisRuns });
      const verdict = rolloutVerdict(state, seen.now);
      const lines = treeOf(kube.namespace, { state, verdict, workload: seen.workload, facts, now: seen.now });
      if (verdict.kind !== "inFlight") {
        screen.clear();
        return outcomeOf(state, verdict, lines);
      }
      if (screen.isLive) {
        screen.show(lines);
        seen.wakeAt(seen.now + redrawMs);
      } else {
        for (const { what } of rolloutChanges(last, state)) process.stderr.write(`${what}\n`);
      }
      last = state;
    }
  } finally {
    screen.clear();
  }
  signal.throwIfAborted();
  throw new CtlError("CTL_E_DEADLINE", `the deadline of ${options.timeout} passed; the rollout goes on`, {
    next: `ctl get --watch ${address} --timeout ${options.timeout}`,
  });
}

const exits: Record<RolloutVerdict["kind"], ExitCode> = {
  promoted: ExitCode.ok,
  inFlight: ExitCode.deadline,
  paused: ExitCode.paused,
  inconclusive: ExitCode.inconclusive,
  aborted: ExitCode.notRestored,
  stuck: ExitCode.notRestored,
  invalid: ExitCode.notRestored,
};

function outcomeOf(state: RolloutState, verdict: RolloutVerdict, lines: string[]): Outcome {
  const { replicaSets, ...rest } = state;
  return {
    exit: exits[verdict.kind],
    text: `${lines.join("\n")}\n`,
    json: {
      schemaVersion: 1,
      kind: "rollout",
      verdict,
      ...rest,
      replicaSets: replicaSets.map(({ pods, ...set }) => ({ ...set, pods: pods.map(({ metadata }) => metadata.name) })),
    },
  };
}

function treeOf(
  namespace: string,
  o: { state: RolloutState; verdict: RolloutVerdict; workload: WorkloadSnapshot; facts: ReleaseFacts; now: number },
): string[] {
  const images = new Map(
    o.workload.replicaSets.flatMap(({ metadata, spec }) => {
      const image = spec.template?.spec.containers.find(({ name }) => name === o.facts.container)?.image;
      return image === undefined ? [] : [[metadata.labels?.[hashLabel] ?? "", image] as const];
    }),
  );
  return rolloutTree({ namespace, state: o.state, verdict: o.verdict, images, now: o.now });
}

/** The tree on a terminal, each one drawn over the one before. */
class Screen {
  readonly isLive: boolean;
  readonly #stream: NodeJS.WriteStream;
  #height = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.isLive = stream.isTTY && process.env["CI"] === undefined && process.env["TERM"] !== "dumb";
  }

  show(lines: string[]): void {
    const columns = Math.max(this.#stream.columns ?? 80, 20);
    const rows = Math.max((this.#stream.rows ?? 24) - 1, 1);
    const drawn = lines.slice(0, rows).map((line) => (line.length < columns ? line : `${line.slice(0, columns - 2)}…`));
    this.clear();
    const [first = "", ...rest] = drawn;
    this.#stream.write(`${[styleText("bold", first, { stream: this.#stream }), ...rest].join("\n")}\n`);
    this.#height = drawn.length;
  }

  clear(): void {
    if (this.#height > 0) this.#stream.write(`\x1b[${this.#height}A\x1b[J`);
    this.#height = 0;
  }
}
