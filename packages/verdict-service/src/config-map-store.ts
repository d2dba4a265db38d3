import { type AnalysisRun, type ConfigMap, hashLabel, type Kube, resources } from "@safe-deploy/kube";
import type { Log } from "./log.ts";
import { type AttemptRecord, parseRecord, pathKey, recordKey, recordName, type RecordStore } from "./record.ts";

/** Keeps each Rollout's last attempt in a ConfigMap beside it, which is removed with it. */
export class ConfigMapStore implements RecordStore {
  readonly #kube: Kube;
  readonly #log: Log;

  constructor(kube: Kube, log: Log) {
    this.#kube = kube;
    this.#log = log;
  }

  async load(namespace: string, rollout: string): Promise<AttemptRecord | undefined> {
    const found = await this.#kube.get<ConfigMap>(resources.ConfigMap, recordName(rollout), { namespace });
    if (found?.data === undefined) return undefined;
    try {
      return parseRecord(found.data);
    } catch (error) {
      // Without it the attempt begins anew, which is stricter: nothing is known to be good.
      const why = (error as Error).message;
      this.#log.warn({ namespace, rollout, why }, "the record that was kept cannot be read; it is written anew");
      return undefined;
    }
  }

  async save(owner: { namespace: string; name: string; uid: string }, record: AttemptRecord): Promise<void> {
    const { path, ...rest } = record;
    const { apiVersion, kind } = resources.Rollout;
    await this.#kube.apply<ConfigMap>(
      {
        ...resources.ConfigMap,
        metadata: {
          name: recordName(owner.name),
          namespace: owner.namespace,
          ownerReferences: [{ apiVersion, kind, name: owner.name, uid: owner.uid }],
        },
        data: { [recordKey]: JSON.stringify(rest), [pathKey]: JSON.stringify(path) },
      },
      { force: true },
    );
  }

  async analysisRuns(namespace: string, hash: string): Promise<AnalysisRun[]> {
    const labelSelector = `${hashLabel}=${hash}`;
    return (await this.#kube.list<AnalysisRun>(resources.AnalysisRun, { namespace, labelSelector })).items;
  }
}
