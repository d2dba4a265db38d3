import type { GlobalOptions } from "../command-line.ts";
import { chartLabel, type HelmRelease } from "../domain/helm-release.ts";
import { type LedgerEntry, newestFirst, rollbackTarget } from "../domain/ledger.ts";
import { isUsable } from "../act/rollback-target.ts";
import { factsOf, observeRelease, type ReleaseState, requireRelease } from "../observe/release-state.ts";
import { ExitCode } from "../exit-codes.ts";
import type { Outcome } from "../output.ts";
import { connect } from "../run-command.ts";

/** One revision of Helm with the newest verdict on it. */
export interface HistoryRow {
  revision: number;
  status: string;
  at: string;
  verdict: LedgerEntry["verdict"] | "none";
  image: string;
  config: string;
  chart: string;
  why: string;
  mark: "live" | "rollback goes here" | "";
}

export async function runHistory(options: GlobalOptions, signal: AbortSignal): Promise<Outcome> {
  const { kube, release } = await connect(options, signal);
  const state = await observeRelease(kube, release);
  requireRelease(state);
  const rows = historyRows(state);
  return {
    exit: ExitCode.ok,
    text: renderHistory(rows),
    json: { schemaVersion: 1, kind: "history", release, revisions: rows },
  };
}

/** Newest first. */
export function historyRows(state: ReleaseState): HistoryRow[] {
  const { target } = rollbackTarget(state.ledger, state.live?.content, isUsable(state.helm));
  const liveRevision = state.helm[0]?.version;
  return state.helm.map((release) => {
    const entry = verdictOn(release, state.ledger);
    const facts = factsOf(release);
    return {
      revision: release.version,
      status: release.info.status,
      at: release.info.last_deployed ?? "",
      verdict: entry?.verdict ?? "none",
      image: facts?.image ?? "",
      config: facts?.config ?? "",
      chart: chartLabel(release),
      why: entry?.why.split("\n")[0] ?? "",
      mark:
        release.version === liveRevision
          ? "live"
          : release.version === target?.helmRevision
            ? "rollback goes here"
            : "",
    };
  });
}

/** The newest verdict on the content that this revision had when it was judged. */
function verdictOn(release: HelmRelease, ledger: readonly LedgerEntry[]): LedgerEntry | undefined {
  const facts = factsOf(release);
  const own = newestFirst(ledger).find(
    (entry) =>
      entry.helmRevision === release.version && entry.image === facts?.image && entry.configMap === facts.configMap,
  );
  return own === undefined ? undefined : newestFirst(ledger).find(({ content }) => content === own.content);
}

function renderHistory(rows: HistoryRow[]): string {
  const header = ["REVISION", "DEPLOYED", "HELM", "VERDICT", "IMAGE", "CONFIG", ""];
  const cells = rows.map((row) => [
    String(row.revision),
    row.at.slice(0, 19).replace("T", " "),
    row.status,
    row.verdict,
    shortImage(row.image),
    row.config,
    [row.mark === "" ? "" : `← ${row.mark}`, row.verdict === "pass" || row.verdict === "none" ? "" : shorten(row.why)]
      .filter(Boolean)
      .join("  "),
  ]);
  const table = [header, ...cells];
  const widths = header.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** The first twelve digits of a digest tell images apart on a screen. */
function shortImage(image: string): string {
  return image.replace(/@sha256:([0-9a-f]{12})[0-9a-f]*/, "@$1");
}

/** A cause in one line of a table; `-o json` has all of it. */
function shorten(text: string): string {
  return text.length <= 72 ? text : `${text.slice(0, 71)}…`;
}
