import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { kubeconform } from "./support/kubeconform.ts";
import {
  CHART,
  HELM_VERSIONS,
  IMAGES,
  type Manifest,
  problems,
  Rendered,
  renderText,
  sorted,
  type Values,
} from "./support/helm.ts";
import { merge } from "./support/values.ts";

const read = (file: string) => parse(readFileSync(join(CHART, file), "utf8")) as Values;
const preset = async (file: string, more: Values = {}) =>
  new Rendered(await renderText(merge(merge(IMAGES, read(file)), more)));

const files = ["values-rollout.yaml", ...readdirSync(join(CHART, "presets")).map((name) => `presets/${name}`)];

/** A strategy in few words: weights, pauses in seconds, and what is analysed. */
function outline(rollout: Manifest): string[] {
  const names = (templates: Manifest[] = []) => templates.map(({ templateName }) => templateName.replace("myapp-", ""));
  return rollout.spec.strategy.canary.steps.map((step: Manifest) =>
    step.setWeight !== undefined
      ? `${step.setWeight} %`
      : step.pause !== undefined
        ? `pause ${step.pause.duration ?? "for ever"}`
        : names(step.analysis.templates).join(" "),
  );
}

describe.each(files)("%s", (file) => {
  test("renders a Rollout and no Deployment, the same with Helm 3 and 4, of the kinds that the cluster defines", async () => {
    const values = merge(IMAGES, read(file));
    const [three, four] = await Promise.all([renderText(values, { helm: 3 }), renderText(values)]);
    const rendered = new Rendered(four);
    // The agent's own is another component.
    const ofService = ({ metadata }: Manifest) => metadata.labels["app.kubernetes.io/component"] === "server";
    expect(rendered.all("Deployment").filter(ofService)).toEqual([]);
    expect(rendered.all("Rollout")).toHaveLength(1);
    expect(sorted(new Rendered(three).objects)).toEqual(sorted(rendered.objects));
    const report = await kubeconform(four);
    expect(report.resources.filter(({ status }) => status !== "statusValid")).toEqual([]);
  });

  test("refers to no template that is not there, and renders none that nothing refers to", async () => {
    const rendered = await preset(file);
    const { canary, blueGreen } = rendered.rollout.spec.strategy;
    const analyses: Manifest[] = [
      canary?.analysis,
      ...(canary?.steps ?? []).map((step: Manifest) => step.analysis),
      blueGreen?.prePromotionAnalysis,
      blueGreen?.postPromotionAnalysis,
    ];
    const used: string[] = analyses
      .flatMap((analysis) => analysis?.templates ?? [])
      .map(({ templateName }) => templateName);
    const there: string[] = rendered.all("AnalysisTemplate").map(({ metadata }) => metadata.name);
    expect([...new Set(used)].sort()).toEqual(there.sort());
  });

  test("ends with the verification", async () => {
    const { canary, blueGreen } = (await preset(file)).rollout.spec.strategy;
    const { templates } = canary?.steps.at(-1).analysis ?? blueGreen.postPromotionAnalysis;
    const last = templates.at(-1);
    expect(last.templateName).toBe("myapp-verified");
  });
});

