import { describe, expect, test } from "vitest";
import { parseFacts, serviceUnderTest } from "../../src/domain/facts.ts";
import { facts } from "../fixtures/facts.ts";

describe("release.json", () => {
  test("is read as the chart writes it", () => {
    expect(parseFacts(JSON.stringify(facts))).toEqual(facts);
    expect(parseFacts(JSON.stringify({ ...facts, schema: "20251028" })).schema).toBe("20251028");
  });

  test.each(Object.keys(facts).filter((field) => !["schemaVersion", "config", "schema"].includes(field)))(
    "without %s it is refused, by that name",
    (field) => {
      expect(() => parseFacts(JSON.stringify({ ...facts, [field]: undefined }))).toThrow(
        new RegExp(`release\\.json: ${field} is not an? `),
      );
    },
  );

  test.each([
    ["null", "not an object", "null"],
    ["a list", "schemaVersion", "[]"],
    ["another version", "schemaVersion is 2; this ctl reads 1", JSON.stringify({ ...facts, schemaVersion: 2 })],
    ["a null for an object", "selector is not an object", JSON.stringify({ ...facts, selector: null })],
    ["half a file", "JSON", "{"],
  ])("%s is refused: %s", (_what, why, text) => {
    expect(() => parseFacts(text)).toThrow(why);
  });
});

describe("the Service under test", () => {
  const canary = { strategy: "canary", router: "none", canaryService: "myapp-canary", previewService: null } as const;
  const blueGreen = {
    strategy: "blueGreen",
    router: "none",
    canaryService: null,
    previewService: "myapp-preview",
  } as const;

  test.each([
    [{ rollout: canary, baseUrl: "http://myapp-canary.shop.svc:80" }, "myapp-canary"],
    [{ rollout: blueGreen, baseUrl: "http://myapp-preview.shop.svc:80" }, "myapp-preview"],
    [{ rollout: canary, baseUrl: "http://myapp.shop.svc:80" }, undefined],
    [{ baseUrl: "http://myapp-canary.shop.svc:80" }, undefined],
  ])("of %j is %j", (parts, service) => {
    expect(serviceUnderTest(parts)).toBe(service);
  });
});
