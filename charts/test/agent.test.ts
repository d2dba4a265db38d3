import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { CHART, IMAGES, type Manifest, refusal, render, type Values } from "./support/helm.ts";
import { merge } from "./support/values.ts";

const preset = parse(readFileSync(join(CHART, "presets/e.yaml"), "utf8")) as Values;
const withAgent = (more: Values = {}) => render(merge(merge(IMAGES, preset), more));
const isAgents = ({ metadata }: Manifest) => metadata.labels?.["app.kubernetes.io/component"] === "agent";

test("there is no agent unless it is asked for", async () => {
  const rendered = await render(merge(IMAGES, merge(preset, { agent: { enabled: false } })));
  expect(rendered.objects.filter(isAgents)).toEqual([]);
});

test("the agent has its environment, its model and what it reads of the service from the values", async () => {
  const rendered = await withAgent({
    agent: {
      stepIntervalSeconds: 5,
      maxSteps: 20,
      sloLatencyMs: 150.5,
      modelPath: "/models/mine.json",
      ownAbort: "acts",
    },
    ports: { http: 8080, metrics: 9464 },
    metrics: { port: "metrics", path: "/actuator/prometheus" },
    analysis: { names: { requests: "http_server_requests_seconds_count", errorStatus: "SERVER_ERROR" } },
  });
  expect(rendered.get("ConfigMap", "myapp-agent").data).toEqual({
    ROLLOUT: "myapp",
    MODE: "advise",
    OWN_ABORT: "acts",
    STEP_INTERVAL: "5",
    MAX_STEPS: "20",
    SLO_LATENCY: "150.5",
    MODEL_PATH: "/models/mine.json",
    METRICS_PORT: "9464",
    METRICS_PATH: "/actuator/prometheus",
    REQUESTS_METRIC: "http_server_requests_seconds_count",
    DURATION_BUCKET_METRIC: "http_request_duration_seconds_bucket",
    STATUS_LABEL: "status",
    ERROR_STATUS: "SERVER_ERROR",
  });
});

test("a change of its environment restarts the agent, and never the service", async () => {
  const [before, after] = await Promise.all([withAgent(), withAgent({ agent: { maxSteps: 50 } })]);
  const annotations = (rendered: typeof before) =>
    rendered.get("Deployment", "myapp-agent").spec.template.metadata.annotations;
  expect(annotations(before)).not.toEqual(annotations(after));
  expect(before.rollout.spec.template).toEqual(after.rollout.spec.template);
});

test("an adviser may change nothing of the Rollout, who steers its status alone; neither may touch the router", async () => {
  const rules = async (mode: string): Promise<Manifest[]> =>
    (await withAgent({ agent: { mode } })).get("Role", "myapp-agent").rules;
  const [advise, steer] = await Promise.all([rules("advise"), rules("steer")]);
  expect(steer.filter((rule) => !advise.some((own) => JSON.stringify(own) === JSON.stringify(rule)))).toEqual([
    { apiGroups: ["argoproj.io"], resources: ["rollouts/status"], resourceNames: ["myapp"], verbs: ["patch"] },
  ]);
  for (const { apiGroups, resources, resourceNames, verbs } of steer) {
    expect(apiGroups).not.toContain("traefik.io");
    expect(resources).not.toContain("*");
    expect(verbs).not.toContain("*");
    // What is not one named object is only listed or made.
    if (resourceNames === undefined) expect(["create", "list"]).toContain(verbs.join());
  }
});

test("no Service, budget or policy of the service takes the agent's pod for one of its own", async () => {
  const rendered = await withAgent({ pdb: { enabled: true }, networkPolicy: { enabled: true } });
  const labels = rendered.get("Deployment", "myapp-agent").spec.template.metadata.labels as Record<string, string>;
  const selectors = [
    rendered.get("Service", "myapp").spec.selector,
    rendered.get("PodDisruptionBudget", "myapp").spec.selector.matchLabels,
    rendered.get("NetworkPolicy", "myapp").spec.podSelector.matchLabels,
    rendered.rollout.spec.selector.matchLabels,
  ] as Record<string, string>[];
  for (const selector of selectors) {
    expect(Object.entries(selector).every(([key, value]) => labels[key] === value)).toBe(false);
  }
});

test("what cannot be steered is refused with what to change", async () => {
  const of = (more: Values) => refusal(merge(merge(IMAGES, preset), more));
  expect(await of({ agent: { image: { tag: "" } } })).toContain("set agent.image.tag or agent.image.digest");
  expect(await of({ rollout: { strategy: "blueGreen" } })).toContain(
    "agent.enabled: there is nothing that it could watch without weights",
  );
  expect(await of({ agent: { mode: "steer" }, rollout: { router: "none" } })).toContain('rollout.router is "none"');
  const { steps } = (preset as { rollout: { canary: { steps: Values[] } } }).rollout.canary;
  const without30 = steps.filter((_, index) => index !== 4 && index !== 5);
  expect(await of({ agent: { mode: "steer" }, rollout: { canary: { steps: without30 } } })).toContain(
    "missing are 30; take them from presets/e.yaml",
  );
  const timed = steps.map((step) => (step["pause"] === undefined ? step : { pause: { seconds: 60 } }));
  expect(await of({ agent: { mode: "steer" }, rollout: { canary: { steps: timed } } })).toContain("missing are 10, 20");
  expect(await of({ agent: { mode: "drive" } })).toContain("/agent/mode");
});
