import { parseSettings, settingsAnnotation } from "@safe-deploy/verdict-service";
import { describe, expect, test } from "vitest";
import { CHART, type Manifest, problems, refusal, render, type Values } from "./support/helm.ts";
import { kubeconform } from "./support/kubeconform.ts";
import { merge, withImages } from "./support/values.ts";

/** A canary behind Traefik that the sequential engine judges. */
function canary(values: Values = {}): Values {
  return merge(
    withImages({
      mode: "rollout",
      ingress: { enabled: true, hosts: [{ host: "a.example.com" }] },
      rollout: { router: "traefik" },
      analysis: { engine: "sequential" },
    }),
    values,
  );
}

const policy = (rules: Values) => canary({ analysis: { sequential: { policy: { rules } } } });

/** Each step in a word: `10`, `pause`, `gate 10 + smoke`, `analysis verified`. */
function words(rollout: Manifest): string[] {
  return rollout.spec.strategy.canary.steps.map((step: Manifest) => {
    if (step.setWeight !== undefined) return String(step.setWeight);
    if (step.pause !== undefined) return step.pause.duration === undefined ? "pause" : `pause ${step.pause.duration}`;
    const names = step.analysis.templates.map(({ templateName }: Manifest) => templateName.replace("myapp-", ""));
    const weight = step.analysis.args?.find(({ name }: Manifest) => name === "weight")?.value;
    return names.map((name: string) => (name === "sequential" ? `gate ${weight}` : name)).join(" + ");
  });
}

describe("every change of weight has a gate of its own", () => {
  test.each<[string, Values[], string[]]>([
    [
      "metrics about requests give way to it, others stay",
      [{ setWeight: 10 }, { pause: { seconds: 60 } }, { analysis: ["errorRatio", "latencyP99", "memory"] }],
      ["10", "pause 60s", "gate 10 + memory", "100", "gate 100", "verified"],
    ],
    [
      "one is put in where the values have none",
      [{ setWeight: 10 }, { pause: { seconds: 60 } }, { setWeight: 50 }],
      ["10", "pause 60s", "gate 10", "50", "gate 50", "100", "gate 100", "verified"],
    ],
    [
      "a step that only runs checks does not wait for it",
      [{ setWeight: 10 }, { analysis: ["smoke"] }, { pause: {} }, { setWeight: 100 }],
      ["10", "smoke", "pause", "gate 10", "100", "gate 100", "verified"],
    ],
    [
      "without a weight there is nothing to judge",
      [{ setWeight: 0 }, { analysis: ["smoke", "errorRatio"] }, { setWeight: 20 }],
      ["0", "smoke", "20", "gate 20", "100", "gate 100", "verified"],
    ],
  ])("%s", async (_, steps, expected) => {
    const { rollout } = await render(canary({ rollout: { canary: { steps } } }));
    expect(words(rollout)).toEqual(expected);
  });

  test("the bake is a pause before the last gate", async () => {
    const { rollout } = await render(
      canary({ rollout: { canary: { steps: [{ setWeight: 10 }] }, bake: { seconds: 30 } } }),
    );
    expect(words(rollout)).toEqual(["10", "gate 10", "100", "pause 30s", "gate 100", "verified"]);
  });

  test("enough runs are kept for the last gate to read what every gate was told", async () => {
    const steps = [5, 10, 20, 30, 40, 50, 60, 70, 80, 90].map((setWeight) => ({ setWeight }));
    const { rollout } = await render(canary({ rollout: { canary: { steps } } }));
    const gates = words(rollout).filter((word) => word.startsWith("gate"));
    expect(gates).toHaveLength(11);
    expect(rollout.spec.analysis.successfulRunHistoryLimit).toBeGreaterThan(gates.length);
  });
});

test("a gate passes with the first `pass`, fails with the first `fail`, and waits for anything else until its deadline", async () => {
  const all = await render(canary({ analysis: { sequential: { gateSeconds: 100, intervalSeconds: 3 } } }));
  const [metric] = all.get("AnalysisTemplate", "myapp-sequential").spec.metrics;
  expect(metric).toEqual({
    name: "sequential",
    interval: "3s",
    count: 34,
    consecutiveSuccessLimit: 1,
    failureLimit: 0,
    inconclusiveLimit: 34,
    consecutiveErrorLimit: 6,
    successCondition: 'result.verdict == "pass"',
    failureCondition: 'result.verdict == "fail"',
    provider: {
      web: {
        url: "http://verdict.verdict.svc/v1/verdict?namespace=shop&rollout=myapp&hash={{args.canary-hash}}&weight={{args.weight}}",
        timeoutSeconds: 10,
        jsonPath: "{$}",
      },
    },
  });
});

