import { expect, test } from "vitest";
import { namespacesToDelete } from "../src/reset.ts";

test("a reset deletes people's namespaces and keeps Kubernetes' and the add-ons'", () => {
  const system = ["default", "kube-system", "kube-public", "kube-node-lease"];
  const addons = ["argo-rollouts", "monitoring", "postgres", "traefik"];
  expect(namespacesToDelete([...system, "test-rollback", ...addons, "kube-mine"])).toEqual([
    "test-rollback",
    "kube-mine",
  ]);
});
