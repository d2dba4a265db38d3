import { describe, expect, test } from "vitest";
import { render, type Rendered, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

function rendered(values: Values): Promise<Rendered> {
  return render(withImages(values));
}

describe("disruption budget", () => {
  test("lets one pod be taken by default, and broken ones always", async () => {
    const { spec } = (await rendered({})).get("PodDisruptionBudget");
    expect(spec).toEqual({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: (await rendered({})).deployment.spec.selector,
    });
  });

  test.each<[Values, Values]>([
    [{ minAvailable: 2 }, { minAvailable: 2 }],
    [{ minAvailable: 0 }, { minAvailable: 0 }],
    [{ minAvailable: "50%" }, { minAvailable: "50%" }],
    [{ maxUnavailable: 2 }, { maxUnavailable: 2 }],
    [{ maxUnavailable: 0 }, { maxUnavailable: 0 }],
    [{ maxUnavailable: "34%" }, { maxUnavailable: "34%" }],
  ])("keeps %j, zero as well", async (pdb, expected) => {
    const {
      selector: _,
      unhealthyPodEvictionPolicy: __,
      ...bounds
    } = (await rendered({ pdb })).get("PodDisruptionBudget").spec;
    expect(bounds).toEqual(expected);
  });

  test("is left out when off", async () => {
    expect((await rendered({ pdb: { enabled: false } })).all("PodDisruptionBudget")).toEqual([]);
  });
});

describe("autoscaling", () => {
  test("owns the number of pods, so the workload names none", async () => {
    const on = await rendered({ autoscaling: { enabled: true } });
    expect(on.deployment.spec).not.toHaveProperty("replicas");
    expect(on.get("HorizontalPodAutoscaler").spec).toMatchObject({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "myapp" },
      minReplicas: 3,
      maxReplicas: 10,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
    });
  });

  test("is off by default, and the workload names its number of pods", async () => {
    const off = await rendered({});
    expect(off.all("HorizontalPodAutoscaler")).toEqual([]);
    expect(off.deployment.spec.replicas).toBe(3);
  });

  test("scales by memory alone, or by own metrics alone", async () => {
    const metrics = async (autoscaling: Values) =>
      (await rendered({ autoscaling: { enabled: true, targetCPUUtilizationPercentage: null, ...autoscaling } })).get(
        "HorizontalPodAutoscaler",
      ).spec.metrics;
    expect(await metrics({ targetMemoryUtilizationPercentage: 70 })).toMatchObject([{ resource: { name: "memory" } }]);
    expect(await metrics({ metrics: [{ type: "Pods", pods: {} }] })).toEqual([{ type: "Pods", pods: {} }]);
  });
});

test("zero replicas and zero old ReplicaSets are kept as zero", async () => {
  const { deployment } = await rendered({ replicaCount: 0, revisionHistoryLimit: 0, verify: { enabled: false } });
  expect(deployment.spec.replicas).toBe(0);
  expect(deployment.spec.revisionHistoryLimit).toBe(0);
});

