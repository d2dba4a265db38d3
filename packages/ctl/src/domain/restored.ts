import type { LedgerEntry } from "./ledger.ts";

/** What was read from the cluster after a rollback. */
export interface RestoredState {
  content: string | undefined;
  image: string | undefined;
  digest: string | undefined;
  configMap: string | undefined;
  flags: Record<string, string>;
  serviceSelector: Record<string, string>;
  /** The newest verdict on what is live. */
  verdict: LedgerEntry["verdict"] | undefined;
}

/**
 * Compares what runs after a rollback with what the ledger says ran when it was verified. Every difference is named;
 * none means that the release is back where it was.
 */
export function differencesFrom(
  target: LedgerEntry,
  state: RestoredState,
  expectedSelector: Record<string, string>,
): string[] {
  const differences: string[] = [];
  const compare = (what: string, wanted: string | undefined, found: string | undefined) => {
    if (wanted !== found) differences.push(`${what}: ${found ?? "none"} instead of ${wanted ?? "none"}`);
  };
  compare("image", target.image, state.image);
  compare("digest", target.digest, state.digest);
  compare("config", target.configMap, state.configMap);
  compare("flags", flagText(target.flags), flagText(state.flags));
  compare("Service selector", flagText(expectedSelector), flagText(state.serviceSelector));
  if (state.verdict !== "pass") differences.push(`verdict: ${state.verdict ?? "none"} instead of pass`);
  return differences;
}

function flagText(map: Record<string, string>): string {
  const pairs = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.length === 0 ? "none" : pairs.map(([key, value]) => `${key}=${value}`).join(",");
}
