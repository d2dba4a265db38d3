import { hashLabel, type Pod, type Rollout } from "@safe-deploy/kube";

/** Told of each Rollout that was added or changed, or (undefined) is gone; `isFirst` after a new list of all. */
export type RolloutListener = (key: string, rollout: Rollout | undefined, isFirst: boolean) => void;

/** Namespace and name. */
export function keyOf({ metadata }: { metadata: { namespace?: string; name: string } }): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

/** The Rollouts and their pods as the last events told. Reading it asks nobody. */
export class ClusterState {
  readonly #rollouts = new Map<string, Rollout>();
  readonly #pods = new Map<string, Pod>();
  readonly #byTemplate = new Map<string, Map<string, Pod>>();
  readonly #listeners: RolloutListener[] = [];
  readonly #troubles = new Map<string, { since: number; message: string }>();

  onRollout(listener: RolloutListener): void {
    this.#listeners.push(listener);
  }

  rollout(key: string): Rollout | undefined {
    return this.#rollouts.get(key);
  }

  get rollouts(): ReadonlyMap<string, Rollout> {
    return this.#rollouts;
  }

  /** The pods of a template, whoever made them. */
  podsOf(namespace: string, hash: string): Pod[] {
    return [...(this.#byTemplate.get(`${namespace}/${hash}`)?.values() ?? [])];
  }

  /** Of one scope (a namespace, or ""): everything that is not listed is gone. */
  replaceRollouts(scope: string, rollouts: readonly Rollout[]): void {
    const listed = new Set(rollouts.map(keyOf));
    for (const key of this.#rollouts.keys()) if (isIn(key, scope) && !listed.has(key)) this.deleteRollout(key);
    for (const rollout of rollouts) this.setRollout(rollout, true);
  }

  setRollout(rollout: Rollout, isFirst = false): void {
    const key = keyOf(rollout);
    this.#rollouts.set(key, rollout);
    for (const listener of this.#listeners) listener(key, rollout, isFirst);
  }

  deleteRollout(key: string): void {
    this.#rollouts.delete(key);
    for (const listener of this.#listeners) listener(key, undefined, false);
  }

  replacePods(scope: string, pods: readonly Pod[]): void {
    const listed = new Set(pods.map(keyOf));
    for (const [key, pod] of this.#pods) if (isIn(key, scope) && !listed.has(key)) this.deletePod(pod);
    for (const pod of pods) this.setPod(pod);
  }

  setPod(pod: Pod): void {
    this.deletePod(pod);
    const template = templateOf(pod);
    const siblings = this.#byTemplate.get(template) ?? new Map<string, Pod>();
    siblings.set(pod.metadata.name, pod);
    this.#byTemplate.set(template, siblings);
    this.#pods.set(keyOf(pod), pod);
  }

  deletePod(pod: Pod): void {
    const key = keyOf(pod);
    const known = this.#pods.get(key);
    if (known === undefined) return;
    this.#pods.delete(key);
    const template = templateOf(known);
    const siblings = this.#byTemplate.get(template);
    siblings?.delete(pod.metadata.name);
    if (siblings?.size === 0) this.#byTemplate.delete(template);
  }

  /** Notes that a watch has trouble, or (undefined) works again. @param now milliseconds since the epoch */
  noteTrouble(watch: string, message: string | undefined, now: number): void {
    if (message === undefined) this.#troubles.delete(watch);
    else this.#troubles.set(watch, { since: this.#troubles.get(watch)?.since ?? now, message });
  }

  /** What is known may be this old, in milliseconds; undefined while every watch works. */
  trouble(now: number): { ageMs: number; message: string } | undefined {
    const [oldest] = [...this.#troubles.values()].toSorted((a, b) => a.since - b.since);
    return oldest === undefined ? undefined : { ageMs: now - oldest.since, message: oldest.message };
  }
}

function isIn(key: string, scope: string): boolean {
  return scope === "" || key.startsWith(`${scope}/`);
}

function templateOf({ metadata }: Pod): string {
  return `${metadata.namespace ?? ""}/${metadata.labels?.[hashLabel] ?? ""}`;
}