test("the background can only take back, from the first weight on", async () => {
  const steps = [{ analysis: ["smoke"] }, { setWeight: 5 }];
  const all = await render(canary({ rollout: { canary: { steps, background: ["errorRatio", "restarts"] } } }));
  const { analysis } = all.rollout.spec.strategy.canary;
  expect(analysis.templates.map(({ templateName }: Manifest) => templateName)).toEqual([
    "myapp-sequential-background",
    "myapp-restarts-background",
  ]);
  expect(all.rollout.spec.strategy.canary.steps[analysis.startingStep - 1]).toEqual({ setWeight: 5 });
  const { spec } = all.get("AnalysisTemplate", "myapp-sequential-background");
  expect(spec.dryRun).toBeUndefined();
  const [metric] = spec.metrics;
  expect(metric.failureCondition).toBe('result.verdict == "fail"');
  for (const field of ["successCondition", "count", "consecutiveSuccessLimit"])
    expect(metric).not.toHaveProperty(field);
  expect(metric.provider.web.url).not.toContain("weight");
});

describe("where no engine is named,", () => {
  const rendered = async (values: Values, engine: string | null) =>
    (await render(canary(merge(values, { analysis: { engine } })))).objects;

  test("a canary that users send requests to is judged by the sequential one", async () => {
    expect(await rendered({}, null)).toEqual(await rendered({}, "sequential"));
    expect(await rendered({}, null)).not.toEqual(await rendered({}, "thresholds"));
  });

  test.each<[string, Values]>([
    ["a blue-green", { rollout: { strategy: "blueGreen" } }],
    ["a worker", { worker: true, rollout: { router: "none" }, ingress: { enabled: false } }],
  ])("%s is judged by thresholds", async (_, values) => {
    expect(await rendered(values, null)).toEqual(await rendered(values, "thresholds"));
  });
});

test("with both, thresholds decide in the steps that they had, and the service watches in the background", async () => {
  const values = canary({ analysis: { engine: "both" }, rollout: { canary: { background: [] } } });
  const both = await render(values);
  const thresholds = await render(merge(values, { analysis: { engine: "thresholds" } }));
  expect(both.rollout.spec.strategy.canary.steps).toEqual(thresholds.rollout.spec.strategy.canary.steps);
  expect(both.rollout.spec.strategy.canary.analysis.templates).toEqual([
    { templateName: "myapp-sequential-background" },
  ]);
  expect(both.get("AnalysisTemplate", "myapp-sequential-background").spec.dryRun).toEqual([
    { metricName: "^sequential$" },
  ]);
  expect(both.all("AnalysisTemplate").map(({ metadata }) => metadata.name)).not.toContain("myapp-sequential");
  expect(both.podTemplateText).toBe(thresholds.podTemplateText);
});

test("the last gate is told to read the gates again, and only where a service decides", async () => {
  const facts = async (values: Values) =>
    JSON.parse((await render(values)).get("ConfigMap", "myapp-gate").data["release.json"]).rollout;
  expect(await facts(canary())).toMatchObject({ verdictMetric: "sequential" });
  const job = { form: "job", job: { image: { tag: "v1" } } };
  for (const analysis of [{ engine: "both" }, { engine: "thresholds" }, { sequential: job }]) {
    expect(await facts(canary({ analysis }))).not.toHaveProperty("verdictMetric");
  }
});

