import { randomUUID } from "node:crypto";
import { KubeError } from "./errors.ts";
import type { Kube } from "./kube.ts";
import type { Lease } from "./objects.ts";
import { waitUntil, WaitTimeout } from "./observe.ts";
import { resources } from "./resources.ts";

/** Who holds a lease, as the lease itself tells. Times by the API server's clock. */
export interface LeaseHolder {
  /** What was given as `holder`. */
  holder: string;
  /** What was given as `about`. */
  about: Record<string, string>;
  acquiredAt: Date;
  renewedAt: Date;
  expiresAt: Date;
}

export interface LeaseOptions {
  name: string;
  namespace?: string | undefined;
  /** For people: who or what this is. Two holders may have the same. */
  holder: string;
  /** Facts by which another can tell whether this holder still lives, such as its host and process id. */
  about?: Record<string, string> | undefined;
  /** How long the lease outlives a holder that is gone without releasing it. Default 30. */
  durationSeconds?: number | undefined;
  /** Says of a lease that has not expired yet whether its holder is dead all the same. */
  canTakeOver?: ((holder: LeaseHolder) => boolean | Promise<boolean>) | undefined;
  /** How long to wait for another holder. Default 0. */
  waitMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Another holds the lease. */
export class LeaseHeld extends Error {
  override readonly name = "LeaseHeld";
  readonly holder: LeaseHolder;

  constructor(lease: string, holder: LeaseHolder) {
    super(
      `lease ${lease} is held by ${holder.holder} since ${holder.acquiredAt.toISOString()}; unless renewed it ends at ${holder.expiresAt.toISOString()}`,
    );
    this.holder = holder;
  }
}

/** The reason of a lost lease's signal. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

const aboutAnnotation = "safe-deploy.dev/holder";

/** Codes of writes that someone else won, or of which it is not known whether they were done: look again. */
function mustLookAgain(error: unknown): boolean {
  return (
    error instanceof KubeError &&
    (error.status === 409 || error.reason === "ConnectionLost" || error.reason === "Timeout")
  );
}

/**
 * Takes a coordination.k8s.io/v1 Lease that at most one holder has at a time, and renews it until it is released.
 * Every write carries the version that was read, so of two who try at once one wins. A lease whose time is over, by the
 * API server's clock, or whose holder `canTakeOver` declares dead, is taken over.
 * Throws LeaseHeld when another has it (after `waitMs`).
 */
export async function acquireLease(kube: Kube, options: LeaseOptions): Promise<HeldLease> {
  const { name, holder, durationSeconds = 30 } = options;
  const namespace = options.namespace ?? kube.namespace;
  const identity = `${holder}/${randomUUID()}`;
  const waitUntilMs = performance.now() + (options.waitMs ?? 0);
  const annotations = { [aboutAnnotation]: JSON.stringify({ holder, about: options.about ?? {} }) };

  for (;;) {
    options.signal?.throwIfAborted();
    const current = await kube.get(resources.Lease, name, { namespace });
    const asked = performance.now();
    const time = microTime(kube.serverNow());
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: durationSeconds,
      acquireTime: time,
      renewTime: time,
    };
    const { apiVersion, kind } = resources.Lease;
    try {
      if (current === undefined) {
        const metadata = { name, namespace, annotations };
        const made = await kube.create<Lease>({ apiVersion, kind, metadata, spec: { ...spec, leaseTransitions: 0 } });
        return new HeldLease(kube, made, durationSeconds, asked);
      }
      // An earlier attempt was done after all, although its answer did not arrive.
      if (current.spec?.holderIdentity === identity) return new HeldLease(kube, current, durationSeconds, asked);

      const before = holderOf(current);
      const expired = before !== undefined && before.expiresAt.getTime() <= kube.serverNow();
      if (before === undefined || expired || (await options.canTakeOver?.(before))) {
        const taken = await kube.replace<Lease>({
          ...current,
          metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } },
          spec: { ...spec, leaseTransitions: (current.spec?.leaseTransitions ?? 0) + 1 },
        });
        return new HeldLease(kube, taken, durationSeconds, asked, before);
      }
      const leftMs = waitUntilMs - performance.now();
      if (leftMs <= 0) throw new LeaseHeld(`${namespace}/${name}`, before);
      await changeOrExpiry(
        kube,
        current,
        Math.min(leftMs, before.expiresAt.getTime() - kube.serverNow()),
        options.signal,
      );
    } catch (error) {
      if (!mustLookAgain(error)) throw error;
    }
  }
}

async function changeOrExpiry(
  kube: Kube,
  lease: Lease,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name, namespace, resourceVersion } = lease.metadata;
  const source = { resource: resources.Lease, namespace, fieldSelector: `metadata.name=${name}` };
  try {
    await waitUntil(
      kube,
      { lease: source },
      { what: `lease ${name} to change`, timeoutMs: Math.max(1, timeoutMs), signal },
      (state) => (state.lease[0]?.metadata.resourceVersion === resourceVersion ? undefined : true),
    );
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
  }
}

