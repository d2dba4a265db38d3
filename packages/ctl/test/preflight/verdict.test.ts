import type { KubeObject } from "@safe-deploy/kube";
import { defaultPolicy } from "@safe-deploy/verdict";
import { settingsAnnotation } from "@safe-deploy/verdict-service";
import { expect, test } from "vitest";
import { type Seen, verdictFinding } from "../../src/preflight/verdict.ts";

interface Stated {
  budget?: number;
  beta?: number;
  weights?: number[];
  /** Between two questions of the controller. */
  interval?: string;
}

/** What the chart renders where gates ask the sequential engine. */
function rendered({ budget, beta = 0.05, weights = [10, 50, 100], interval = "2s" }: Stated = {}): KubeObject[] {
  const settings = {
    schemaVersion: 1,
    policy: { ...defaultPolicy, beta, ...(budget === undefined ? {} : { budget }) },
    plan: { pollSeconds: 1, scrapeSeconds: 1, horizonSeconds: 7200, gateSeconds: 300 },
    metrics: { port: 8080, path: "/metrics" },
    names: {
      ...{ requests: "http_requests_total", statusLabel: "status", errorStatus: "5..", routeLabel: "route" },
      durationBucket: "http_request_duration_seconds_bucket",
    },
    events: {},
  };
  const gate = { analysis: { templates: [{ templateName: "myapp-sequential" }] } };
  return [
    {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      metadata: { name: "myapp", annotations: { [settingsAnnotation]: JSON.stringify(settings) } },
      spec: { strategy: { canary: { steps: weights.flatMap((setWeight) => [{ setWeight }, gate]) } } },
    },
    {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "AnalysisTemplate",
      metadata: { name: "myapp-sequential" },
      spec: { metrics: [{ name: "sequential", interval, provider: {} }] },
    },
  ];
}

/** An attempt of two minutes that was looked at each second. */
function seen(requestsPerSecond: number): () => Promise<Seen> {
  const requests = requestsPerSecond * 120;
  const totals = { canary: { requests: requests * 0.1, bad: 0 }, stable: { requests: requests * 0.9, bad: 0 } };
  const attempt = { state: { startedAt: 0, lastNow: 120_000, totals }, path: { looks: 120 } };
  return async () => await Promise.resolve(attempt);
}

test("a budget is told before the deploy, with the weight up to which it is kept", async () => {
  const finding = await verdictFinding(rendered({ budget: 100 }), seen(100));
  expect(finding).toMatchObject({ check: "verdict", status: "ok", isTold: true });
  expect(finding?.what).toMatch(
    /^at most 100 bad requests with 99 % for faults of 2 % or more, while the weight is at most (\d+) and a verdict takes effect within 4\.3 s \(at 100 requests\/s and a look every 1 s, as in the attempt before\); nothing is promised at 50 and 100$/,
  );
});

test("a budget that the first weight cannot keep is refused, with what would be feasible", async () => {
  const finding = await verdictFinding(rendered({ budget: 60, interval: "30s" }), seen(1000));
  expect(finding).toMatchObject({ check: "verdict", status: "refused" });
  expect(finding?.what).toMatch(/60 bad requests cannot be kept .* at weight 10 it takes \d+.* Feasible: /);
  expect(finding?.next).toContain("analysis.sequential.policy.budget");
});

test("without an attempt before, or without requests in it, it is no pass", async () => {
  for (const before of [async () => await Promise.resolve(undefined), seen(0)]) {
    expect(await verdictFinding(rendered({ budget: 60 }), before)).toMatchObject({
      status: "unknown",
      next: expect.stringContaining("ctl simulate -f values.yaml --budget 60"),
    });
  }
});

test("settings that the engine would refuse are refused before anything changes, all at once", async () => {
  const finding = await verdictFinding(rendered({ beta: 2 }), seen(100));
  expect(finding).toMatchObject({ status: "refused", next: "correct analysis.sequential in the values" });
  expect(finding?.what).toContain("beta");
});

test("nothing is said where no budget is stated, or something else decides", async () => {
  expect(await verdictFinding(rendered(), seen(100))).toBeUndefined();
  const watchedOnly = rendered({ budget: 60 }).map((object) =>
    object.kind === "Rollout" ? { ...object, spec: { strategy: { canary: { steps: [{ setWeight: 10 }] } } } } : object,
  );
  expect(await verdictFinding(watchedOnly, seen(100))).toBeUndefined();
  expect(await verdictFinding([], seen(100))).toBeUndefined();
});