test("the settings that the Rollout carries are those that the service reads", async () => {
  const rules = {
    slowAnswers: { bad: "slower", seconds: 0.5, p0: 0.01, p1: 0.05, tolerated: 2 },
    clientErrors: { bad: "matching", status: "4..", route: "/api/.*", tolerated: 1.5, refused: 4, alphaShare: 0.5 },
    silence: { bad: "silence", tolerated: 3, refused: 10 },
  };
  const values = merge(policy(rules), {
    ports: { http: 3000 },
    analysis: { names: { requests: "requests_total" }, sequential: { policy: { budget: 60 } } },
  });
  const text = (await render(values)).rollout.metadata.annotations[settingsAnnotation];
  const settings = parseSettings(text);
  expect(settings.metrics).toEqual({ port: 3000, path: "/metrics" });
  expect(settings.names.requests).toBe("requests_total");
  expect(settings.policy).toMatchObject({ alpha: 0.001, budget: 60, blind: { seconds: 120, atDeadline: "fail" } });
  expect(settings.policy.rules).toEqual([
    {
      name: "client errors",
      bad: { kind: "event", name: "clientErrors" },
      source: "app",
      relative: { tolerated: 1.5, refused: 4 },
      alphaShare: 0.5,
    },
    {
      name: "errors",
      bad: { kind: "errors" },
      source: "app",
      absolute: { p0: 0.005, p1: 0.02 },
      relative: { tolerated: 1.5 },
    },
    {
      name: "silence",
      bad: { kind: "silence", settleSeconds: 10 },
      source: "app",
      relative: { tolerated: 3, refused: 10 },
    },
    {
      name: "slow answers",
      bad: { kind: "slower", than: 0.5 },
      source: "app",
      absolute: { p0: 0.01, p1: 0.05 },
      relative: { tolerated: 2 },
    },
  ]);
  expect(settings.events).toEqual({ clientErrors: { status: "4..", route: "/api/.*" } });
  expect(settings.prometheus).toMatchObject({
    address: "http://prometheus.monitoring.svc:9090",
    hashLabel: "pod_template_hash",
  });
  const without = (await render(canary({ analysis: { sequential: { fallback: { prometheus: false } } } }))).rollout;
  expect(parseSettings(without.metadata.annotations[settingsAnnotation]).prometheus).toBeUndefined();
});

test("a change of the settings is no new version", async () => {
  const [one, other] = await Promise.all([render(canary()), render(policy({ errors: { p1: 0.03 } }))]);
  expect(one.podTemplateText).toBe(other.podTemplateText);
});

test("the service may keep its record of this release and nothing else, and an upgrade leaves the record alone", async () => {
  const service = { url: "https://verdict.ops.svc:8443", namespace: "ops", account: "judge", insecure: true };
  const all = await render(canary({ analysis: { sequential: { service } }, networkPolicy: { enabled: true } }));
  const role = all.get("Role", "myapp-verdict");
  expect(role.rules).toEqual([
    { apiGroups: [""], resources: ["configmaps"], resourceNames: ["myapp-verdict"], verbs: ["get", "patch"] },
  ]);
  expect(all.get("RoleBinding", "myapp-verdict").subjects).toEqual([
    { kind: "ServiceAccount", name: "judge", namespace: "ops" },
  ]);
  expect(all.get("ConfigMap", "myapp-verdict")).not.toHaveProperty("data");
  const [metric] = all.get("AnalysisTemplate", "myapp-sequential").spec.metrics;
  expect(metric.provider.web).toMatchObject({
    insecure: true,
    url: expect.stringContaining("https://verdict.ops.svc:8443/v1/"),
  });
  expect(JSON.stringify(all.get("NetworkPolicy", "myapp").spec.ingress)).toContain(
    '"kubernetes.io/metadata.name":"ops"',
  );
});

test("a Job at each gate needs no service: it judges, keeps what it has seen, and nothing is asked in the background", async () => {
  const job = { form: "job", job: { image: { tag: "v7" } }, gateSeconds: 90 };
  const all = await render(canary({ analysis: { sequential: job } }));
  const [metric] = all.get("AnalysisTemplate", "myapp-sequential").spec.metrics;
  const [container] = metric.provider.job.spec.template.spec.containers;
  expect(container.image).toBe("registry.local/verdict:v7");
  expect(container.args).toEqual([
    "judge",
    "--namespace=shop",
    "--rollout=myapp",
    "--hash={{args.canary-hash}}",
    "--weight={{args.weight}}",
    "--timeout-seconds=90",
  ]);
  expect(all.rollout.spec.strategy.canary).not.toHaveProperty("analysis");
  const rules: Manifest[] = all.get("Role", "myapp-gate").rules;
  expect(rules).toContainEqual({
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: ["myapp-verdict"],
    verbs: ["patch"],
  });
  expect(all.ids()).not.toContain("Role/myapp-verdict");
});

test("in mode deployment the engine is not asked for", async () => {
  const all = await render(withImages({ analysis: { engine: "sequential" } }));
  expect(all.text).not.toContain("sequential");
  expect(all.deployment.metadata.annotations).toBeUndefined();
});

