import type { AnalysisMetric, AnalysisTemplate } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import { plannedSeconds, plannedSecondsOf } from "../../src/domain/rollout-duration.ts";
import { deployment } from "../fixtures/cluster.ts";
import { blueGreen, canary } from "../fixtures/rollout.ts";

const template = (name: string, ...metrics: Partial<AnalysisMetric>[]): AnalysisTemplate => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AnalysisTemplate",
  metadata: { name },
  spec: { metrics: metrics.map((metric) => ({ name: "m", provider: { prometheus: {} }, ...metric })) },
});
const gate = template(
  "myapp-error-ratio",
  { interval: "10s", count: 4, initialDelay: "1m" },
  { interval: "5s", count: 3 },
);
const job = template("myapp-verified", { provider: { job: {} } });
const refers = (...names: string[]) => ({ templates: names.map((templateName) => ({ templateName })) });

describe("an update waits by itself", () => {
  test("for its timed pauses and its longest metrics, not for a person", () => {
    // 120 s of pause, then 60 s and three times 10 s.
    expect(plannedSeconds(canary(), [gate, job])).toBe(210);
  });

  test("for nothing when it has no steps", () => {
    expect(plannedSeconds(canary({}, { steps: [] }), [gate])).toBe(0);
  });

  test("for a Job's pod", () => {
    expect(plannedSeconds(canary({}, { steps: [{ analysis: refers("myapp-verified") }] }), [gate, job])).toBe(30);
  });

  test("for both analyses of blue-green, and its own time to promotion", () => {
    const strategy = {
      autoPromotionSeconds: 20,
      prePromotionAnalysis: refers("myapp-verified"),
      postPromotionAnalysis: refers("myapp-error-ratio", "myapp-verified"),
    };
    expect(plannedSeconds(blueGreen({}, strategy), [gate, job])).toBe(30 + 20 + 90);
    expect(plannedSeconds(blueGreen({}, { ...strategy, autoPromotionEnabled: false }), [gate, job])).toBe(120);
  });
});

test("what a chart renders for a Deployment waits for nothing", () => {
  expect(plannedSecondsOf([deployment({})])).toBe(0);
  expect(plannedSecondsOf([canary(), gate])).toBe(210);
});
