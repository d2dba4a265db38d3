import type { Deployment, KubeObject } from "@safe-deploy/kube";
import { load } from "js-yaml";
import { describe, expect, it, vi } from "vitest";
import { addonOf, addons, profiles, type Addon, type AddonName } from "../../src/addons/catalog.ts";
import { programsOf } from "../../src/addons/install.ts";
import { adapt, mergeArgs, readManifests, type Images } from "../../src/addons/manifests.ts";
import { catalog, toolNames } from "../../src/toolchain/catalog.ts";
import { makeRecipe } from "../../src/toolchain/recipe.ts";

// Go may have to fetch a module first.
vi.setConfig({ testTimeout: 300_000 });

const names = Object.keys(addons) as AddonName[];
const image = "registry.local/program:1";

const imagesOf = ({ alsoRuns = [] }: Addon): Images => ({
  main: image,
  others: Object.fromEntries(alsoRuns.map((program) => [program, `registry.local/${program}:1`])),
});

const read = async (addon: Addon) => await readManifests(addon, imagesOf(addon));

function deploymentOf(objects: KubeObject[]): Deployment {
  const found = objects.filter((object) => object.kind === "Deployment");
  expect(found).toHaveLength(1);
  return found[0] as Deployment;
}

const running = names.filter((name) => addonOf(name).deployment !== undefined);

it("only definitions run nothing", () => {
  expect(names.filter((name) => !running.includes(name))).toEqual(["router-definitions"]);
});