describe("network policy", () => {
  const on = { networkPolicy: { enabled: true } };

  test("is off by default", async () => {
    expect((await rendered({})).all("NetworkPolicy")).toEqual([]);
  });

  test("lets the namespace in, and the service out to DNS and the database", async () => {
    const { spec } = (await rendered(on)).get("NetworkPolicy", "myapp");
    expect(spec.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(spec.ingress).toEqual([{ from: [{ podSelector: {} }], ports: [{ port: "http", protocol: "TCP" }] }]);
    expect(spec.egress).toEqual([
      {
        ports: [
          { port: 53, protocol: "UDP" },
          { port: 53, protocol: "TCP" },
        ],
      },
      { ports: [{ port: 5432, protocol: "TCP" }] },
    ]);
  });

  test("lets the hooks in when the namespace is shut out", async () => {
    const release = await rendered({ networkPolicy: { enabled: true, ingress: { sameNamespace: false } } });
    const [from] = release.get("NetworkPolicy", "myapp").spec.ingress[0].from;
    for (const job of release.all("Job")) {
      expect(job.spec.template.metadata.labels).toMatchObject(from.podSelector.matchLabels);
    }
    expect(release.deployment.spec.template.metadata.labels).not.toMatchObject(from.podSelector.matchLabels);
  });

  test("lets the ingress controller and the monitoring in by namespace, also to a metrics port of its own", async () => {
    const { spec } = (
      await rendered({
        networkPolicy: { enabled: true, ingress: { namespaces: ["traefik", "monitoring"] } },
        ports: { metrics: 9090 },
        metrics: { port: "metrics" },
      })
    ).get("NetworkPolicy", "myapp");
    expect(spec.ingress[0].from.slice(1)).toEqual(
      ["traefik", "monitoring"].map((name) => ({
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
      })),
    );
    expect(spec.ingress[0].ports.map((port: { port: unknown }) => port.port)).toEqual(["http", "metrics"]);
  });

  test("leaves egress alone when told to", async () => {
    const release = await rendered({ networkPolicy: { enabled: true, egress: { enabled: false } } });
    for (const policy of release.all("NetworkPolicy")) {
      expect(policy.spec.policyTypes).toEqual(["Ingress"]);
      expect(policy.spec).not.toHaveProperty("egress");
    }
  });

  test("has no rule for a database when there is none", async () => {
    const { spec } = (await rendered({ networkPolicy: { enabled: true, egress: { database: { port: null } } } })).get(
      "NetworkPolicy",
      "myapp",
    );
    expect(spec.egress).toHaveLength(1);
  });

  test("lets the verify hook reach the service and the Kubernetes API, nobody the hooks", async () => {
    const release = await rendered(on);
    const { spec, metadata } = release.get("NetworkPolicy", "myapp-hooks");
    for (const job of release.all("Job")) {
      expect(job.spec.template.metadata.labels).toMatchObject(spec.podSelector.matchLabels);
    }
    expect(spec.ingress).toEqual([]);
    expect(spec.egress.slice(1)).toEqual([
      { ports: [{ port: 8080, protocol: "TCP" }], to: [{ podSelector: release.deployment.spec.selector }] },
      { ports: [443, 6443].map((port) => ({ port, protocol: "TCP" })) },
    ]);
    expect(metadata.annotations["helm.sh/hook"]).toBe("post-install,post-upgrade,test");
  });

  test("is there before a migration runs", async () => {
    const release = await rendered({
      ...on,
      existingSecret: "db",
      migrations: { enabled: true },
      verify: { enabled: false },
    });
    const { metadata, spec } = release.get("NetworkPolicy", "myapp-hooks");
    expect(metadata.annotations["helm.sh/hook"]).toBe("pre-install,pre-upgrade");
    expect(spec.egress).toContainEqual({ ports: [{ port: 5432, protocol: "TCP" }] });
  });
});

describe("spread", () => {
  test("is over nodes by default, of the service's own pods", async () => {
    const { pod, deployment } = await rendered({});
    expect(pod.topologySpreadConstraints).toEqual([
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: deployment.spec.selector,
      },
    ]);
  });

  test("keeps a selector that is given", async () => {
    const labelSelector = { matchLabels: { team: "a" } };
    const constraint = { maxSkew: 2, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" };
    const { pod } = await rendered({ topologySpreadConstraints: [{ ...constraint, labelSelector }, constraint] });
    expect(pod.topologySpreadConstraints[0].labelSelector).toEqual(labelSelector);
    expect(pod.topologySpreadConstraints[1].labelSelector.matchLabels["app.kubernetes.io/instance"]).toBe("myapp");
  });

  test("may be none", async () => {
    expect((await rendered({ topologySpreadConstraints: [] })).pod).not.toHaveProperty("topologySpreadConstraints");
  });
});

describe("ingress", () => {
  test("sends all of a host to the Service by default", async () => {
    const { spec } = (await rendered({ ingress: { enabled: true, hosts: [{ host: "a.example.com" }] } })).get(
      "Ingress",
    );
    expect(spec).toEqual({
      rules: [
        {
          host: "a.example.com",
          http: {
            paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "myapp", port: { name: "http" } } } }],
          },
        },
      ],
    });
  });

  test("takes a class, annotations, TLS and several paths", async () => {
    const { metadata, spec } = (await render({}, { ci: "everything-values.yaml" })).get("Ingress");
    expect(metadata.annotations).toHaveProperty(["traefik.ingress.kubernetes.io/router.entrypoints"], "websecure");
    expect(spec.ingressClassName).toBe("traefik");
    expect(spec.tls).toEqual([{ secretName: "shop-tls", hosts: ["shop.example.com", "api.example.com"] }]);
    expect(spec.rules[1].http.paths.map((path: Values) => [path["path"], path["pathType"]])).toEqual([
      ["/v1", "Exact"],
      ["/v2", "Prefix"],
    ]);
  });

  test("is off by default", async () => {
    expect((await rendered({})).all("Ingress")).toEqual([]);
  });
});

describe("service account", () => {
  test("may be one that exists", async () => {
    const release = await rendered({ serviceAccount: { create: false, name: "existing" } });
    expect(release.pod.serviceAccountName).toBe("existing");
    expect(release.all("ServiceAccount").map((account) => account.metadata.name)).toEqual(["myapp-verify"]);
  });

  test("is the namespace's default when none is made or named", async () => {
    expect((await rendered({ serviceAccount: { create: false } })).pod.serviceAccountName).toBe("default");
  });

  test("gets a token only when asked for", async () => {
    expect((await rendered({ serviceAccount: { automountToken: true } })).pod.automountServiceAccountToken).toBe(true);
  });
});

