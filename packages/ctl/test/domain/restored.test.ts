import { expect, test } from "vitest";
import { differencesFrom, type RestoredState } from "../../src/domain/restored.ts";
import { entry } from "../fixtures/ledger.ts";

const digest = `sha256:${"a".repeat(64)}`;
const target = entry(4, "a", "pass", { digest, flags: { FEATURE_NEW: "false", BETA: "true" } });
const same: RestoredState = {
  content: "a",
  image: target.image,
  digest,
  configMap: target.configMap,
  flags: { BETA: "true", FEATURE_NEW: "false" },
  serviceSelector: { role: "stable", app: "myapp" },
  verdict: "pass",
};
const selector = { app: "myapp", role: "stable" };

test("nothing differs when everything is as it was verified, in whatever order it is listed", () => {
  expect(differencesFrom(target, same, selector)).toEqual([]);
});

test.each<[string, Partial<RestoredState>, string]>([
  ["image", { image: "registry.local/myapp:b" }, "image: registry.local/myapp:b instead of registry.local/myapp:a"],
  ["digest", { digest: undefined }, `digest: none instead of ${digest}`],
  ["config", { configMap: undefined }, "config: none instead of myapp-config-a"],
  ["flags", { flags: {} }, "flags: none instead of BETA=true,FEATURE_NEW=false"],
  ["selector", { serviceSelector: { app: "other" } }, "Service selector: app=other instead of app=myapp,role=stable"],
  ["verdict", { verdict: "fail" }, "verdict: fail instead of pass"],
  ["missing verdict", { verdict: undefined }, "verdict: none instead of pass"],
])("another %s is named", (_what, change, words) => {
  expect(differencesFrom(target, { ...same, ...change }, selector)).toEqual([words]);
});

test("every difference is named", () => {
  const other: RestoredState = {
    content: "b",
    image: "x",
    digest: "y",
    configMap: "z",
    flags: { A: "1" },
    serviceSelector: {},
    verdict: "bad",
  };
  expect(differencesFrom(target, other, selector)).toHaveLength(6);
});