describe.each(running)("%s", (name) => {
  const addon = addonOf(name);

  it("is one Deployment of the lab's own image, with a small request and a readiness probe", async () => {
    const deployment = deploymentOf(await read(addon));
    expect(deployment.metadata).toMatchObject({ name: addon.deployment, namespace: addon.namespace });
    const [container] = deployment.spec.template.spec.containers;
    expect(container).toMatchObject({ image, imagePullPolicy: "IfNotPresent" });
    expect(container?.readinessProbe?.periodSeconds).toBe(1);
    expect(Number.parseInt(container?.resources?.requests?.["cpu"] ?? "")).toBeLessThanOrEqual(50);
    expect(container?.resources?.limits?.["memory"]).toMatch(/Mi$/);
  });

  it("selects the pods that it makes, and its services do too", async () => {
    const objects = await read(addon);
    const { selector, template } = deploymentOf(objects).spec;
    expect(Object.keys(selector.matchLabels ?? {})).not.toHaveLength(0);
    expect(template.metadata?.labels).toMatchObject(selector.matchLabels ?? {});
    // The operator puts this label on the pods that it makes of the object.
    const made = { "operator.prometheus.io/name": addon.operated?.name };
    for (const service of objects.filter((object) => object.kind === "Service")) {
      const { selector } = service["spec"] as { selector: Record<string, string> };
      expect(Object.keys(selector)).not.toHaveLength(0);
      expect({ ...template.metadata?.labels, ...made }).toMatchObject(selector);
    }
  });

  it("has every account it binds roles to, in a namespace that exists", async () => {
    const objects = await read(addon);
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
    const ids = (await read(addon)).map(
      (it) => `${it.apiVersion} ${it.kind} ${it.metadata.namespace ?? ""}/${it.metadata.name}`,
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("brings the sign by which it is recognized elsewhere", async () => {
    const { external } = addon;
    if (!external) return expect(name).toBe("postgres");
    const objects = await read(addon);
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

describe("Prometheus", () => {
  const objects = read(addonOf("prometheus"));
  const find = async (kind: string, name: string) =>
    (await objects).find((object) => object.kind === kind && object.metadata.name === name);

  it("is run by its operator, with the images of this toolchain, and says which version it is", async () => {
    const { metadata, ...prometheus } = (await find("Prometheus", "lab"))!;
    const spec = prometheus["spec"] as { image: string; version: string };
    expect(metadata.namespace).toBe("monitoring");
    expect(spec.image).toBe("registry.local/prometheus:1");
    const { version } = await makeRecipe("prometheus", "amd64");
    expect(Object.values(catalog.prometheus.stamps(version))).toEqual([spec.version]);
    const { args } = deploymentOf(await objects).spec.template.spec.containers[0]!;
    expect(args).toContain("--prometheus-config-reloader=registry.local/prometheus-config-reloader:1");
  });

  it("reads what every namespace asks for, and has the kinds to ask with", async () => {
    const spec = (await find("Prometheus", "lab"))!["spec"] as Record<string, unknown>;
    for (const kind of ["serviceMonitor", "podMonitor", "probe", "rule"]) {
      expect(spec).toMatchObject({ [`${kind}Selector`]: {}, [`${kind}NamespaceSelector`]: {} });
    }
    for (const plural of ["servicemonitors", "podmonitors", "probes", "prometheusrules"]) {
      expect(await find("CustomResourceDefinition", `${plural}.monitoring.coreos.com`)).toBeDefined();
    }
  });

  it("tells the versions of an application apart: by template hash, role, namespace and pod", async () => {
    const secret = (await find("Secret", "scrape-configs"))!["stringData"] as Record<string, string>;
    const jobs = load(secret["scrape-configs.yaml"]!) as { job_name: string; relabel_configs?: object[] }[];
    const pods = jobs.find((job) => job.job_name === "pods");
    const labels = pods?.relabel_configs?.map((it) => (it as { target_label?: string }).target_label);
    expect(labels).toEqual(expect.arrayContaining(["pod_template_hash", "role", "namespace", "pod"]));
    expect(jobs.map((job) => job.job_name)).toEqual(
      expect.arrayContaining(["kubelet-resource", "kubelet-cadvisor", "kube-state-metrics"]),
    );
  });

  it.each(["argo-rollouts", "traefik"] as const)("finds %s, which asks for it by annotation", async (name) => {
    const { template } = deploymentOf(await read(addonOf(name))).spec;
    expect(template.metadata?.annotations).toMatchObject({ "prometheus.io/scrape": "true" });
  });
});

describe("the routers' definitions", () => {
  it("are those that a rollout's routing is written in, and Argo Rollouts may change them", async () => {
    const definitions = await read(addonOf("router-definitions"));
    const named = definitions.map((object) => object.metadata.name);
    expect(named).toEqual(
      expect.arrayContaining([
        "virtualservices.networking.istio.io",
        "destinationrules.networking.istio.io",
        "httproutes.gateway.networking.k8s.io",
      ]),
    );
    const rollouts = await read(addonOf("argo-rollouts"));
    const role = rollouts.find((object) => object.kind === "ClusterRole" && object.metadata.name === "argo-rollouts");
    const rules = role?.["rules"] as { apiGroups: string[]; resources: string[]; verbs: string[] }[];
    const may = (group: string, resource: string) =>
      rules
        .filter((rule) => rule.apiGroups.includes(group) && rule.resources.includes(resource))
        .flatMap(({ verbs }) => verbs);
    expect(may("networking.istio.io", "virtualservices")).toContain("update");
    expect(may("networking.istio.io", "destinationrules")).toContain("update");
    expect(may("traefik.io", "traefikservices")).toContain("update");
    expect(may("networking.k8s.io", "ingresses")).toContain("patch");
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

  it("puts what upstream has in the namespace default into the add-on's", () => {
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "x", namespace: "default" } };
    expect(adapt(account, addon, { image, config: "1" }).metadata.namespace).toBe("there");
    const elsewhere = { ...account, metadata: { name: "x", namespace: "kube-system" } };
    expect(adapt(elsewhere, addon, { image, config: "1" }).metadata.namespace).toBe("kube-system");
  });

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

it("an image that nobody gave is an error, not a text in the cluster", async () => {
  await expect(readManifests(addonOf("prometheus"), { main: image, others: {} })).rejects.toThrow(/no image was given/);
});

it("every profile's programs can be built, and core needs few", () => {
  expect(programsOf("core")).toEqual(["coredns"]);
  expect(programsOf("rollout")).toEqual(expect.arrayContaining(["prometheus", "traefik", "rollouts-controller"]));
  expect(programsOf("rollout")).not.toContain("metrics-server");
  expect(profiles.all).toEqual(names);
  for (const program of programsOf("all")) expect(toolNames).toContain(program);
});
