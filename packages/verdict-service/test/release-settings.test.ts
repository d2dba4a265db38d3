import { expect, test } from "vitest";
import { parseSettings, SettingsError } from "../src/release-settings.ts";
import { settings } from "./fixtures.ts";

function problemsOf(value: unknown): readonly string[] {
  try {
    parseSettings(typeof value === "string" ? value : JSON.stringify(value));
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test("what the chart writes is read as it is", () => {
  const written = settings({
    port: 8080,
    events: { clientErrors: { status: "4..", route: "/api/.*" } },
    prometheus: { address: "http://prometheus:9090", namespaceLabel: "namespace", hashLabel: "hash", scrapeSeconds: 5 },
  });
  const { schemaVersion: _, ...rest } = written;
  expect(parseSettings(JSON.stringify(written))).toEqual(rest);
});

test("every field that is missing or of another type is told with its path", () => {
  const { policy, names: _, ...rest } = settings({ port: 8080 }) as { policy: object; names: object };
  const wrong = { ...rest, policy: { ...policy, alpha: "0.1", blind: { seconds: 5, atDeadline: "pass" } } };
  expect(problemsOf(wrong)).toEqual([
    "policy.alpha: is not a number",
    "policy.blind.atDeadline: is not one of fail, inconclusive",
    "names: is not an object",
  ]);
});

test("a policy that cannot be kept, a rule without its event and a pattern that is none are told together", () => {
  const { policy, names, ...rest } = settings({ port: 8080 }) as { policy: { rules: object[] }; names: object };
  const rule = {
    name: "odd",
    bad: { kind: "event", name: "odd" },
    source: "router",
    relative: { tolerated: 2, refused: 4 },
  };
  const problems = problemsOf({
    ...rest,
    names: { ...names, errorStatus: "5[" },
    policy: { ...policy, beta: 0.9, rules: [...policy.rules, rule] },
  });
  expect(problems).toHaveLength(4);
  for (const words of ["beta", "only pods are read", "events: there is no odd", "names.errorStatus"]) {
    expect(problems.join("\n")).toContain(words);
  }
});

test("another version of the settings, and what is no JSON, are refused", () => {
  expect(problemsOf({ ...settings({ port: 1 }), schemaVersion: 2 })).toEqual([
    "schemaVersion is 2; this service reads 1",
  ]);
  expect(problemsOf("{")[0]).toMatch(/^it is no JSON/);
});