describe("refused with the path of the value:", () => {
  test.each<[string, Values, string]>([
    [
      "a blue-green",
      { rollout: { strategy: "blueGreen" } },
      "analysis.engine: is sequential, but a blue-green's preview",
    ],
    [
      "a worker",
      { worker: true, rollout: { router: "none" }, ingress: { enabled: false } },
      "analysis.engine: is sequential, but worker is true",
    ],
    [
      "a service without the verification",
      { verify: { enabled: false } },
      "verify.enabled: is false, but Argo Rollouts takes",
    ],
    ["a Job without an image", { analysis: { sequential: { form: "job" } } }, "analysis.sequential.job.image: neither"],
    [
      "a Job that only watches",
      { analysis: { engine: "both", sequential: { form: "job" } } },
      "analysis.sequential.form: is job",
    ],
    [
      "a gate that ends before it asks",
      { analysis: { sequential: { gateSeconds: 1 } } },
      "analysis.sequential.gateSeconds: is 1",
    ],
    [
      "samples that are too old at once",
      { analysis: { sequential: { policy: { staleSeconds: 5 } } } },
      "analysis.sequential.policy.staleSeconds: is 5, and must be longer than analysis.sequential.fallback.scrapeSeconds",
    ],
    [
      "a horizon that the pauses use up",
      { analysis: { sequential: { horizonSeconds: 60 } } },
      "analysis.sequential.horizonSeconds: is 60, but the pauses alone take 60",
    ],
    [
      "a metric of the engine's name",
      { analysis: { metrics: { sequential: { type: "memory", pass: 1 } } } },
      "analysis.metrics.sequential",
    ],
  ])("%s", async (_, values, words) => {
    expect((await problems(canary(values))).join("\n")).toContain(words);
  });

  test.each<[string, Values, string]>([
    [
      "no rule with p0 and p1",
      { errors: null, four: { bad: "matching", status: "4..", tolerated: 2, refused: 4 } },
      "rules: none has p0 and p1",
    ],
    ["p0 above p1", { errors: { p0: 0.05 } }, "rules.errors.p0: is 0.05, and must be less than p1"],
    ["p1 alone", { errors: { p0: null } }, "rules.errors: has p1 and no p0"],
    ["a latency without a limit", { slow: { bad: "slower", p0: 0.01, p1: 0.05 } }, "rules.slow.seconds: is not set"],
    [
      "a latency between two bounds",
      { slow: { bad: "slower", seconds: 0.4, p0: 0.01, p1: 0.05 } },
      "rules.slow.seconds: is 0.4, and no bucket of the histogram ends there (analysis.sequential.latencyBounds), so how many requests took longer is not known; take 0.3 or 0.5",
    ],
    ["a latency above all bounds", { slow: { bad: "slower", seconds: 60, p0: 0.01, p1: 0.05 } }, "take 10"],
    [
      "a comparison without what it refuses",
      { odd: { bad: "matching", status: "4..", tolerated: 2 } },
      "rules.odd: has no p0 and p1, so it needs",
    ],
    [
      "one that refuses what it bears",
      { errors: { refused: 1.2 } },
      "rules.errors.refused: is 1.2, and must be more than tolerated",
    ],
    [
      "one that matches everything",
      { odd: { bad: "matching", tolerated: 2, refused: 4 } },
      "rules.odd: names neither status nor route",
    ],
    ["a limit for what has none", { errors: { seconds: 1 } }, "rules.errors.seconds: is for slower only"],
    [
      "silence against a fixed share",
      { silence: { bad: "silence", p0: 0.1, p1: 0.2 } },
      "rules.silence: compares answers with the weight",
    ],
  ])("%s", async (_, rules, words) => {
    expect((await problems(policy(rules))).join("\n")).toContain(words);
  });

  test("silence where nothing keeps to a weight", async () => {
    const rules = { silence: { bad: "silence", tolerated: 3, refused: 10 } };
    const values = merge(policy(rules), { rollout: { router: "none" }, ingress: { enabled: false } });
    expect((await problems(values)).join("\n")).toContain("nothing keeps to a weight");
  });

  test.each<[Values, string]>([
    [{ engine: "bayes" }, "engine"],
    [{ sequential: { polcy: {} } }, "polcy"],
    [{ sequential: { policy: { alpha: 0.5 } } }, "alpha"],
    [{ sequential: { policy: { rules: { errors: { bad: "ugly" } } } } }, "bad"],
    [{ sequential: { service: { url: "verdict" } } }, "url"],
  ])("by the schema: %j", async (analysis, words) => {
    expect(await refusal(canary({ analysis }))).toContain(words);
  });
});

