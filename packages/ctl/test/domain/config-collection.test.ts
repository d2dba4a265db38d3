import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configToCollect, referencedConfig } from "../../src/domain/config-collection.ts";
import { at } from "../fixtures/cluster.ts";
import { entry } from "../fixtures/ledger.ts";

const version = (content: string, seconds: number) => ({
  configMap: `myapp-config-${content}`,
  createdAt: at(seconds),
});

describe("config versions to delete", () => {
  const versions = [version("a", 1), version("b", 2), version("c", 3), version("d", 4)];

  test("are those that neither a template nor a verified entry names, and that are not the newest", () => {
    const referenced = new Set(["myapp-config-b"]);
    const ledger = [entry(1, "a", "fail"), entry(2, "c", "pass")];
    expect(configToCollect(versions, referenced, ledger)).toEqual([version("a", 1)]);
    expect(configToCollect(versions, new Set(), [])).toEqual(versions.slice(0, 3));
    expect(configToCollect([], referenced, ledger)).toEqual([]);
  });

  test("never hold one that is referred to, verified or newest, in whatever order they come", () => {
    const names = fc.constantFrom("a", "b", "c", "d", "e", "f");
    fc.assert(
      fc.property(
        fc.uniqueArray(names),
        fc.array(names),
        fc.array(fc.tuple(names, fc.constantFrom("pass" as const, "fail" as const, "bad" as const))),
        (contents, used, verdicts) => {
          const all = contents.map((content, index) => version(content, index));
          const referenced = new Set(used.map((content) => `myapp-config-${content}`));
          const ledger = verdicts.map(([content, verdict], index) => entry(index + 1, content, verdict));
          const gone = configToCollect(all.toReversed(), referenced, ledger);
          const kept = all.filter((one) => !gone.some(({ configMap }) => configMap === one.configMap));
          if (all.length > 0) expect(kept).toContainEqual(all.at(-1));
          for (const one of gone) {
            expect(referenced).not.toContain(one.configMap);
            expect(ledger.some((each) => each.verdict === "pass" && each.configMap === one.configMap)).toBe(false);
          }
        },
      ),
    );
  });
});

test("config is found wherever a pod template names it", () => {
  const template = {
    metadata: { name: "not-this", labels: { configMap: "nor-this" } },
    spec: {
      serviceAccountName: "nor-that",
      initContainers: [{ name: "init", envFrom: [{ configMapRef: { name: "one" } }, { secretRef: { name: "two" } }] }],
      containers: [
        {
          name: "app",
          env: [
            { name: "A", valueFrom: { configMapKeyRef: { name: "three", key: "k" } } },
            { name: "B", valueFrom: { secretKeyRef: { name: "four", key: "k" } } },
            { name: "C", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          ],
        },
      ],
      volumes: [
        { name: "v1", configMap: { name: "five" } },
        { name: "v2", secret: { secretName: "six" } },
        { name: "v3", projected: { sources: [{ configMap: { name: "seven" } }, { secret: { name: "eight" } }] } },
        { name: "v4", emptyDir: {} },
      ],
    },
  };
  expect([...referencedConfig(template)].sort()).toEqual(
    ["one", "two", "three", "four", "five", "six", "seven", "eight"].sort(),
  );
  expect(referencedConfig(undefined)).toEqual(new Set());
});
