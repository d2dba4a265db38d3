import type { Values } from "./helm.ts";
import { IMAGES } from "./helm.ts";

/** `IMAGES` with more values laid over it, map by map, as Helm does with several files. */
export function withImages(values: Values): Values {
  return merge(IMAGES, values);
}

export function merge(base: Values, over: Values): Values {
  const merged: Values = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isMap(below) && isMap(value) ? merge(below, value) : value;
  }
  return merged;
}

function isMap(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
