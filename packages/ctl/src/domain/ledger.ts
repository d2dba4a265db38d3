/** What was judged, once: one immutable ConfigMap in the cluster. A later judgement is a new entry. */
export interface LedgerEntry {
  schemaVersion: 1;
  /** Counts up from 1 within a release. */
  number: number;
  release: string;
  /** Of Helm, at the time of the verdict; 0 where no Helm release stands behind it. */
  helmRevision: number;
  /** See `contentId`. */
  content: string;
  verdict: Verdict;
  /** In plain words. */
  why: string;
  /** RFC 3339. */
  at: string;
  /** As spelled in the pod template. */
  image: string;
  /** `sha256:…` as the pods ran it; absent when no pod came to run. */
  digest?: string;
  /** Name and version, `myapp-0.1.0`. */
  chart: string;
  configMap: string;
  secret: string;
  flags: Record<string, string>;
  /** Version of the database schema that the release brings; null where it brings none. */
  schema: string | null;
  /** Who judged: the hook in the cluster, or a person through ctl. */
  by: "verify" | "ctl";
  /** Of every declared check, where the verdict comes from them. */
  checks?: CheckVerdict[];
}

export interface CheckVerdict {
  name: string;
  outcome: "passed" | "failed" | "notRun";
  /** One sentence: what was asked, and what came. */
  detail: string;
}

/** `bad` is a person's judgement, or ctl's, on a release that had passed before. */
export type Verdict = "pass" | "fail" | "bad";

export const ledgerLabels = {
  release: "safe-deploy.dev/ledger",
  number: "safe-deploy.dev/number",
  content: "safe-deploy.dev/content",
  verdict: "safe-deploy.dev/verdict",
} as const;

/** `myapp-ledger-000007`: names sort as their numbers. */
export function ledgerEntryName(release: string, number: number): string {
  return `${release}-ledger-${String(number).padStart(6, "0")}`;
}

/** Why there is nothing to go back to, as the reason of a refusal. */
export interface NoTarget {
  target: undefined;
  why: string;
}

/**
 * Where a rollback goes: the newest entry that passed, was not marked bad or failed since,
 * and whose content differs from what is live.
 *
 * @param usable whether an entry can be brought back at all, such as "Helm still has its revision".
 */
export function rollbackTarget(
  entries: readonly LedgerEntry[],
  liveContent: string | undefined,
  usable: (entry: LedgerEntry) => boolean = () => true,
): { target: LedgerEntry } | NoTarget {
  const judged = new Set<string>();
  let passed = 0;
  let unusable = 0;
  for (const entry of newestFirst(entries)) {
    if (judged.has(entry.content)) continue;
    judged.add(entry.content);
    if (entry.verdict !== "pass") continue;
    passed++;
    if (entry.content === liveContent) continue;
    if (usable(entry)) return { target: entry };
    unusable++;
  }
  if (passed === 0)
    return { target: undefined, why: "no release has ever been verified and not been marked bad since" };
  if (unusable > 0) return { target: undefined, why: "Helm no longer has the revisions of the verified releases" };
  return { target: undefined, why: "the only verified release is the one that is live" };
}

/** The newest judgement of a content. */
export function verdictOf(entries: readonly LedgerEntry[], content: string | undefined): LedgerEntry | undefined {
  return newestFirst(entries).find((entry) => entry.content === content);
}

/**
 * The entries to delete so that `keep` remain, oldest first: a pass that was taken back must go before the entry that
 * took it back. Never among them: the last two verified ones, which a rollback needs however many failures came after.
 */
export function ledgerToPrune(entries: readonly LedgerEntry[], keep: number): LedgerEntry[] {
  const newest = newestFirst(entries);
  const kept = new Set(newest.slice(0, keep).map((entry) => entry.number));
  const judged = new Set<string>();
  let verified = 0;
  for (const entry of newest) {
    if (verified === 2) break;
    if (judged.has(entry.content)) continue;
    judged.add(entry.content);
    if (entry.verdict !== "pass") continue;
    kept.add(entry.number);
    verified++;
  }
  return newest.filter((entry) => !kept.has(entry.number)).toReversed();
}

export function newestFirst(entries: readonly LedgerEntry[]): LedgerEntry[] {
  return [...entries].sort((a, b) => b.number - a.number);
}
