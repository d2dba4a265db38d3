import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, shortHash } from "../../src/domain/canonical.ts";
import { contentId, digestOf } from "../../src/domain/content.ts";
import { appContainer } from "../fixtures/cluster.ts";

/** The same value with the keys of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, reordered(inner)] as const)
      .toReversed(),
  );
}

describe("canonical JSON", () => {
  test("is the same for equal values, whatever the order of their keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reordered(value))).toBe(canonicalJson(value));
      }),
    );
  });

  test("keeps the value, and the order of lists", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]));
  });

  test("leaves out what is undefined", () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
  });

  test("has a hash of the length asked for", () => {
    expect(shortHash({ a: 1 }, 8)).toMatch(/^[0-9a-f]{8}$/);
    expect(shortHash({ a: 1 })).not.toBe(shortHash({ a: 2 }));
  });
});

describe("the content id", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const template = {
    metadata: { labels: { role: "stable", version: "1" }, annotations: { checked: "yes" } },
    spec: { containers: [appContainer] },
  };
  const id = contentId(template, digest);

  test("does not change with what controllers and a restart write", () => {
    const written = {
      metadata: {
        labels: { "pod-template-hash": "7d9c4b", version: "1", role: "stable" },
        annotations: { checked: "yes", "kubectl.kubernetes.io/restartedAt": "2026-03-01T12:00:00Z" },
      },
      spec: template.spec,
    };
    expect(contentId(written, digest)).toBe(id);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
  });

  test("changes with the digest, an annotation, a label and the spec", () => {
    const others = [
      contentId(template, undefined),
      contentId(template, `sha256:${"b".repeat(64)}`),
      contentId({ ...template, metadata: { ...template.metadata, annotations: {} } }, digest),
      contentId({ ...template, metadata: { ...template.metadata, labels: { role: "canary" } } }, digest),
      contentId({ ...template, spec: { containers: [{ ...appContainer, args: ["--new"] }] } }, digest),
    ];
    expect(new Set([id, ...others]).size).toBe(others.length + 1);
  });

  test("a digest is read from an image reference and from a status", () => {
    expect(digestOf(`registry.local/myapp:1@${digest}`)).toBe(digest);
    expect(digestOf(digest)).toBe(digest);
    expect(digestOf("registry.local/myapp:1")).toBeUndefined();
    expect(digestOf(`registry.local/myapp@${digest}-x`)).toBeUndefined();
    expect(digestOf("")).toBeUndefined();
    expect(digestOf(undefined)).toBeUndefined();
  });
});
