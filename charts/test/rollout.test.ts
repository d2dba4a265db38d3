import { describe, expect, test } from "vitest";
import { HELM_VERSIONS, type Manifest, render, type Rendered, type Values } from "./support/helm.ts";
import { merge, withImages } from "./support/values.ts";

// By thresholds, whose gates are those that the values name.
const rolloutMode = (values: Values = {}) =>
  withImages(merge({ mode: "rollout", analysis: { engine: "thresholds" } }, values));
const ingress = { enabled: true, hosts: [{ host: "shop.example.com" }] };
const behind = (router: string, values: Values = {}) =>
  rolloutMode(merge({ ingress, rollout: { router, canary: { steps: [{ setWeight: 10 }] } } }, values));
const blueGreen = (values: Values = {}) => rolloutMode(merge({ rollout: { strategy: "blueGreen" } }, values));

function facts(rendered: Rendered, configMap: string): Manifest {
  return JSON.parse(rendered.get("ConfigMap", configMap).data["release.json"]);
}

describe("a Rollout", () => {
  test.each(HELM_VERSIONS)("has the very pod template of the Deployment (Helm %i)", async (helm) => {
    const ci = "everything-values.yaml";
    const canaryOfFour = { canary: { steps: [{ setWeight: 25 }] } };
    const [deployment, canary, colours] = await Promise.all([
      render({}, { ci, helm }),
      render({ mode: "rollout", rollout: canaryOfFour }, { ci, helm }),
      render({ mode: "rollout", rollout: { strategy: "blueGreen" } }, { ci, helm }),
    ]);
    expect(canary.podTemplateText).toBe(deployment.podTemplateText);
    expect(colours.podTemplateText).toBe(deployment.podTemplateText);
  });

  test("takes the Deployment's place, in the autoscaler too, and shares what does not depend on the kind", async () => {
    const rendered = await render(rolloutMode({ autoscaling: { enabled: true } }));
    expect(rendered.all("Deployment")).toEqual([]);
    expect(rendered.rollout.spec).not.toHaveProperty("replicas");
    expect(rendered.get("HorizontalPodAutoscaler").spec.scaleTargetRef).toEqual({
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      name: "myapp",
    });
    const deployment = await render();
    for (const field of ["selector", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"]) {
      expect(rendered.rollout.spec[field]).toEqual(deployment.deployment.spec[field]);
    }
  });

  test("never has a rollback window, in which known-bad versions are promoted without a step", async () => {
    for (const values of [rolloutMode(), blueGreen()]) {
      expect((await render(values)).text).not.toContain("rollbackWindow");
    }
  });

  test("is taken back when it makes no progress, unless the values say otherwise", async () => {
    expect((await render(rolloutMode())).rollout.spec.progressDeadlineAbort).toBe(true);
    const kept = await render(rolloutMode({ rollout: { progressDeadlineAbort: false } }));
    expect(kept.rollout.spec.progressDeadlineAbort).toBe(false);
  });
});

describe("the Services of a Rollout", () => {
  test.each<[string, Values, string[]]>([
    ["a canary", rolloutMode(), ["myapp", "myapp-canary", "myapp-stable"]],
    ["blue-green", blueGreen(), ["myapp", "myapp-active", "myapp-preview"]],
  ])("of %s have no selector, because Argo Rollouts owns it, but for the main one", async (_, values, names) => {
    const services = (await render(values)).all("Service");
    expect(services.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(names));
    expect(services).toHaveLength(names.length);
    const selecting = services.filter(({ spec }) => spec.selector !== undefined);
    expect(selecting.map(({ metadata }) => metadata.name)).toEqual(["myapp"]);
  });

  test.each<[string, Values, boolean]>([
    ["a Deployment", withImages({}), true],
    ["a canary behind a router", behind("traefik"), true],
    ["blue-green", blueGreen(), true],
    ["a hand-over to a Deployment", withImages({ rollout: { handover: true } }), true],
    // There the share of the pods is the weight, so both versions must be behind it.
    ["a canary without a router", rolloutMode(), false],
    // There no verified pod is left at weight 100.
    ["a canary whose stable shrinks", behind("traefik", { rollout: { canary: { dynamicStableScale: true } } }), false],
  ])("lead with %s to verified pods only: %s", async (_, values, onlyStable) => {
    const { selector } = (await render(values)).get("Service", "myapp").spec;
    expect(selector["role"]).toBe(onlyStable ? "stable" : undefined);
    expect(selector["app.kubernetes.io/instance"]).toBe("myapp");
    // Pods of hooks are behind no Service.
    if (!onlyStable) expect(selector["app.kubernetes.io/component"]).toBe("server");
  });

  test("tell verified pods by a label that Argo Rollouts takes back from a version that is replaced", async () => {
    const { canary } = (await render(rolloutMode())).rollout.spec.strategy;
    const colours = (await render(blueGreen())).rollout.spec.strategy.blueGreen;
    for (const metadata of [canary.stableMetadata, colours.activeMetadata]) {
      expect(metadata.labels).toEqual({ role: "stable" });
      // It takes back all that it has added, and nothing when it had nothing to add to the template.
      expect(metadata.annotations).toEqual({ "safe-deploy.dev/stable": "true" });
    }
    for (const metadata of [canary.canaryMetadata, colours.previewMetadata]) {
      expect(metadata).toEqual({ labels: { role: "canary" } });
    }
  });
});

describe("the steps of a canary", () => {
  test("end with all the traffic and the verification, whether the values say so or not", async () => {
    for (const steps of [[{ setWeight: 10 }], [{ setWeight: 10 }, { setWeight: 100 }]]) {
      const rendered = await render(behind("traefik", { rollout: { canary: { steps } } }));
      const found: Manifest[] = rendered.rollout.spec.strategy.canary.steps;
      expect(found.filter(({ setWeight }) => setWeight === 100)).toHaveLength(1);
      expect(found.at(-2)).toEqual({ setWeight: 100 });
      expect(found.at(-1)).toEqual({ analysis: { templates: [{ templateName: "myapp-verified" }] } });
    }
  });

  test("pause for a time, scaled and at least a second, or until a person promotes", async () => {
    const steps = [{ setWeight: 10 }, { pause: { seconds: 60 } }, { pause: { seconds: 1 } }, { pause: {} }];
    const rendered = await render(behind("traefik", { rollout: { waitScale: 0.25, canary: { steps } } }));
    const pauses = rendered.rollout.spec.strategy.canary.steps.slice(1, 4);
    expect(pauses).toEqual([{ pause: { duration: "15s" } }, { pause: { duration: "1s" } }, { pause: {} }]);
  });

  test("bake between the last weight and the verification, for all of the time", async () => {
    const rendered = await render(behind("traefik", { rollout: { bake: { seconds: 300 } } }));
    const steps = rendered.rollout.spec.strategy.canary.steps;
    expect(steps.at(-2).analysis.templates).toEqual([{ templateName: "myapp-error-ratio-bake" }]);
    const [metric] = rendered.get("AnalysisTemplate", "myapp-error-ratio-bake").spec.metrics;
    expect(metric).toMatchObject({ interval: "3s", count: 101 });
    expect(metric).not.toHaveProperty("consecutiveSuccessLimit");
  });

  test("without verification have no Job, no account for one, and no right", async () => {
    const rendered = await render(rolloutMode({ verify: { enabled: false } }));
    expect(rendered.ids().filter((id) => /gate|verif|Role/.test(id))).toEqual([]);
  });
});

describe("the verification of a Rollout", () => {
  test("is a gate; only a first version, which has none, is verified by a hook", async () => {
    const rendered = await render(rolloutMode());
    const annotations = rendered.get("Job", "myapp-verify").metadata.annotations;
    expect(annotations["helm.sh/hook"]).toBe("post-install");
    expect(rendered.get("Job", "myapp-smoke").metadata.annotations["helm.sh/hook"]).toBe("test");
    const [metric] = rendered.get("AnalysisTemplate", "myapp-verified").spec.metrics;
    expect(metric.provider.job.spec.template.spec.containers[0].args.slice(0, 1)).toEqual(["verify"]);
    expect(metric.provider.job.spec.backoffLimit).toBe(0);
  });

  test("brings ordinary objects, because a gate runs when no hook does", async () => {
    const rendered = await render(rolloutMode());
    const pod = rendered.get("AnalysisTemplate", "myapp-verified").spec.metrics[0].provider.job.spec.template.spec;
    expect(pod.serviceAccountName).toBe("myapp-gate");
    expect(pod.volumes[0].configMap.name).toBe("myapp-gate");
    const ordinary = rendered.releaseObjects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    for (const kind of ["ServiceAccount", "Role", "RoleBinding", "ConfigMap"]) {
      expect(ordinary).toContain(`${kind}/myapp-gate`);
    }
    const groups = rendered.get("Role", "myapp-gate").rules.flatMap(({ apiGroups }: Manifest) => apiGroups);
    expect(groups).toContain("argoproj.io");
    expect((await render()).get("Role").rules.flatMap(({ apiGroups }: Manifest) => apiGroups)).not.toContain(
      "argoproj.io",
    );
  });

  test("uses the account that the values name", async () => {
    const rendered = await render(rolloutMode({ verify: { serviceAccountName: "own" } }));
    const pod = rendered.get("AnalysisTemplate", "myapp-verified").spec.metrics[0].provider.job.spec.template.spec;
    expect(pod.serviceAccountName).toBe("own");
    expect(rendered.all("Role")).toEqual([]);
  });

  test.each<[string, Values, Manifest, string]>([
    [
      "a canary",
      behind("traefik"),
      {
        strategy: "canary",
        router: "traefik",
        stableService: "myapp-stable",
        canaryService: "myapp-canary",
        activeService: null,
        previewService: null,
      },
      "http://myapp-canary.shop.svc:80",
    ],
    [
      "blue-green",
      blueGreen(),
      {
        strategy: "blueGreen",
        router: "none",
        stableService: null,
        canaryService: null,
        activeService: "myapp-active",
        previewService: "myapp-preview",
      },
      "http://myapp-preview.shop.svc:80",
    ],
  ])("is told of %s, and sends its checks to the version under test", async (_, values, rollout, tested) => {
    const rendered = await render(values);
    expect(facts(rendered, "myapp-gate")).toMatchObject({ workload: { kind: "Rollout", name: "myapp" }, rollout });
    expect(facts(rendered, "myapp-gate").baseUrl).toBe(tested);
    expect(facts(rendered, "myapp-gate").service).toEqual({ name: "myapp", port: 80 });
    // After a first install there is one version, behind the main Service.
    expect(facts(rendered, "myapp-verify")).toEqual({
      ...facts(rendered, "myapp-gate"),
      baseUrl: "http://myapp.shop.svc:80",
    });
  });

  test("of a blue-green waits for the other analysis after the promotion, which runs at the same time", async () => {
    const alone = await render(blueGreen());
    expect(alone.get("AnalysisTemplate", "myapp-verified").spec.metrics[0]).not.toHaveProperty("initialDelay");
    const baked = await render(blueGreen({ rollout: { bake: { seconds: 60 } } }));
    const [bake] = baked.get("AnalysisTemplate", "myapp-error-ratio-bake").spec.metrics;
    const [verified] = baked.get("AnalysisTemplate", "myapp-verified").spec.metrics;
    const lastLook = Number.parseInt(bake.initialDelay) + (bake.count - 1) * Number.parseInt(bake.interval);
    expect(Number.parseInt(verified.initialDelay)).toBe(lastLook + 3);
  });
});

describe("blue-green", () => {
  test("promotes by itself after a time, or leaves it to a person: Argo Rollouts would ignore the time then", async () => {
    const timed = (await render(blueGreen({ rollout: { blueGreen: { autoPromotionSeconds: 300 } } }))).rollout;
    expect(timed.spec.strategy.blueGreen).toMatchObject({ autoPromotionEnabled: true, autoPromotionSeconds: 300 });
    const manual = { rollout: { blueGreen: { autoPromotion: false, autoPromotionSeconds: 300 } } };
    const { blueGreen: spec } = (await render(blueGreen(manual))).rollout.spec.strategy;
    expect(spec.autoPromotionEnabled).toBe(false);
    expect(spec).not.toHaveProperty("autoPromotionSeconds");
  });

  test("keeps the old version as long as the values say, and the preview as small", async () => {
    const values = { rollout: { blueGreen: { scaleDownDelaySeconds: 60, previewReplicaCount: 1 } } };
    const spec = (await render(blueGreen(values))).rollout.spec.strategy.blueGreen;
    expect(spec).toMatchObject({ scaleDownDelaySeconds: 60, previewReplicaCount: 1 });
    expect((await render(blueGreen())).rollout.spec.strategy.blueGreen).not.toHaveProperty("previewReplicaCount");
  });
});

describe("a hand-over between the modes", () => {
  test.each(["deployment", "rollout"])("to mode %s renders both workloads, marked, with one template", async (mode) => {
    const rendered = await render(rolloutMode({ mode, rollout: { handover: true } }));
    const [deployment, rollout] = [rendered.deployment, rendered.rollout];
    expect(rollout.spec.template).toEqual(deployment.spec.template);
    for (const { metadata } of [deployment, rollout]) {
      expect(metadata.annotations).toEqual({ "safe-deploy.dev/handover": "true" });
    }
  });

  test.each(["deployment", "rollout"])(
    "to mode %s verifies nothing, because no workload serves alone",
    async (mode) => {
      const rendered = await render(withImages({ mode, rollout: { handover: true } }));
      expect(rendered.get("Job", "myapp-verify").metadata.annotations["helm.sh/hook"]).toBe("post-install");
    },
  );

  test("leads every route to the main Service, and steers no router", async () => {
    const traefik = await render(behind("traefik", { rollout: { handover: true } }));
    expect(traefik.rollout.spec.strategy.canary).not.toHaveProperty("trafficRouting");
    expect(traefik.get("IngressRoute").spec.routes.flatMap(({ services }: Manifest) => services)).toEqual([
      { name: "myapp", port: 80 },
    ]);
    const nginx = await render(behind("nginx", { rollout: { handover: true } }));
    expect(nginx.get("Ingress").spec.rules[0].http.paths[0].backend.service.name).toBe("myapp");
  });
});
