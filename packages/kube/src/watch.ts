import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { errorFromNetwork, errorFromWatchEvent, KubeError, type RequestTarget } from "./errors.ts";
import type { KubeObject } from "./objects.ts";
import { backoffMs, type Transport } from "./transport.ts";

/** `sync` replaces everything known; the others change one object. */
export type WatchEvent<T extends KubeObject> =
  | { type: "sync"; items: T[] }
  | { type: "added" | "modified" | "deleted"; object: T };

export interface WatchSource<T extends KubeObject> {
  transport: Transport;
  target: RequestTarget;
  list(signal: AbortSignal): Promise<{ items: T[]; resourceVersion: string }>;
  /** The path of the watch request, from a resource version on. */
  path(query: Record<string, string>): string;
  signal: AbortSignal;
  /** Told of errors that the watch outlives, and with undefined when it works again. */
  onTrouble?: ((error: KubeError | undefined) => void) | undefined;
}

/** How long a refusal (401, 403, 404) is borne once a watch has worked: the server may be starting (see Transport). */
const refusalGraceMs = 10_000;

/** The server ends a watch after about this many seconds; a random part keeps many watches from ending together. */
const watchSeconds = 240;

/**
 * List, then watch from the list's version on; again and again until the signal aborts, which ends the iteration.
 * A lost connection resumes at the last version seen; when the server no longer has that (410), or gives an event that
 * cannot be read, a new list comes as `sync`. So no change between two events is lost, though changes of one object
 * may come as one.
 * Throws the KubeError that ended it: one that does not heal, or, before the first `sync`, that the server
 * cannot be reached.
 */
export async function* watch<T extends KubeObject>(source: WatchSource<T>): AsyncGenerator<WatchEvent<T>, void, void> {
  const { signal, transport } = source;
  let version: string | undefined;
  let synced = false;
  let worked = false;
  let failures = 0;
  let refusedSince: number | undefined;

  while (!signal.aborted) {
    try {
      if (version === undefined) {
        const listed = await source.list(signal);
        version = listed.resourceVersion;
        synced = true;
        yield { type: "sync", items: listed.items };
      }
      const started = performance.now();
      const opened = () => {
        worked = true;
        source.onTrouble?.(undefined);
      };
      for await (const event of events<T>(source, version, opened)) {
        version = event.version;
        failures = 0;
        refusedSince = undefined;
        if (event.change !== undefined) yield event.change;
      }
      // A watch that ended in order is opened again at once, unless it ended as soon as it was opened.
      if (performance.now() - started > 1000) failures = 0;
      else await pause(backoffMs(failures++), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KubeError)) throw error;
      if (error.status === 410) {
        version = undefined;
        if (failures++ > 0) await pause(backoffMs(failures), signal);
        continue;
      }
      if (error.status >= 400 && error.status < 500 && error.status !== 429) {
        refusedSince ??= performance.now();
        const heals = worked ? performance.now() - refusedSince < refusalGraceMs : transport.mayBeStarting(error);
        if (!heals) throw error;
      } else if (error.status === 0 && (isFinal(error) || !(synced || transport.reached))) {
        throw error;
      }
      source.onTrouble?.(error);
      await pause((error.retryAfterSeconds ?? 0) * 1000 || backoffMs(failures++), signal);
    }
  }
}

/** Errors on this side that no restart of the server heals. */
function isFinal(error: KubeError): boolean {
  return error.reason === "TLS" || error.reason === "Kubeconfig" || error.reason === "Credentials";
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

interface Step<T extends KubeObject> {
  version: string;
  /** Absent for a bookmark. */
  change?: { type: "added" | "modified" | "deleted"; object: T };
}

const changeTypes: Record<string, "added" | "modified" | "deleted"> = {
  ADDED: "added",
  MODIFIED: "modified",
  DELETED: "deleted",
};

async function* events<T extends KubeObject>(
  source: WatchSource<T>,
  version: string,
  opened: () => void,
): AsyncGenerator<Step<T>> {
  const { transport, target, signal } = source;
  const seconds = Math.round(watchSeconds * (1 + Math.random() / 4));
  const overdue = new AbortController();
  const timer = setTimeout(() => overdue.abort(), (seconds + 15) * 1000);
  timer.unref();
  try {
    const response = await transport.stream({
      method: "GET",
      path: source.path({
        watch: "true",
        allowWatchBookmarks: "true",
        resourceVersion: version,
        timeoutSeconds: String(seconds),
      }),
      target,
      signal: AbortSignal.any([signal, overdue.signal]),
    });
    opened();
    for await (const line of lines(response, transport.server)) {
      const event = parse(line, target);
      if (event.type === "ERROR") throw errorFromWatchEvent(event.object, target, () => transport.refusedHint());
      const object = event.object as T;
      const step: Step<T> = { version: object.metadata.resourceVersion ?? version };
      const type = changeTypes[event.type];
      if (type !== undefined) step.change = { type, object };
      else if (event.type !== "BOOKMARK") throw unreadable(target, `an event of the unknown type ${event.type}`);
      yield step;
    }
  } catch (error) {
    // Silence past the time at which the server ends every watch: the connection is dead. The next one goes on.
    if (overdue.signal.aborted && !signal.aborted) return;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function parse(line: string, target: RequestTarget): { type: string; object: unknown } {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw unreadable(target, "a line that is not JSON");
  }
  if (typeof event !== "object" || event === null || !("type" in event) || !("object" in event)) {
    throw unreadable(target, "a line that is not a watch event");
  }
  const { type, object } = event;
  if (typeof type !== "string" || typeof object !== "object" || object === null) {
    throw unreadable(target, "a line that is not a watch event");
  }
  if (type !== "ERROR" && !("metadata" in object)) throw unreadable(target, "an event without an object");
  return { type, object };
}

/** Counts as 410: what was missed is not known, so a new list has to tell. */
function unreadable(target: RequestTarget, what: string): KubeError {
  return new KubeError(`the watch of ${target.resource} gave ${what}`, { status: 410, reason: "Expired" });
}

/** The complete lines of an answer's body; what a broken connection left of a last one is dropped. */
export async function* lines(response: IncomingMessage, server: string): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let rest: string[] = [];
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const parts = chunk.split("\n");
      const last = parts.pop() ?? "";
      for (const part of parts) {
        const line = rest.length === 0 ? part : rest.join("") + part;
        rest = [];
        if (line !== "") yield line;
      }
      if (last !== "") rest.push(last);
    }
  } catch (error) {
    throw errorFromNetwork(error, server);
  } finally {
    response.destroy();
  }
}
