import type { Kube } from "./kube.ts";
import type { Event, KubeObject } from "./objects.ts";
import { resources } from "./resources.ts";

/** What the cluster told about one object, oldest first. Events are kept for an hour by default. */
export async function eventsOf(kube: Kube, object: KubeObject): Promise<Event[]> {
  const { uid, name, namespace } = object.metadata;
  const by =
    uid === undefined ? `involvedObject.kind=${object.kind},involvedObject.name=${name}` : `involvedObject.uid=${uid}`;
  // Events of objects without a namespace are in this one.
  const { items } = await kube.list(resources.Event, { namespace: namespace ?? "default", fieldSelector: by });
  return items.sort((a, b) => lastSeenMs(a) - lastSeenMs(b));
}

/** When it happened last, in ms since the epoch. Which of the fields is set depends on who reported it. */
export function lastSeenMs(event: Event): number {
  const time =
    event.series?.lastObservedTime ??
    event.lastTimestamp ??
    event.eventTime ??
    event.firstTimestamp ??
    event.metadata.creationTimestamp;
  return time === undefined ? 0 : Date.parse(time);
}
