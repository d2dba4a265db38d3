import type { Deployment, KubeObject } from "@safe-deploy/kube";
import { describe, expect, it, vi } from "vitest";
import { addonOf, addons, profiles, type Addon, type AddonName } from "../../src/addons/catalog.ts";
import { programsOf } from "../../src/addons/install.ts";
import { adapt, mergeArgs, readManifests } from "../../src/addons/manifests.ts";
import { toolNames } from "../../src/toolchain/catalog.ts";

// Go may have to fetch a module first.
vi.setConfig({ testTimeout: 300_000 });

const names = Object.keys(addons) as AddonName[];
const image = "registry.local/program:1";

function deploymentOf(objects: KubeObject[]): Deployment {
  const found = objects.filter((object) => object.kind === "Deployment");
  expect(found).toHaveLength(1);
  return found[0] as Deployment;
}

describe.each(names)("%s", (name) => {
  const addon = addonOf(name);

  it("is one Deployment of the lab's own image, with a small request and a readiness probe", async () => {
    const deployment = deploymentOf(await readManifests(addon, image));
    expect(deployment.metadata).toMatchObject({ name: addon.deployment, namespace: addon.namespace });
    const [container] = deployment.spec.template.spec.containers;
    expect(container).toMatchObject({ image, imagePullPolicy: "IfNotPresent" });
    expect(container?.readinessProbe?.periodSeconds).toBe(1);
    expect(Number.parseInt(container?.resources?.requests?.["cpu"] ?? "")).toBeLessThanOrEqual(50);
    expect(container?.resources?.limits?.["memory"]).toMatch(/Mi$/);
  });

  it("selects the pods that it makes, and its services do too", async () => {
    const objects = await readManifests(addon, image);
    const { selector, template } = deploymentOf(objects).spec;
    expect(Object.keys(selector.matchLabels ?? {})).not.toHaveLength(0);
    expect(template.metadata?.labels).toMatchObject(selector.matchLabels ?? {});
    for (const service of objects.filter((object) => object.kind === "Service")) {
      const { selector } = service["spec"] as { selector: Record<string, string> };
      expect(Object.keys(selector)).not.toHaveLength(0);
      expect(template.metadata?.labels).toMatchObject(selector);
    }
  });

  it("has every account it binds roles to, in a namespace that exists", async () => {
    const objects = await readManifests(addon, image);
    const has = (kind: string, object: string, namespace?: string) =>
      objects.some(
        (it) => it.kind === kind && it.metadata.name === object && (!namespace || it.metadata.namespace === namespace),
      );
    for (const binding of objects.filter((object) => object.kind.endsWith("RoleBinding"))) {
      for (const subject of binding["subjects"] as { kind: string; name: string; namespace: string }[]) {
        expect(has(subject.kind, subject.name, subject.namespace)).toBe(true);
      }
    }
    const account = deploymentOf(objects).spec.template.spec.serviceAccountName;
    if (account !== undefined) expect(has("ServiceAccount", account, addon.namespace)).toBe(true);
    const namespaces = new Set(objects.map((object) => object.metadata.namespace).filter((it) => it !== undefined));
    for (const namespace of namespaces) {
      expect(namespace === "kube-system" || has("Namespace", namespace)).toBe(true);
    }
  });

  it("names no object twice", async () => {
    const ids = (await readManifests(addon, image)).map(
      (it) => `${it.apiVersion} ${it.kind} ${it.metadata.namespace ?? ""}/${it.metadata.name}`,
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("brings the sign by which it is recognized elsewhere", async () => {
    const { external } = addon;
    if (!external) return expect(name).toBe("postgres");
    const objects = await readManifests(addon, image);
    const named = (kind: string, object: string) =>
      objects.some((it) => it.kind === kind && it.metadata.name === object);
    const { sign } = external;
    switch (sign.kind) {
      case "custom resource":
        return expect(named("CustomResourceDefinition", sign.name)).toBe(true);
      case "API service":
        return expect(named("APIService", sign.name)).toBe(true);
      case "service":
        return expect(named("Service", sign.name)).toBe(true);
      case "pods": {
        const [key = "", value] = sign.labelSelector.split("=");
        return expect(deploymentOf(objects).spec.template.metadata?.labels?.[key]).toBe(value);
      }
    }
  });
});

describe("adapt", () => {
  const addon: Addon = { ...addonOf("metrics-server"), namespace: "there" };
  const deployment: KubeObject = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: {
      template: {
        spec: { containers: [{ name: "c", image: "upstream/c:latest", args: ["--a=1", "--metric-resolution=15s"] }] },
      },
    },
  };

  it("leaves what it was given as it was", () => {
    const before = structuredClone(deployment);
    adapt(deployment, addon, { image, config: "1" });
    expect(deployment).toEqual(before);
  });

  it("gives a new pod template when the configuration changes, and only then", () => {
    const template = (config: string) => (adapt(deployment, addon, { image, config }) as Deployment).spec.template;
    expect(template("1")).toEqual(template("1"));
    expect(template("1")).not.toEqual(template("2"));
  });

  it("puts what has no namespace into the add-on's, and leaves what is outside namespaces", () => {
    const metadata = { name: "x" };
    const service = { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: "x" } } };
    expect(adapt(service, addon, { image, config: "1" }).metadata.namespace).toBe("there");
    const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata, rules: [] };
    expect(adapt(role, addon, { image, config: "1" }).metadata.namespace).toBeUndefined();
  });

  it("refuses a Deployment whose container it cannot tell", () => {
    const two = structuredClone(deployment) as Deployment;
    two.spec.template.spec.containers.push({ name: "sidecar" });
    expect(() => adapt(two, addon, { image, config: "1" })).toThrow("exactly one container");
  });
});

it("mergeArgs replaces the same flag and keeps the others", () => {
  expect(mergeArgs(["--a=1", "--bc=2", "-v"], ["--a=3", "--b=4"])).toEqual(["--bc=2", "-v", "--a=3", "--b=4"]);
});

it("every profile's programs can be built, and core needs few", () => {
  expect(programsOf("core")).toEqual(["coredns"]);
  expect(profiles.all).toEqual(names);
  for (const program of programsOf("all")) expect(toolNames).toContain(program);
});
