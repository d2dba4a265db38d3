import { parseChecks } from "@safe-deploy/smoke";
import { describe, expect, test } from "vitest";
import { HELM_VERSIONS, type Manifest, render, type Rendered, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

const migrating = withImages({
  migrations: { enabled: true, version: "20251028" },
  config: { LOG_LEVEL: "warn" },
  flags: { FEATURE_NEW: true },
  secrets: { DB_DSN: "postgres://db" },
});

function hook(object: Manifest): { events: string[]; weight: number; policy: string } {
  const { annotations } = object.metadata;
  return {
    events: annotations["helm.sh/hook"].split(","),
    weight: Number(annotations["helm.sh/hook-weight"]),
    policy: annotations["helm.sh/hook-delete-policy"],
  };
}

function releaseFacts(rendered: Rendered): Manifest {
  return JSON.parse(rendered.get("ConfigMap", "myapp-verify").data["release.json"]);
}

describe("every hook", () => {
  test("runs at the documented events and weights", async () => {
    const rendered = await render(migrating);
    const jobs = Object.fromEntries(rendered.all("Job").map((job) => [job.metadata.name, hook(job)]));
    expect(jobs).toEqual({
      "myapp-migrate": { events: ["pre-install", "pre-upgrade"], weight: -5, policy: "before-hook-creation" },
      "myapp-verify": { events: ["post-install", "post-upgrade"], weight: 5, policy: "before-hook-creation" },
      "myapp-smoke": { events: ["test"], weight: 5, policy: "before-hook-creation" },
    });
  });

  test("has its own words printed by Helm when it fails, and those of helm test always", async () => {
    const rendered = await render(migrating);
    const policies = rendered
      .all("Job")
      .map(({ metadata }) => [metadata.name, metadata.annotations["helm.sh/hook-output-log-policy"]]);
    expect(Object.fromEntries(policies)).toEqual({
      "myapp-migrate": "hook-failed",
      "myapp-verify": "hook-failed",
      "myapp-smoke": "hook-failed,hook-succeeded",
    });
  });

  test("never belongs to a rollback, because one that fails leaves the release pending", async () => {
    const rendered = await render({}, { ci: "everything-values.yaml" });
    const events = rendered.hookObjects.flatMap((object) => hook(object).events);
    expect(events.filter((event) => event.includes("rollback"))).toEqual([]);
  });

  test("finds what it reads at its own events, and before it", async () => {
    const rendered = await render(withImages({ ...migrating, networkPolicy: { enabled: true } }));
    for (const job of rendered.all("Job")) {
      const { events, weight } = hook(job);
      const references = referencedBy(job.spec.template.spec);
      expect(references.length).toBeGreaterThan(0);
      for (const [kind, name] of references) {
        const object = rendered.get(kind, name);
        for (const event of events) {
          expect(hook(object).events, `${kind}/${name} is there at ${event} of ${job.metadata.name}`).toContain(event);
        }
        expect(hook(object).weight).toBeLessThan(weight);
      }
    }
  });

  test("is tried once and ends by itself", async () => {
    const rendered = await render(migrating);
    for (const job of rendered.all("Job")) {
      expect(job.spec.backoffLimit).toBe(0);
      expect(job.spec.template.spec.restartPolicy).toBe("Never");
      expect(job.spec.activeDeadlineSeconds).toBeGreaterThan(0);
    }
  });

  test("carries a label that says which it is, on the Job and on its pod", async () => {
    const rendered = await render(migrating);
    for (const [name, labels] of [
      ["verify", {}],
      ["smoke", {}],
      ["migrate", { "job-type": "migration" }],
    ] as const) {
      const job = rendered.get("Job", `myapp-${name}`);
      const expected = { "safe-deploy.dev/hook": name, "app.kubernetes.io/component": "hook", ...labels };
      expect(job.metadata.labels).toMatchObject(expected);
      expect(job.spec.template.metadata.labels).toMatchObject(expected);
    }
  });

  test("may be given labels and annotations for service meshes", async () => {
    const rendered = await render(
      withImages({
        ...migrating,
        hooks: {
          image: { tag: "v1" },
          podLabels: { "sidecar.istio.io/inject": "false" },
          podAnnotations: { "linkerd.io/inject": "disabled" },
        },
      }),
    );
    for (const job of rendered.all("Job")) {
      const { labels, annotations } = job.spec.template.metadata;
      expect(labels["sidecar.istio.io/inject"]).toBe("false");
      expect(annotations["linkerd.io/inject"]).toBe("disabled");
    }
  });
});

describe("the verify hook", () => {
  test.each(HELM_VERSIONS)("is told what was released (Helm %i)", async (helm) => {
    const rendered = await render(migrating, { helm });
    const config = rendered.config.metadata.labels["safe-deploy.dev/config"];
    expect(releaseFacts(rendered)).toEqual({
      schemaVersion: 1,
      release: "myapp",
      namespace: "shop",
      revision: 1,
      chart: "myapp-0.1.0",
      workload: { kind: "Deployment", name: "myapp" },
      container: "app",
      selector: rendered.deployment.spec.selector.matchLabels,
      service: { name: "myapp", port: 80 },
      baseUrl: "http://myapp.shop.svc:80",
      image: "registry.local/myapp:v1",
      config,
      configMap: `myapp-config-${config}`,
      secret: `myapp-secret-${config}`,
      flags: { FEATURE_NEW: "true" },
      schema: "20251028",
      deadlineSeconds: 300,
      ledgerKeep: 10,
      prometheus: {
        address: "http://prometheus.monitoring.svc:9090",
        names: {
          hashLabel: "pod_template_hash",
          namespaceLabel: "namespace",
          requests: "http_requests_total",
          statusLabel: "status",
          errorStatus: "5..",
          durationBucket: "http_request_duration_seconds_bucket",
        },
      },
    });
  });

  test("is told no schema when there are no migrations, or none is named", async () => {
    const none = await render(withImages({ migrations: { version: "20251028" } }));
    const newest = await render(withImages({ migrations: { enabled: true }, existingSecret: "db" }));
    expect(releaseFacts(none).schema).toBeNull();
    expect(releaseFacts(newest).schema).toBeNull();
  });

  test("checks /healthz through the Service three times by default", async () => {
    const rendered = await render();
    const spec = parseChecks(rendered.get("ConfigMap", "myapp-verify").data["checks.json"]);
    expect(spec.deadlineMs).toBe(60_000);
    expect(spec.checks).toHaveLength(1);
    expect(spec.checks[0]).toMatchObject({
      request: { method: "GET", path: "/healthz" },
      expect: { status: [200] },
      repeat: { times: 3, atLeast: 3 },
    });
  });

  test.each(["everything-values.yaml", "podinfo-values.yaml"])("has checks that can run with %s", async (ci) => {
    const rendered = await render(withImages({}), { ci });
    const name = rendered.all("Job").find((job) => job.metadata.labels["safe-deploy.dev/hook"] === "verify")
      .metadata.name;
    const spec = parseChecks(rendered.get("ConfigMap", name).data["checks.json"]);
    expect(spec.checks.length).toBeGreaterThanOrEqual(2);
  });

  test("runs ctl verify on both files, and helm test the checks alone", async () => {
    const rendered = await render();
    const files = ["--facts", "/etc/safe-deploy/release.json", "--checks", "/etc/safe-deploy/checks.json"];
    const args = (name: string) => rendered.get("Job", name).spec.template.spec.containers[0].args;
    expect(args("myapp-verify")).toEqual(["verify", ...files]);
    expect(args("myapp-smoke")).toEqual(["verify", "--checks-only", ...files]);
    for (const name of ["myapp-verify", "myapp-smoke"]) {
      const { containers, volumes } = rendered.get("Job", name).spec.template.spec;
      expect(containers[0].image).toBe("registry.local/ctl:v1");
      expect(containers[0].volumeMounts).toContainEqual({
        name: "release",
        mountPath: "/etc/safe-deploy",
        readOnly: true,
      });
      expect(volumes).toContainEqual({ name: "release", configMap: { name: "myapp-verify" } });
    }
  });

  test("has a Job deadline that lets it report its own", async () => {
    const { spec } = (await render(withImages({ verify: { deadlineSeconds: 120 } }))).get("Job", "myapp-verify");
    expect(spec.activeDeadlineSeconds).toBe(150);
  });

  test("may read what it watches, write verdicts, collect config versions, and nothing else", async () => {
    const rendered = await render();
    const rights = rendered
      .get("Role")
      .rules.flatMap((rule: Manifest) =>
        rule.apiGroups.flatMap((group: string) =>
          rule.resources.flatMap((resource: string) =>
            rule.verbs.map((verb: string) => `${verb} ${group}/${resource}`),
          ),
        ),
      );
    const read = (...resources: string[]) =>
      resources.flatMap((resource) => ["get", "list", "watch"].map((verb) => `${verb} ${resource}`));
    expect(rights.sort()).toEqual(
      [
        ...read(
          "apps/deployments",
          "apps/replicasets",
          "/pods",
          "/events",
          "discovery.k8s.io/endpointslices",
          "batch/jobs",
          "/configmaps",
        ),
        "get /pods/log",
        "create /configmaps",
        "delete /configmaps",
        "delete /secrets",
      ].sort(),
    );
    expect(rendered.all("ClusterRole")).toEqual([]);
    expect(rendered.get("RoleBinding")).toMatchObject({
      roleRef: { kind: "Role", name: "myapp-verify" },
      subjects: [{ kind: "ServiceAccount", name: "myapp-verify", namespace: "shop" }],
    });
  });

  test("takes an account that exists, and makes none then", async () => {
    const rendered = await render(withImages({ verify: { serviceAccountName: "verifier" } }));
    expect(rendered.get("Job", "myapp-verify").spec.template.spec.serviceAccountName).toBe("verifier");
    expect(rendered.ids().filter((id) => id.startsWith("Role"))).toEqual([]);
    expect(rendered.all("ServiceAccount").map((account) => account.metadata.name)).toEqual(["myapp"]);
  });

  test("is left out with all that belongs to it, and asks for no image then", async () => {
    const rendered = await render({ image: { tag: "v1" }, verify: { enabled: false } });
    expect(rendered.hookObjects).toEqual([]);
  });
});

describe("the migration hook", () => {
  test("runs the service's image to the version, with a copy of its config", async () => {
    const rendered = await render(migrating);
    const { containers } = rendered.get("Job", "myapp-migrate").spec.template.spec;
    expect(containers).toHaveLength(1);
    expect(containers[0]).toMatchObject({
      image: rendered.container.image,
      command: ["node", "/app/migrate.mjs"],
      args: ["upgrade", "20251028"],
      envFrom: [{ configMapRef: { name: "myapp-migrate" } }, { secretRef: { name: "myapp-migrate" } }],
      securityContext: rendered.container.securityContext,
    });
    expect(rendered.get("ConfigMap", "myapp-migrate").data).toEqual(rendered.config.data);
    const [copy, own] = rendered.all("Secret").map((secret) => secret.data);
    expect(copy).toEqual(own);
  });

  test.each<[string, Values, string[]]>([
    ["a version as text", { version: "20251028" }, ["upgrade", "20251028"]],
    ["a version as a number", { version: 20251028 }, ["upgrade", "20251028"]],
    ["no version", {}, ["upgrade"]],
    ["own arguments", { args: ["migrate", "up"] }, ["migrate", "up"]],
  ])("takes %s", async (_, migrations, args) => {
    const rendered = await render(withImages({ existingSecret: "db", migrations: { enabled: true, ...migrations } }));
    expect(rendered.get("Job", "myapp-migrate").spec.template.spec.containers[0].args).toEqual(args);
  });

  test("has an account of its own, without rights and without token", async () => {
    const rendered = await render(migrating);
    const pod = rendered.get("Job", "myapp-migrate").spec.template.spec;
    expect(pod.serviceAccountName).toBe("myapp-migrate");
    expect(pod.automountServiceAccountToken).toBe(false);
    const subjects = rendered.all("RoleBinding").flatMap((binding) => binding.subjects.map((s: Manifest) => s.name));
    expect(subjects).not.toContain("myapp-migrate");
  });

  test("has the service's further environment, volumes and place to run", async () => {
    const rendered = await render({}, { ci: "everything-values.yaml" });
    const job = rendered.get("Job", "myapp-shop-migrate").spec.template.spec;
    const [container] = job.containers;
    expect(container.env).toEqual(rendered.container.env);
    expect(container.envFrom.slice(2)).toEqual(rendered.container.envFrom.slice(2));
    expect(container.volumeMounts).toEqual(rendered.container.volumeMounts);
    for (const field of ["volumes", "nodeSelector", "tolerations", "imagePullSecrets", "securityContext"]) {
      expect(job[field], field).toEqual(rendered.pod[field]);
    }
  });

  test("is off by default", async () => {
    expect((await render()).ids().filter((id) => id.includes("migrate"))).toEqual([]);
  });
});

/** The accounts, ConfigMaps and Secrets that a pod cannot start without. */
function referencedBy(pod: Manifest): [string, string][] {
  const sources = pod.containers.flatMap((container: Manifest) => container.envFrom ?? []);
  return [
    ["ServiceAccount", pod.serviceAccountName],
    ...sources.flatMap((source: Manifest) => (source.configMapRef ? [["ConfigMap", source.configMapRef.name]] : [])),
    ...sources.flatMap((source: Manifest) => (source.secretRef ? [["Secret", source.secretRef.name]] : [])),
    ...pod.volumes.flatMap((volume: Manifest) => (volume.configMap ? [["ConfigMap", volume.configMap.name]] : [])),
  ];
}
