import { describe, expect, test } from "vitest";
import { replicasManagers, replicasOwner as owner, replicasToOwn, withoutReplicas } from "../../src/domain/replicas.ts";

const counted = { owner, live: 3, managers: ["helm"], rendered: 3, losesAutoscaler: false };

describe("the number of pods", () => {
  test("needs another owner when the chart stops counting, and Helm alone owns it", () => {
    expect(replicasToOwn({ ...counted, rendered: undefined })).toBe(3);
  });

  test.each([
    ["the autoscaler owns it already", { managers: ["helm", "kube-controller-manager"], rendered: undefined }],
    ["nobody does", { managers: [], rendered: undefined }],
    ["there is no workload", { live: undefined, rendered: undefined }],
    ["the chart goes on counting", { rendered: 5 }],
    ["a person has set it beside the chart", { live: 7, managers: ["kubectl"] }],
    [
      "the autoscaler has set what the chart asks for",
      { managers: ["kube-controller-manager"], losesAutoscaler: true },
    ],
  ])("needs none when %s", (_, change) => {
    expect(replicasToOwn({ ...counted, ...change })).toBeUndefined();
  });

  test("becomes the chart's before the chart counts again", () => {
    const scaled = { ...counted, live: 8, managers: ["kube-controller-manager"] };
    expect(replicasToOwn({ ...scaled, losesAutoscaler: true })).toBe(3);
    expect(replicasToOwn({ ...scaled, managers: ["helm", owner] })).toBe(3);
  });

  test("has the managers that the API server names", () => {
    const fields = (spec: Record<string, unknown>) => ({ "f:spec": spec });
    const managedFields = [
      { manager: "helm", fieldsV1: fields({ "f:replicas": {}, "f:template": {} }) },
      { manager: "kube-controller-manager", fieldsV1: { "f:status": { "f:replicas": {} } } },
      { manager: "ctl", fieldsV1: fields({ "f:paused": {} }) },
    ];
    expect(replicasManagers({ metadata: { managedFields } })).toEqual(["helm"]);
  });

  test("is left out of the manifest of one workload, and everything else stays as it is", () => {
    const other = "---\n# Source: a\nkind: Rollout\nmetadata:\n  name: other\nspec:\n  replicas: 2\n";
    const own = (replicas: string) =>
      `---\n# Source: b\nkind: Rollout\nmetadata:\n  name: myapp\nspec:\n${replicas}  template: {}\n`;
    const workload = { kind: "Rollout", name: "myapp" };
    expect(withoutReplicas(other + own("  replicas: 3\n") + other, workload)).toBe(other + own("") + other);
    expect(withoutReplicas(other + own(""), workload)).toBe(other + own(""));
  });
});
