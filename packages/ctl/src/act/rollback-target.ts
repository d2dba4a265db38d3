import { isRouteHeld } from "../domain/first-release.ts";
import type { HelmRelease } from "../domain/helm-release.ts";
import { isPending } from "../domain/helm-release.ts";
import type { LedgerEntry } from "../domain/ledger.ts";
import { factsOf } from "../observe/release-state.ts";

/**
 * Whether Helm can still bring an entry's release back. The revision's number alone does not say so: after an uninstall
 * Helm counts from 1 again, while the ledger goes on.
 */
export function isUsable(helm: readonly HelmRelease[]): (entry: LedgerEntry) => boolean {
  const kind = helm.map(factsOf).find((facts) => facts !== undefined)?.workload.kind;
  return (entry) => {
    const release = helm.find(({ version }) => version === entry.helmRevision);
    if (release === undefined || isPending(release) || isRouteHeld(release)) return false;
    const facts = factsOf(release);
    // Helm would delete the workload of the present kind before that of the other serves.
    if (kind !== undefined && facts?.workload.kind !== kind) return false;
    return facts?.configMap === entry.configMap && facts.image === entry.image;
  };
}