/** Who holds the lease; undefined when it was released. */
export function holderOf(lease: Lease): LeaseHolder | undefined {
  const { holderIdentity, acquireTime, renewTime, leaseDurationSeconds = 0 } = lease.spec ?? {};
  if (!holderIdentity) return undefined;
  const renewedAt = new Date(renewTime ?? 0);
  return {
    holder: holderIdentity.replace(/\/[^/]*$/, ""),
    about: {},
    ...aboutOf(lease),
    acquiredAt: new Date(acquireTime ?? 0),
    renewedAt,
    expiresAt: new Date(renewedAt.getTime() + leaseDurationSeconds * 1000),
  };
}

function aboutOf(lease: Lease): { holder?: string; about?: Record<string, string> } {
  try {
    return JSON.parse(lease.metadata.annotations?.[aboutAnnotation] ?? "{}") as ReturnType<typeof aboutOf>;
  } catch {
    return {};
  }
}

/** A lease that this process holds. `await using` releases it. */
export class HeldLease implements AsyncDisposable {
  /** The holder that did not release the lease: its time was over, or it was declared dead. */
  readonly takenOverFrom: LeaseHolder | undefined;
  readonly #kube: Kube;
  readonly #durationMs: number;
  readonly #lost = new AbortController();
  #lease: Lease;
  #renewing: Promise<void> = Promise.resolve();
  #renewal: NodeJS.Timeout | undefined;
  #end: NodeJS.Timeout | undefined;
  #released = false;

  constructor(kube: Kube, lease: Lease, durationSeconds: number, asked: number, takenOverFrom?: LeaseHolder) {
    this.#kube = kube;
    this.#lease = lease;
    this.#durationMs = durationSeconds * 1000;
    this.takenOverFrom = takenOverFrom;
    this.#renewed(asked);
  }

  /** Aborts, with a LeaseLost as reason, before anybody else can take the lease: stop writing at once. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Gives the lease back. When the server cannot be reached the lease ends by itself, so that is no error. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#stop();
    await this.#renewing;
    if (this.#lost.signal.aborted) return;
    const time = microTime(this.#kube.serverNow());
    const { holderIdentity: _, ...spec } = this.#lease.spec ?? {};
    try {
      await this.#kube.replace({ ...this.#lease, spec: { ...spec, renewTime: time, leaseDurationSeconds: 1 } });
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** A renewal asked for at `asked` (performance.now) counts from then on, not from when its answer came. */
  #renewed(asked: number): void {
    this.#stop();
    if (this.#released) return;
    // Others may take the lease when its time is over; a fifth of it is left for clocks that differ and for stopping.
    const leftMs = asked + this.#durationMs * 0.8 - performance.now();
    this.#end = setTimeout(() => this.#lose("could not be renewed in time"), leftMs).unref();
    this.#renewal = this.#renewAfter(this.#durationMs / 4);
  }

  #renewAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#renewing = this.#renew();
    }, ms).unref();
  }

  async #renew(): Promise<void> {
    const asked = performance.now();
    const { spec } = this.#lease;
    try {
      const renewTime = microTime(this.#kube.serverNow());
      this.#lease = await this.#kube.replace<Lease>({ ...this.#lease, spec: { ...spec, renewTime } });
      this.#renewed(asked);
    } catch (error) {
      await this.#lookAgain(error);
    }
  }

  /** After a conflict or an error: still ours (an answer was lost, an annotation was set) or another's? */
  async #lookAgain(failure: unknown): Promise<void> {
    const { name, namespace } = this.#lease.metadata;
    const mine = this.#lease.spec?.holderIdentity;
    if (failure instanceof KubeError && (failure.status === 409 || failure.status === 404)) {
      const now = await this.#kube.get(resources.Lease, name, { namespace }).catch(() => this.#lease);
      if (now === undefined) return this.#lose("was deleted");
      if (now.spec?.holderIdentity !== mine)
        return this.#lose(`was taken over by ${holderOf(now)?.holder ?? "nobody"}`);
      this.#lease = now;
    }
    if (!this.#released && !this.#lost.signal.aborted) this.#renewal = this.#renewAfter(this.#durationMs / 20);
  }

  #lose(why: string): void {
    this.#stop();
    this.#lost.abort(new LeaseLost(`lease ${this.#lease.metadata.namespace}/${this.#lease.metadata.name} ${why}`));
  }

  #stop(): void {
    clearTimeout(this.#renewal);
    clearTimeout(this.#end);
  }
}

/** RFC 3339 with exactly six digits of fraction, as the Lease API wants it. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
