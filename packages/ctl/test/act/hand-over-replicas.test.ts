import type { KubeObject } from "@safe-deploy/kube";
import { expect, test } from "vitest";
import { handOverReplicas } from "../../src/act/hand-over-replicas.ts";
import type { Context } from "../../src/context.ts";
import { replicasOwner } from "../../src/domain/replicas.ts";
import { deafContext } from "../fixtures/deaf-cluster.ts";
import { facts } from "../fixtures/facts.ts";

const workload = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name: "myapp",
    managedFields: [{ manager: "kube-controller-manager", fieldsV1: { "f:spec": { "f:replicas": {} } } }],
  },
  spec: { replicas: 4 },
};
const applied: KubeObject = { ...workload, metadata: { name: "myapp" }, spec: { replicas: 3 } };

/** What is written to a cluster with an autoscaler of this release. */
async function writesWith(release: string, objects: KubeObject[]): Promise<unknown[][]> {
  const writes: unknown[][] = [];
  const autoscaler = {
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "myapp", uid: "hpa", annotations: { "meta.helm.sh/release-name": release } },
  };
  const kube = {
    get: ({ kind }: { kind: string }) => Promise.resolve(kind === "Deployment" ? workload : autoscaler),
    delete: ({ kind }: { kind: string }, name: string, o: { uid: string }) => {
      writes.push(["delete", kind, name, o.uid]);
      return Promise.resolve(true);
    },
    apply: (object: KubeObject, o: { fieldManager: string }) => {
      writes.push(["apply", object.kind, object["spec"], o.fieldManager]);
      return Promise.resolve(object);
    },
  };
  const context: Context = { ...deafContext(), kube: kube as unknown as Context["kube"] };
  await handOverReplicas(context, facts, objects, []);
  return writes;
}

test("an autoscaler that is switched off ends before its number is taken over, or it would set it again", async () => {
  expect(await writesWith("myapp", [applied])).toEqual([
    ["delete", "HorizontalPodAutoscaler", "myapp", "hpa"],
    ["apply", "Deployment", { replicas: 3 }, replicasOwner],
  ]);
});

test("an autoscaler that stays, or that another release made, is left alone", async () => {
  const kept: KubeObject = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "myapp" },
  };
  expect(await writesWith("myapp", [applied, kept])).toEqual([]);
  expect(await writesWith("other", [applied])).toEqual([]);
});
