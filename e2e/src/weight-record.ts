import { release } from "./app-release.ts";
import { canaryWeightOf, type TraefikService, traefikService } from "./rollout-release.ts";
import type { World } from "./world.ts";

/** One change of the router's weights, and whose it was. */
export interface WeightChange {
  /** Milliseconds since the epoch. */
  at: number;
  /** Percent of the requests that the canary gets. */
  weight: number;
  /** Field managers that own the weights: who wrote them. */
  writers: string[];
}

type Managed = TraefikService & {
  metadata: { managedFields?: { manager?: string; fieldsV1?: { "f:spec"?: { "f:weighted"?: unknown } } }[] };
};

/** Writes down every change of the weights of the release's TraefikService until it is stopped. */
export class WeightRecord {
  readonly changes: WeightChange[] = [];
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  constructor(world: World, namespace: string) {
    this.#watching = this.#watch(world, namespace).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  async stop(): Promise<WeightChange[]> {
    this.#stop.abort();
    await this.#watching;
    return this.changes;
  }

  async #watch({ kube }: World, namespace: string): Promise<void> {
    const { signal } = this.#stop;
    for await (const event of kube.watch<Managed>(traefikService, { namespace, signal })) {
      const seen = event.type === "sync" ? event.items : event.type === "deleted" ? [] : [event.object];
      for (const object of seen) this.#take(object);
    }
  }

  #take(route: Managed): void {
    const { metadata } = route;
    if (metadata.name !== release) return;
    const weight = canaryWeightOf(route);
    if (this.changes.at(-1)?.weight === weight) return;
    const writers = (metadata.managedFields ?? [])
      .filter(({ fieldsV1 }) => fieldsV1?.["f:spec"]?.["f:weighted"] !== undefined)
      .map(({ manager }) => manager ?? "");
    this.changes.push({ at: Date.now(), weight, writers });
  }
}