describe("the chart of the service", () => {
  const chart = `${CHART}/../verdict`;
  const service = async (values: Values = {}) =>
    await render(merge({ image: { tag: "v1" } }, values), { chart, release: "verdict", namespace: "verdict" });

  test("sees Rollouts and their pods everywhere, and may change nothing", async () => {
    const all = await service();
    const { rules } = all.get("ClusterRole");
    expect(rules.flatMap(({ resources }: Manifest) => resources)).toEqual(["rollouts", "pods", "analysisruns"]);
    for (const { verbs } of rules) for (const verb of verbs) expect(["get", "list", "watch"]).toContain(verb);
    expect(all.get("ServiceAccount").metadata).toMatchObject({ name: "verdict", namespace: "verdict" });
  });

  test("of some namespaces alone it needs no right in the others", async () => {
    const all = await service({ namespaces: ["shop", "blog"], networkPolicy: { enabled: true } });
    expect(all.ids().filter((id) => /Role/.test(id))).toEqual([
      "Role/verdict",
      "Role/verdict",
      "RoleBinding/verdict",
      "RoleBinding/verdict",
    ]);
    expect(all.all("Role").map(({ metadata }) => metadata.namespace)).toEqual(["shop", "blog"]);
    const { args } = all.deployment.spec.template.spec.containers[0];
    expect(args).toEqual(expect.arrayContaining(["--namespace=shop", "--namespace=blog"]));
  });

  test("has one writer of records, and takes the certificate of a Secret", async () => {
    const all = await service({ tls: { secretName: "verdict-tls" } });
    expect(all.deployment.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    const [container] = all.deployment.spec.template.spec.containers;
    expect(container.args).toContain("--tls-cert=/etc/verdict/tls/tls.crt");
    expect(container.readinessProbe.httpGet.scheme).toBe("HTTPS");
    expect(all.deployment.spec.template.spec.volumes).toEqual([{ name: "tls", secret: { secretName: "verdict-tls" } }]);
  });

  test("is asked at the usual port of its protocol, or at the one that is set", async () => {
    const port = async (values: Values): Promise<unknown> => (await service(values)).get("Service").spec.ports[0].port;
    expect(await port({})).toBe(80);
    expect(await port({ tls: { secretName: "verdict-tls" } })).toBe(443);
    expect(await port({ tls: { secretName: "verdict-tls" }, service: { port: 8443 } })).toBe(8443);
  });

  test("is scraped over TLS by the authority that its Secret names", async () => {
    const metrics = { serviceMonitor: { enabled: true } };
    const tlsConfig = async (tls: Record<string, unknown>): Promise<unknown> =>
      (await service({ metrics, tls })).get("ServiceMonitor").spec.endpoints[0].tlsConfig;
    expect(await tlsConfig({})).toBeUndefined();
    expect(await tlsConfig({ secretName: "verdict-tls" })).toEqual({ serverName: "verdict.verdict.svc" });
    expect(await tlsConfig({ secretName: "verdict-tls", caKey: "ca.crt" })).toEqual({
      serverName: "verdict.verdict.svc",
      ca: { secret: { name: "verdict-tls", key: "ca.crt" } },
    });
  });

  test("alerts when it is blind, when it does not run, and when it cannot keep its records", async () => {
    const all = await service({ metrics: { prometheusRule: { enabled: true, blindSeconds: 30 } } });
    const rules: Manifest[] = all.get("PrometheusRule").spec.groups[0].rules;
    expect(rules.map(({ alert }) => alert)).toEqual(["VerdictBlind", "VerdictAbsent", "VerdictRecordsNotSaved"]);
    expect(rules[0]).toMatchObject({ expr: 'max(verdict_blind_attempts{namespace="verdict"}) > 0', for: "30s" });
  });

  test("renders what the Kubernetes API defines, field by field, with all that it can have", async () => {
    const metrics = { serviceMonitor: { enabled: true }, prometheusRule: { enabled: true } };
    const networkPolicy = { enabled: true, extraEgress: [{ ports: [{ port: 8443, protocol: "TCP" }] }] };
    for (const namespaces of [[], ["shop"]]) {
      const { text, objects } = await service({
        metrics,
        networkPolicy,
        namespaces,
        tls: { secretName: "verdict-tls" },
      });
      const report = await kubeconform(text);
      expect(report.resources.filter(({ status }) => status !== "statusValid")).toEqual([]);
      expect(report.resources).toHaveLength(objects.length);
    }
  });

  test("refuses an unknown key, and to run without a tag or digest", async () => {
    const o = { chart, release: "verdict", namespace: "verdict" };
    expect(await refusal({ image: { tag: "v1" }, replicas: 2 }, o)).toContain("replicas");
    expect(await refusal({}, o)).toContain("image: neither tag nor digest is set");
  });
});