describe("the presets keep their steps:", () => {
  test("a", async () => {
    expect(outline((await preset("presets/a.yaml")).rollout)).toEqual([
      "10 %",
      "pause 120s",
      "error-ratio",
      "50 %",
      "pause 300s",
      "error-ratio",
      "100 %",
      "verified",
    ]);
  });

  test("b-canary", async () => {
    const rollout = (await preset("presets/b-canary.yaml")).rollout;
    const weights = outline(rollout).filter((step) => /%|pause/.test(step));
    expect(weights.join(", ")).toBe("5 %, pause 120s, 20 %, pause 120s, 50 %, pause 300s, 80 %, pause 300s, 100 %");
    expect(rollout.spec.strategy.canary.analysis.startingStep).toBe(1);
    expect(rollout.spec.strategy.canary.analysis.templates).toHaveLength(4);
  });

  test("b-blue-green", async () => {
    const { blueGreen } = (await preset("presets/b-blue-green.yaml")).rollout.spec.strategy;
    expect(blueGreen).toMatchObject({
      autoPromotionEnabled: true,
      autoPromotionSeconds: 300,
      previewReplicaCount: 5,
      scaleDownDelaySeconds: 600,
    });
  });

  test("c", async () => {
    expect(outline((await preset("presets/c.yaml")).rollout)).toEqual([
      ...["5 %", "pause 120s", "smoke"],
      ...["10 %", "pause 300s", "error-ratio success-ratio"],
      ...["25 %", "pause 600s", "latency-p50 latency-p99 latency-versus-stable"],
      ...["50 %", "pause 900s", "low-error-ratio latency-p99 restarts memory cpu"],
      ...["75 %", "pause 600s", "pre-promotion no-recent-errors"],
      ...["100 %", "verified"],
    ]);
  });

  test("d-blue-green", async () => {
    const rendered = await preset("presets/d-blue-green.yaml");
    const { blueGreen } = rendered.rollout.spec.strategy;
    expect(blueGreen.autoPromotionEnabled).toBe(false);
    // Argo Rollouts ignores it then; the time limit is ctl's.
    expect(blueGreen.autoPromotionSeconds).toBeUndefined();
    for (const name of ["error-ratio", "latency-p95"]) {
      const [metric] = rendered.get("AnalysisTemplate", `myapp-${name}`).spec.metrics;
      expect(metric).toMatchObject({ interval: "60s", count: 2, failureLimit: 1 });
    }
  });

  test("d-worker", async () => {
    const rendered = await preset("presets/d-worker.yaml");
    const gate = "job-failure-ratio job-duration queue-lag restarts";
    expect(outline(rendered.rollout)).toEqual([
      ...["25 %", "pause 60s", gate],
      ...["50 %", "pause 60s", gate],
      ...["100 %", "verified"],
    ]);
    expect(rendered.get("Service", "myapp").spec.selector).not.toHaveProperty("role");
    // While a pod waits to be stopped, it goes on taking jobs.
    expect(rendered.rollout.spec.template.spec.containers[0]).not.toHaveProperty("lifecycle");
  });

  test("d-worker asks for the jobs of the version under test, with names that the worker exports", async () => {
    const rendered = await preset("presets/d-worker.yaml");
    const exported = readFileSync(join(CHART, "../../packages/app/src/worker-metrics.ts"), "utf8");
    for (const [name, counter, series] of [
      ["job-failure-ratio", "worker_jobs_total", "worker_jobs_total"],
      ["job-duration", "worker_job_duration_seconds", "worker_job_duration_seconds_bucket"],
      ["queue-lag", "worker_queue_lag_seconds", "worker_queue_lag_seconds"],
    ] as const) {
      expect(exported).toContain(`"${counter}"`);
      const { query } = rendered.get("AnalysisTemplate", `myapp-${name}`).spec.metrics[0].provider.prometheus;
      expect(query).toContain(`${series}{namespace="shop",pod_template_hash="{{args.canary-hash}}"`);
    }
    expect(
      rendered.get("AnalysisTemplate", "myapp-job-failure-ratio").spec.metrics[0].provider.prometheus.query,
    ).toContain('pod_template_hash="{{args.canary-hash}}",result=~"failed"}');
    const facts = JSON.parse(rendered.get("ConfigMap", "myapp-verify").data["release.json"]);
    expect(facts.prometheus.names).toMatchObject({ requests: "worker_jobs_total", errorStatus: "failed" });
  });

  test.each(HELM_VERSIONS)("d-worker is refused as blue-green, by the path of the value (Helm %i)", async (helm) => {
    const values = merge(merge(IMAGES, read("presets/d-worker.yaml")), { rollout: { strategy: "blueGreen" } });
    expect(await problems(values, { helm })).toEqual([
      "rollout.strategy: is blueGreen, but worker is true, and a preview would take real jobs; set it to canary",
    ]);
  });
});

test("one value scales every wait of a preset", async () => {
  const scaled = await preset("presets/c.yaml", { rollout: { waitScale: 0.01 } });
  const pauses = outline(scaled.rollout).filter((step) => step.startsWith("pause"));
  expect(pauses).toEqual(["pause 2s", "pause 3s", "pause 6s", "pause 9s", "pause 6s"]);
  const [metric] = scaled.get("AnalysisTemplate", "myapp-error-ratio").spec.metrics;
  expect(metric.interval).toBe("1s");
  expect(metric.provider.prometheus.query).toContain("offset 10s");
});
