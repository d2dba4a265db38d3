/**
 * Differences that keep `actual` from containing `expected`; none when it does.
 * Objects may hold more than expected. Arrays must have the same length and are compared element by element.
 */
export function subsetDifferences(expected: unknown, actual: unknown, path = ""): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${place(path)} is ${show(actual)}, not a list`];
    if (actual.length !== expected.length) {
      return [`${place(path)} has ${actual.length} elements, not ${expected.length}`];
    }
    return expected.flatMap((element, i) => subsetDifferences(element, actual[i], `${path}[${i}]`));
  }
  if (typeof expected === "object" && expected !== null) {
    if (typeof actual !== "object" || actual === null || Array.isArray(actual)) {
      return [`${place(path)} is ${show(actual)}, not an object`];
    }
    return Object.entries(expected).flatMap(([key, value]) => {
      const at = path === "" ? key : `${path}.${key}`;
      if (!Object.hasOwn(actual, key)) return [`${at} is missing`];
      return subsetDifferences(value, (actual as Record<string, unknown>)[key], at);
    });
  }
  return expected === actual ? [] : [`${place(path)} is ${show(actual)}, not ${show(expected)}`];
}

/** A value as JSON, cut to what a person reads in one line. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function place(path: string): string {
  return path === "" ? "the JSON body" : path;
}
