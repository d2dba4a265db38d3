import { type Kube, KubeError, resources } from "@safe-deploy/kube";
import type { ReleaseFacts } from "../domain/facts.ts";
import { type LedgerEntry, ledgerEntryName, ledgerLabels, ledgerToPrune, newestFirst } from "../domain/ledger.ts";
import { readLedger } from "../observe/release-state.ts";

export type Judgement = Pick<LedgerEntry, "verdict" | "why" | "content" | "image" | "by" | "checks"> & {
  digest: string | undefined;
};

/**
 * Adds a judgement to the release's ledger by creating the entry under the next free number: of two writers one meets
 * "already exists" and takes the number after. An entry is never changed.
 */
export async function recordVerdict(kube: Kube, facts: ReleaseFacts, judgement: Judgement): Promise<LedgerEntry> {
  for (;;) {
    const ledger = await readLedger(kube, facts.release);
    const { digest, ...rest } = judgement;
    const entry: LedgerEntry = {
      schemaVersion: 1,
      number: (newestFirst(ledger)[0]?.number ?? 0) + 1,
      release: facts.release,
      helmRevision: facts.revision,
      at: new Date().toISOString(),
      chart: facts.chart,
      configMap: facts.configMap,
      secret: facts.secret,
      flags: facts.flags,
      schema: facts.schema,
      ...rest,
      ...(digest === undefined ? {} : { digest }),
    };
    try {
      await kube.create(ledgerObject(entry, facts.namespace));
    } catch (error) {
      if (error instanceof KubeError && error.status === 409) continue;
      throw error;
    }
    await prune(kube, [entry, ...ledger], facts.ledgerKeep);
    return entry;
  }
}

function ledgerObject(entry: LedgerEntry, namespace: string) {
  return {
    ...resources.ConfigMap,
    metadata: {
      name: ledgerEntryName(entry.release, entry.number),
      namespace,
      labels: {
        [ledgerLabels.release]: entry.release,
        [ledgerLabels.number]: String(entry.number),
        [ledgerLabels.content]: entry.content,
        [ledgerLabels.verdict]: entry.verdict,
      },
    },
    immutable: true,
    data: { "entry.json": JSON.stringify(entry, null, 2) },
  };
}

async function prune(kube: Kube, ledger: LedgerEntry[], keep: number): Promise<void> {
  for (const entry of ledgerToPrune(ledger, keep)) {
    await kube.delete(resources.ConfigMap, ledgerEntryName(entry.release, entry.number));
  }
}