describe("pod", () => {
  test("has every list that is given", async () => {
    const { pod, container } = await render({}, { ci: "everything-values.yaml" });
    expect(pod.containers.map((each: Values) => each["name"])).toEqual(["app", "log-shipper"]);
    expect(pod.initContainers.map((each: Values) => each["name"])).toEqual(["warm-cache"]);
    expect(pod.volumes.map((each: Values) => each["name"])).toEqual(["tmp", "cache"]);
    expect(container.volumeMounts).toContainEqual({ name: "cache", mountPath: "/var/cache/shop" });
    expect(container.command).toEqual(["node"]);
    expect(container.args).toEqual(["/app/server.mjs"]);
    expect(pod).toMatchObject({
      nodeSelector: { "kubernetes.io/arch": "amd64" },
      tolerations: [{ key: "dedicated" }],
      imagePullSecrets: [{ name: "registry" }],
      priorityClassName: "business-critical",
      affinity: { podAntiAffinity: expect.anything() },
    });
  });

  test("has no empty field when nothing is given", async () => {
    const { pod, container } = await rendered({});
    for (const field of [
      "affinity",
      "initContainers",
      "nodeSelector",
      "tolerations",
      "imagePullSecrets",
      "priorityClassName",
    ]) {
      expect(pod).not.toHaveProperty(field);
    }
    for (const field of ["command", "args", "env"]) expect(container).not.toHaveProperty(field);
  });

  test("takes a /tmp of the user's instead of its own", async () => {
    const { pod, container } = await rendered({
      extraVolumes: [{ name: "scratch", emptyDir: { medium: "Memory" } }],
      extraVolumeMounts: [{ name: "scratch", mountPath: "/tmp" }],
    });
    expect(pod.volumes).toEqual([{ name: "scratch", emptyDir: { medium: "Memory" } }]);
    expect(container.volumeMounts).toEqual([{ name: "scratch", mountPath: "/tmp" }]);
  });

  test.each(["startup", "readiness", "liveness"])("loses its %s probe to null", async (kind) => {
    const { container } = await rendered({ probes: { [kind]: null } });
    expect(container).not.toHaveProperty(`${kind}Probe`);
    expect(Object.keys(container).filter((key) => key.endsWith("Probe"))).toHaveLength(2);
  });

  test("takes another kind of probe", async () => {
    const { container } = await rendered({ probes: { liveness: { httpGet: null, tcpSocket: { port: "http" } } } });
    expect(container.livenessProbe).toMatchObject({ tcpSocket: { port: "http" } });
    expect(container.livenessProbe).not.toHaveProperty("httpGet");
  });

  test("sleeps before it stops only when told to", async () => {
    expect((await rendered({ preStop: { sleepSeconds: 0 } })).container).not.toHaveProperty("lifecycle");
  });

  test("says where its metrics are, unless told not to", async () => {
    const annotations = async (values: Values) =>
      (await rendered(values)).deployment.spec.template.metadata.annotations;
    expect(await annotations({})).toMatchObject({
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "8080",
      "prometheus.io/path": "/metrics",
    });
    expect(Object.keys(await annotations({ metrics: { annotations: false } }))).toEqual(["safe-deploy.dev/config"]);
  });
});

test("Recreate is rendered without the default's rolling update", async () => {
  const { deployment } = await rendered({ strategy: { type: "Recreate" } });
  expect(deployment.spec.strategy).toEqual({ type: "Recreate" });
});

test.each<[Values, string]>([
  [{ tag: "v1" }, "registry.local/myapp:v1"],
  [{ tag: "", digest: `sha256:${"a".repeat(64)}` }, `registry.local/myapp@sha256:${"a".repeat(64)}`],
  [{ tag: "v1", digest: `sha256:${"a".repeat(64)}` }, `registry.local/myapp:v1@sha256:${"a".repeat(64)}`],
])("image %j is %s", async (image, expected) => {
  expect((await rendered({ image })).container.image).toBe(expected);
});

test("a node port is fixed when given", async () => {
  const { spec } = (await rendered({ service: { type: "NodePort", nodePort: 30080 } })).get("Service");
  expect(spec.ports).toEqual([{ name: "http", port: 80, targetPort: "http", protocol: "TCP", nodePort: 30080 }]);
});

test("another service deploys with values alone", async () => {
  const release = await render({}, { ci: "podinfo-values.yaml", release: "podinfo" });
  expect(release.container.image).toBe("registry.local/podinfo:6.9.2");
  expect(release.container.ports).toEqual([{ name: "http", containerPort: 9898, protocol: "TCP" }]);
  expect(release.container.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "http" });
  expect(release.deployment.spec.template.metadata.annotations["prometheus.io/port"]).toBe("9898");
});
