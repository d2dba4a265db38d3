import type { KubeObject, Resource } from "@safe-deploy/kube";
import type { World } from "./world.ts";

/** Every value that the objects of a kind in a namespace had while something went on, each as often as it changed. */
export async function valuesDuring<T extends KubeObject>(
  { kube }: World,
  { resource, namespace, read }: { resource: Resource<T>; namespace: string; read: (object: T) => number },
  act: () => Promise<void>,
): Promise<number[]> {
  const values: number[] = [];
  const end = new AbortController();
  const watching = (async () => {
    for await (const event of kube.watch<T>(resource, { namespace, signal: end.signal })) {
      for (const object of event.type === "sync" ? event.items : [event.object]) {
        const value = read(object);
        if (value !== values.at(-1)) values.push(value);
      }
    }
  })().catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  try {
    await act();
  } finally {
    end.abort();
    await watching;
  }
  return values;
}
