export type JsonPath = (string | number)[];

/**
 * The steps of a path into a JSON document: `status`, `db.latency`, `items[0].id`, `labels["app.kubernetes.io/name"]`, `[0]`.
 * Undefined when the text is no path.
 */
export function parseJsonPath(text: string): JsonPath | undefined {
  const step = /(?:^|(?<=.)\.)([^.[\]"\s]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]/y;
  const path: JsonPath = [];
  while (step.lastIndex < text.length) {
    const match = step.exec(text);
    if (match === null) return undefined;
    const [, name, index, quoted] = match;
    if (name !== undefined) path.push(name);
    else if (index !== undefined) path.push(Number(index));
    else path.push(quoted!.replaceAll(/\\(.)/g, "$1"));
  }
  return path.length === 0 ? undefined : path;
}

/** The value at a path, or undefined when the document has nothing there (JSON itself has no undefined). */
export function valueAt(document: unknown, path: JsonPath): unknown {
  let value = document;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    if (!Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
