import type { HelmRelease } from "../domain/helm-release.ts";
import { isPending } from "../domain/helm-release.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import { factsOf } from "../observe/release-state.ts";

/**
 * Whether Helm can still bring an entry's release back. The revision's number alone does not say so: after an uninstall
 * Helm counts from 1 again, while the ledger goes on.
 */
export function isUsable(helm: readonly HelmRelease[]): (entry: LedgerEntry) => boolean {
  return (entry) => {
    const release = helm.find(({ version }) => version === entry.helmRevision);
    if (release === undefined || isPending(release)) return false;
    const facts = factsOf(release);
    return facts?.configMap === entry.configMap && facts.image === entry.image;
  };
}
