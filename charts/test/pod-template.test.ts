import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHART, HELM_VERSIONS, IMAGES, render, Rendered, renderText, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

describe("the pod template, on which it depends whether going back finds the old ReplicaSet", () => {
  test("is the same in two renders", async () => {
    const [first, second] = await Promise.all([renderText(), renderText()]);
    expect(new Rendered(first).podTemplateText).toBe(new Rendered(second).podTemplateText);
    expect(first).toBe(second);
  });

  describe("with another version of the chart", () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "chart-"));
      await cp(CHART, folder, { recursive: true });
      const chart = await readFile(join(folder, "Chart.yaml"), "utf8");
      const newer = chart
        .replace(/^version: .*$/m, "version: 9.9.9+build")
        .replace(/^appVersion: .*$/m, 'appVersion: "9.9"');
      await writeFile(join(folder, "Chart.yaml"), newer);
    });
    afterAll(() => rm(folder, { recursive: true }));

    test.each(HELM_VERSIONS)("does not change (Helm %i)", async (helm) => {
      const [before, after] = await Promise.all([
        render(IMAGES, { helm, ci: "everything-values.yaml" }),
        render(IMAGES, { helm, ci: "everything-values.yaml", chart: folder }),
      ]);
      expect(after.deployment.metadata.labels["helm.sh/chart"]).toBe("myapp-9.9.9_build");
      expect(after.podTemplateText).toBe(before.podTemplateText);
    });
  });

  test("does not change between install and upgrade", async () => {
    const [install, upgrade] = await Promise.all([render(), render(IMAGES, { args: ["--is-upgrade"] })]);
    expect(upgrade.podTemplateText).toBe(install.podTemplateText);
  });

  test.each<[string, Values]>([
    ["checks", { checks: [{ name: "other", request: { path: "/" } }] }],
    ["replicas", { replicaCount: 7 }],
    ["autoscaling", { autoscaling: { enabled: true } }],
    ["hooks", { hooks: { image: { tag: "v9" }, podLabels: { a: "b" }, resources: { requests: { cpu: "1m" } } } }],
    ["verification", { verify: { deadlineSeconds: 120, checksDeadlineSeconds: 20, serviceAccountName: "other" } }],
    ["no verification", { verify: { enabled: false } }],
    ["ledger", { ledger: { keep: 50 } }],
    ["migrations", { migrations: { enabled: true, version: "20251028" }, existingSecret: "db" }],
    ["strategy", { strategy: { rollingUpdate: { maxSurge: 2 } }, minReadySeconds: 3, revisionHistoryLimit: 3 }],
    ["disruption budget", { pdb: { enabled: false } }],
    ["network policy", { networkPolicy: { enabled: true } }],
    ["ingress", { ingress: { enabled: true, hosts: [{ host: "a.example.com" }] } }],
    ["service", { service: { port: 8888, annotations: { a: "b" } } }],
    ["labels of objects", { commonLabels: { team: "a" }, workloadAnnotations: { a: "b" } }],
  ])("does not change with the %s", async (_, values) => {
    // A secret has to be there for migrations; it must be there on both sides, because the service reads it as well.
    const base = withImages("existingSecret" in values ? { existingSecret: "db" } : {});
    const [before, after] = await Promise.all([render(base), render(withImages(values))]);
    expect(after.text).not.toBe(before.text);
    expect(after.podTemplateText).toBe(before.podTemplateText);
  });

  test.each<[string, Values]>([
    ["the image's tag", { image: { tag: "v2" } }],
    ["the image's digest", { image: { digest: `sha256:${"1".repeat(64)}` } }],
    ["config", { config: { A: "1" } }],
    ["a flag", { flags: { FEATURE_NEW: true } }],
    ["a secret", { secrets: { DB_DSN: "postgres://db" } }],
    ["resources", { resources: { limits: { memory: "1Gi" } } }],
    ["a probe", { probes: { readiness: { periodSeconds: 9 } } }],
  ])("changes with %s", async (_, values) => {
    const [before, after] = await Promise.all([render(), render(withImages(values))]);
    expect(after.podTemplateText).not.toBe(before.podTemplateText);
  });
});

describe("the service's pod by default", () => {
  test("has the documented probes", async () => {
    const { container } = await render();
    expect(container.startupProbe).toEqual({
      httpGet: { path: "/ready", port: "http" },
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 30,
    });
    expect(container.readinessProbe).toMatchObject({
      httpGet: { path: "/ready", port: "http" },
      periodSeconds: 5,
      failureThreshold: 2,
    });
    expect(container.livenessProbe).toMatchObject({ httpGet: { path: "/live", port: "http" }, periodSeconds: 10 });
  });

  test("has the documented resources, strategy and way to stop", async () => {
    const { container, deployment, pod } = await render();
    expect(container.resources).toEqual({
      requests: { cpu: "200m", memory: "256Mi" },
      limits: { cpu: "1", memory: "512Mi" },
    });
    expect(deployment.spec.strategy).toEqual({
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: 1, maxUnavailable: 1 },
    });
    expect(pod.terminationGracePeriodSeconds).toBe(30);
    expect(container.lifecycle).toEqual({ preStop: { sleep: { seconds: 10 } } });
  });

  test("reads its config version", async () => {
    const rendered = await render();
    expect(rendered.container.envFrom).toEqual([
      { configMapRef: { name: rendered.config.metadata.name } },
      { secretRef: { name: rendered.get("Secret").metadata.name } },
    ]);
  });

  test("writes to /tmp and nowhere else", async () => {
    const { container, pod } = await render();
    expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
    expect(container.volumeMounts).toEqual([{ name: "tmp", mountPath: "/tmp" }]);
    expect(pod.volumes).toEqual([{ name: "tmp", emptyDir: {} }]);
  });

  test("has an account without rights and without token", async () => {
    const rendered = await render();
    const account = rendered.pod.serviceAccountName;
    expect(rendered.pod.automountServiceAccountToken).toBe(false);
    expect(rendered.get("ServiceAccount", account).automountServiceAccountToken).toBe(false);
    const subjects = rendered.all("RoleBinding").flatMap((binding) => binding.subjects);
    expect(subjects.map((subject) => subject.name)).not.toContain(account);
  });

  test("is what its Service selects, and hooks' pods are not", async () => {
    const rendered = await render(withImages({ migrations: { enabled: true }, secrets: { DB_DSN: "postgres://db" } }));
    const { selector } = rendered.get("Service").spec;
    expect(selector).toEqual({
      "app.kubernetes.io/name": "myapp",
      "app.kubernetes.io/instance": "myapp",
      role: "stable",
    });
    expect(rendered.deployment.spec.template.metadata.labels).toMatchObject(selector);
    for (const job of rendered.all("Job")) expect(job.spec.template.metadata.labels).not.toMatchObject(selector);
  });
});
