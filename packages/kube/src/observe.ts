import type { KubeError } from "./errors.ts";
import type { Kube, Scope } from "./kube.ts";
import type { KubeObject, Resource } from "./objects.ts";

/** Some objects of one kind, for example `{ resource: resources.Pod, labelSelector: "app=web" }`. */
export interface Source<T extends KubeObject = KubeObject> extends Scope {
  resource: Resource<T>;
}

export type Sources = Record<string, Source>;

type ObjectOf<S> = S extends { resource: Resource<infer T> } ? T : never;

/** The objects of every source at one moment, by the source's name. */
export type Snapshot<S extends Sources> = { readonly [K in keyof S]: readonly ObjectOf<S[K]>[] };

/** A wait ended without what it was for. The message says what that was, and what was seen last. */
export class WaitTimeout extends Error {
  override readonly name = "WaitTimeout";
  readonly what: string;
  readonly timeoutMs: number;
  readonly lastSeen: string;

  constructor(what: string, timeoutMs: number, lastSeen: string) {
    super(`waited ${timeoutMs / 1000} s for ${what}; last seen: ${lastSeen}`);
    this.what = what;
    this.timeoutMs = timeoutMs;
    this.lastSeen = lastSeen;
  }
}

export interface WaitOptions<S extends Sources> {
  /** Completes "waited for ...". */
  what: string;
  /** From now. */
  timeoutMs: number;
  /** Puts into words what was seen last; without it the names of the objects. */
  describe?: ((state: Snapshot<S>) => string) | undefined;
}

/** Several watches kept together as one state, until the signal aborts. Starts at once. */
export function observe<const S extends Sources>(kube: Kube, sources: S, signal: AbortSignal): Observation<S> {
  return new Observation(kube, sources, signal);
}

/**
 * Opens the watches, waits for `decide` to give something else than undefined, and closes them.
 * Throws WaitTimeout, the error that ended a watch, what `decide` throws, or the signal's reason.
 */
export async function waitUntil<const S extends Sources, R>(
  kube: Kube,
  sources: S,
  options: WaitOptions<S> & { signal?: AbortSignal | undefined },
  decide: (state: Snapshot<S>) => R | undefined,
): Promise<R> {
  const done = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, done.signal]) : done.signal;
  try {
    return await observe(kube, sources, signal).until(options, decide);
  } finally {
    done.abort();
  }
}

export class Observation<S extends Sources> {
  readonly #signal: AbortSignal;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #waiting: Set<string>;
  readonly #trouble = new Map<string, KubeError>();
  #version = 0;
  #latest: { version: number; state: Snapshot<S> } | undefined;
  #failure: { error: unknown } | undefined;
  #pulse = Promise.withResolvers<void>();

  constructor(kube: Kube, sources: S, signal: AbortSignal) {
    this.#signal = signal;
    this.#waiting = new Set(Object.keys(sources));
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    for (const [name, source] of Object.entries(sources)) {
      this.#objects.set(name, new Map());
      void this.#follow(kube, name, source);
    }
  }

  /** The state now; undefined until every source has been listed. */
  get latest(): Snapshot<S> | undefined {
    if (this.#waiting.size > 0) return undefined;
    if (this.#latest?.version !== this.#version) {
      const entries = [...this.#objects].map(([name, objects]) => [name, [...objects.values()]]);
      this.#latest = { version: this.#version, state: Object.fromEntries(entries) as Snapshot<S> };
    }
    return this.#latest?.state;
  }

  /**
   * The state, first when every source has been listed and then after each change; what changes while the consumer is busy
   * comes as one. Ends when the signal aborts; throws the error that ended a watch.
   */
  async *changes(): AsyncGenerator<Snapshot<S>, void, void> {
    let seen = -1;
    while (!this.#signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const state = this.latest;
      if (state !== undefined && this.#version !== seen) {
        seen = this.#version;
        yield state;
      } else {
        await this.#pulse.promise;
      }
    }
  }

  /** Waits for `decide` to give something else than undefined; throws as waitUntil does. */
  async until<R>(options: WaitOptions<S>, decide: (state: Snapshot<S>) => R | undefined): Promise<R> {
    const { what, timeoutMs } = options;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, timeoutMs);
    let seen = -1;
    try {
      for (;;) {
        this.#signal.throwIfAborted();
        if (this.#failure !== undefined) throw this.#failure.error;
        const state = this.latest;
        if (state !== undefined && this.#version !== seen) {
          seen = this.#version;
          const decision = decide(state);
          if (decision !== undefined) return decision;
        } else if (late) {
          throw new WaitTimeout(what, timeoutMs, this.#lastSeen(state, options.describe ?? listNames));
        } else {
          await this.#pulse.promise;
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #lastSeen(state: Snapshot<S> | undefined, describe: (state: Snapshot<S>) => string): string {
    const seen = state === undefined ? `nothing yet of ${[...this.#waiting].join(", ")}` : describe(state);
    const [trouble] = this.#trouble.values();
    return trouble === undefined ? seen : `${seen} (and since then: ${trouble.message})`;
  }

  async #follow(kube: Kube, name: string, { resource, ...scope }: Source): Promise<void> {
    const objects = this.#objects.get(name) as Map<string, KubeObject>;
    const onTrouble = (error: KubeError | undefined) => {
      if (error === undefined) this.#trouble.delete(name);
      else this.#trouble.set(name, error);
    };
    try {
      for await (const event of kube.watch(resource, { ...scope, signal: this.#signal, onTrouble })) {
        if (event.type === "sync") {
          objects.clear();
          for (const object of event.items) objects.set(keyOf(object), object);
          this.#waiting.delete(name);
        } else if (event.type === "deleted") {
          objects.delete(keyOf(event.object));
        } else {
          objects.set(keyOf(event.object), event.object);
        }
        this.#version += 1;
        this.#wake();
      }
    } catch (error) {
      this.#failure ??= { error };
      this.#wake();
    }
  }

  #wake(): void {
    this.#pulse.resolve();
    this.#pulse = Promise.withResolvers<void>();
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function listNames(state: Snapshot<Sources>): string {
  return Object.entries(state)
    .map(([source, objects]) => `${source}: ${objects.map((object) => object.metadata.name).join(", ") || "none"}`)
    .join("; ");
}
