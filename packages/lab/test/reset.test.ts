import { expect, test } from "vitest";
import { addonLabel, namespacesToDelete } from "../src/reset.ts";

test("a reset deletes people's namespaces and keeps Kubernetes' and the add-ons'", () => {
  const namespaces = [
    { metadata: { name: "default" } },
    { metadata: { name: "kube-system", labels: { other: "x" } } },
    { metadata: { name: "kube-public" } },
    { metadata: { name: "kube-node-lease" } },
    { metadata: { name: "traefik", labels: { [addonLabel]: "traefik" } } },
    { metadata: { name: "test-rollback", labels: { team: "a" } } },
    { metadata: { name: "kube-mine" } },
  ];
  expect(namespacesToDelete(namespaces)).toEqual(["test-rollback", "kube-mine"]);
});
