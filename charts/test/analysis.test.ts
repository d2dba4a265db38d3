import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CHART, type Manifest, render, type Values } from "./support/helm.ts";
import { merge, withImages } from "./support/values.ts";

interface Defaults {
  analysis: { minRequests: number; metrics: Record<string, { type?: string; [field: string]: unknown }> };
}

const { analysis: defaults } = parse(readFileSync(join(CHART, "values.yaml"), "utf8")) as Defaults;
const names = Object.keys(defaults.metrics);
const isJob = (name: string) => (defaults.metrics[name]!.type ?? name) === "smoke";
const measured = names.filter((name) => !isJob(name));
const requestMetrics = measured.filter((name) => !/restarts|memory|cpu|queueLag|logErrors/.test(name));

/** A canary with every metric of the library as a gate, and all that can be in the background. */
function library(analysis: Values = {}): Values {
  const steps = [{ setWeight: 10 }, { analysis: names }];
  return withImages({
    mode: "rollout",
    ingress: { enabled: true, hosts: [{ host: "a.example.com" }] },
    rollout: {
      router: "traefik",
      canary: { steps, background: measured },
      bake: { seconds: 60, analysis: measured },
    },
    analysis: { engine: "thresholds", ...analysis },
  });
}

type Use = "gate" | "background" | "bake";

async function metric(name: string, use: Use = "gate", analysis: Values = {}): Promise<Manifest> {
  const templates = (await render(library(analysis))).all("AnalysisTemplate");
  const kebab = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const suffix = use === "gate" ? "" : `-${use}`;
  const found = templates.find(({ metadata }) => metadata.name === `myapp-${kebab}${suffix}`);
  if (found === undefined) throw new Error(`no template for ${name} as ${use}`);
  expect(found.spec.metrics).toHaveLength(1);
  return found.spec.metrics[0];
}

const query = (found: Manifest): string => found.provider.prometheus.query;

describe.each(measured)("%s", (name) => {
  test("ends as a gate with its first good measurement, or after as many others as are tolerated", async () => {
    const found = await metric(name);
    expect(found).toMatchObject({ consecutiveSuccessLimit: 1, failureLimit: 0, inconclusiveLimit: 20 });
    // Argo Rollouts refuses a count below the sum of the limits; one that is reached first would pass for a success.
    expect(found.count).toBeGreaterThanOrEqual(found.failureLimit + found.consecutiveSuccessLimit);
    expect(found.count).toBeGreaterThan(found.inconclusiveLimit);
  });

  test("never ends in the background, and never passes there: it only fails", async () => {
    const found = await metric(name, "background");
    for (const field of ["count", "consecutiveSuccessLimit", "successCondition"]) {
      expect(found).not.toHaveProperty(field);
    }
    expect(found.failureCondition).toMatch(/^result\[0\] (>=|<) /);
  });

  test("takes all of its time as a bake", async () => {
    const found = await metric(name, "bake");
    expect(found.count).toBe(21);
    expect(found.count).toBeGreaterThan(found.inconclusiveLimit);
    expect(found).not.toHaveProperty("consecutiveSuccessLimit");
  });

  test("aborts without data: to look into an empty result is an error, tolerated for noDataSeconds", async () => {
    for (const use of ["gate", "background", "bake"] as const) {
      const found = await metric(name, use);
      expect(`${found.successCondition} ${found.failureCondition}`).not.toMatch(/len|isNaN|default|isNil/);
      // They are retried every 10 s.
      expect(found.consecutiveErrorLimit).toBe(6);
    }
  });

  test("pauses without data, if the values say so, after the same time", async () => {
    for (const use of ["gate", "background", "bake"] as const) {
      const found = await metric(name, use, { onNoData: "pause", noDataSeconds: 90, intervalSeconds: 2 });
      for (const condition of [found.successCondition, found.failureCondition]) {
        expect(condition).toMatch(/^len\(result\) > 0 && /);
      }
      expect(found.inconclusiveLimit).toBe(use === "bake" ? 30 : 45);
    }
  });

  test("is selected by what tells the version under test, never by the sum of both", async () => {
    const text = query(await metric(name));
    const selectors = text.match(/\{[^{}]*(\{\{[^{}]*\}\}[^{}]*)?\}/g)!.filter((selector) => selector.includes("="));
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) expect(selector).toMatch(/\{\{args\.(canary|stable)-hash\}\}|myapp-canary/);
  });
});

describe.each(requestMetrics)("%s", (name) => {
  test("needs a number of requests of the version under test to pass", async () => {
    expect(query(await metric(name))).toContain(`>= ${defaults.minRequests}`);
    const own = await metric(name, "gate", { metrics: { [name]: { minRequests: 7 } } });
    expect(query(own)).toContain(">= 7");
  });
});

test("the names of metrics and labels are values", async () => {
  const found = await metric("errorRatio", "gate", {
    names: {
      requests: "http_server_requests_seconds_count",
      statusLabel: "code",
      errorStatus: "5..|429",
      hashLabel: "version_hash",
      namespaceLabel: "ns",
    },
  });
  expect(query(found)).toContain(
    'http_server_requests_seconds_count{ns="shop",version_hash="{{args.canary-hash}}",code=~"5..|429"}',
  );
  const ingress = await metric("ingressSuccessRatio", "gate", { names: { ingressService: 'backend="shop-canary"' } });
  expect(query(ingress)).toContain('{backend="shop-canary",code!=""}');
});

// Of an unknown status none is an error; the success ratio, of which none is a success then, fails by itself.
test.each(["errorRatio", "noRecentErrors", "ingressSuccessRatio"])(
  "%s counts only requests whose status is known: a wrong label is no data, which never passes",
  async (name) => {
    const text = query(
      await metric(name, "gate", { names: { statusLabel: "outcome", ingressStatusLabel: "outcome" } }),
    );
    const selectors = text.match(/_total\{.*?"\}(?=[ )])/g) ?? [];
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) expect(selector).toMatch(/,outcome(!=""|=~".+")\}$/);
    expect(text).toContain('outcome!=""');
  },
);

test("a metric with an interval and a count takes all of its measurements, and its own limits", async () => {
  const own = { intervalSeconds: 30, count: 10, failureLimit: 3, inconclusiveLimit: 2, initialDelaySeconds: 15 };
  const found = await metric("successRatio", "gate", { metrics: { successRatio: own } });
  expect(found).toMatchObject({
    interval: "30s",
    count: 10,
    failureLimit: 3,
    inconclusiveLimit: 2,
    initialDelay: "15s",
    successCondition: "result[0] >= 0.99",
    failureCondition: "result[0] < 0.95",
  });
  expect(found).not.toHaveProperty("consecutiveSuccessLimit");
});

describe("the first look waits until there are requests to see", () => {
  const blueGreen = async (analysis: Values = {}, waitScale = 1) => {
    const gates = { prePromotion: ["errorRatio"], postPromotion: ["errorRatio"] };
    const values = { mode: "rollout", rollout: { strategy: "blueGreen", waitScale, blueGreen: gates }, analysis };
    return (await render(withImages(values))).get("AnalysisTemplate", "myapp-error-ratio").spec.metrics[0];
  };

  test("where they begin with the analysis: in the background, and in a blue-green", async () => {
    expect(await metric("errorRatio", "background")).toMatchObject({ initialDelay: "8s" });
    expect(await blueGreen({ warmUpSeconds: 12 })).toMatchObject({ initialDelay: "12s" });
    expect(await blueGreen({ warmUpSeconds: 0 })).not.toHaveProperty("initialDelay");
  });

  test("not at a canary's gate, whose version has had its weight for a while", async () => {
    expect(await metric("errorRatio")).not.toHaveProperty("initialDelay");
    expect(await metric("errorRatio", "bake")).not.toHaveProperty("initialDelay");
  });

  test("as long as that takes, whatever the factor for waits, or as long as the metric says", async () => {
    expect(await blueGreen({}, 0.1)).toMatchObject({ initialDelay: "8s" });
    const own = { metrics: { errorRatio: { initialDelaySeconds: 60 } } };
    expect(await blueGreen(own, 0.1)).toMatchObject({ initialDelay: "6s" });
    expect(await blueGreen({ metrics: { errorRatio: { initialDelaySeconds: 0 } } })).not.toHaveProperty("initialDelay");
  });
});

test("not all measurements of a count may be inconclusive, or none would have passed", async () => {
  const own = { metrics: { errorRatio: { count: 6, intervalSeconds: 30 } }, limits: { inconclusive: 50 } };
  expect((await metric("errorRatio", "gate", own)).inconclusiveLimit).toBe(5);
});

test("between good and bad it is neither", async () => {
  const found = await metric("latencyP99");
  expect(found).toMatchObject({ successCondition: "result[0] < 0.5", failureCondition: "result[0] >= 1" });
});

test("the limits and the way without data are values", async () => {
  const limits = { failure: 2, inconclusive: 4, consecutiveError: 1 };
  expect(await metric("cpu", "gate", { limits })).toMatchObject({
    failureLimit: 2,
    inconclusiveLimit: 4,
    consecutiveErrorLimit: 1,
  });
});

test("the templates ask for the hashes that they use and get them from the Rollout", async () => {
  const rendered = await render(library());
  for (const { metadata, spec } of rendered.all("AnalysisTemplate")) {
    const used = new Set(JSON.stringify(spec.metrics).match(/(?<=\{\{args\.)[a-z-]+/g));
    expect(new Set((spec.args ?? []).map(({ name }: Manifest) => name)), metadata.name).toEqual(used);
  }
  const { analysis } = rendered.rollout.spec.strategy.canary;
  expect(analysis.args).toEqual([
    { name: "canary-hash", valueFrom: { podTemplateHashValue: "Latest" } },
    { name: "stable-hash", valueFrom: { podTemplateHashValue: "Stable" } },
  ]);
  expect(analysis.startingStep).toBe(1);
});

test("a smoke test is a Job that runs the declared checks against the version under test", async () => {
  const { job } = (await metric("smoke")).provider;
  expect(job.spec.template.spec.containers[0].args.slice(0, 2)).toEqual(["verify", "--checks-only"]);
  expect(job.spec.template.metadata.labels["app.kubernetes.io/component"]).toBe("hook");
});

describe("the bounds of the error ratio keep what values.yaml promises:", () => {
  const { forgive, doubt, pass, fail } = defaults.metrics["errorRatio"] as unknown as Record<string, number>;
  const failsAt = (errors: number, requests: number) => (errors - forgive!) / requests >= fail!;
  const passesAt = (errors: number, requests: number) =>
    requests >= defaults.minRequests && (errors + doubt!) / requests < pass!;

  /** Exact: the chance that so many requests, each looked at, end it that way first. */
  function chance(of: "fail" | "pass", errorRatio: number, requests: number, stopsAtOther: boolean): number {
    let undecided = [1];
    let total = 0;
    for (let n = 1; n <= requests; n += 1) {
      const next = Array.from({ length: undecided.length + 1 }, () => 0);
      for (const [errors, probability] of undecided.entries()) {
        next[errors]! += probability * (1 - errorRatio);
        next[errors + 1]! += probability * errorRatio;
      }
      for (const [errors, probability] of next.entries()) {
        const [isEnd, isOther] =
          of === "fail" ? [failsAt(errors, n), passesAt(errors, n)] : [passesAt(errors, n), failsAt(errors, n)];
        if (isEnd) total += probability;
        if (isEnd || (stopsAtOther && isOther)) next[errors] = 0;
      }
      undecided = next;
    }
    return total;
  }

  test("at 1 % errors fewer than 2 of 1,000 rollouts are aborted by chance, at 0.5 % hardly any", () => {
    expect(chance("fail", 0.01, 3000, false)).toBeLessThan(0.002);
    expect(chance("fail", 0.005, 3000, false)).toBeLessThan(0.000_02);
  });

  test("at 5 % fewer than 5 of 100 pass a gate", () => {
    expect(chance("pass", 0.05, 3000, true)).toBeLessThan(0.05);
  });

  test("without errors a gate passes after 80 requests, and at 100 % the fifth error fails", () => {
    const first = (good: (n: number) => boolean) => Array.from({ length: 200 }, (_, n) => n + 1).find(good);
    expect(first((n) => passesAt(0, n))).toBe(81);
    expect(first((n) => failsAt(n, n))).toBe(5);
  });

  test("and the query has them", async () => {
    const text = query(await metric("errorRatio"));
    expect(text).toMatch(
      new RegExp(
        `- ${forgive}, 0\\)[\\s\\S]* >= ${fail}\\nor\\n[\\s\\S]*\\+ ${doubt}\\) /[\\s\\S]* < ${pass}\\nor\\nNaN \\* `,
      ),
    );
    expect(query(await metric("errorRatio", "background"))).toContain(`- ${forgive}, 0) / `);
  });
});

describe("the operator's objects", () => {
  const monitoring = merge(library(), {
    metrics: {
      serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
      prometheusRule: { enabled: true, stuckMinutes: 10 },
    },
  });

  test("scrape every pod once, whatever its version, with role and hash of the template", async () => {
    const rendered = await render(monitoring);
    const service = rendered.get("Service", "myapp-metrics");
    expect(service.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
    expect(service.spec.selector).not.toHaveProperty("role");
    const { spec, metadata } = rendered.get("ServiceMonitor");
    expect(metadata.labels["release"]).toBe("prometheus");
    const selected = rendered
      .all("Service")
      .filter((other) =>
        Object.entries(spec.selector.matchLabels).every(([key, value]) => other.metadata.labels[key] === value),
      );
    expect(selected.map(({ metadata }) => metadata.name)).toEqual(["myapp-metrics"]);
    const targets = spec.endpoints[0].relabelings.map(({ targetLabel }: Manifest) => targetLabel);
    expect(targets).toEqual(expect.arrayContaining(["role", "pod_template_hash"]));
  });

  test("alert on what the controller and the service export", async () => {
    const { rules } = (await render(monitoring)).get("PrometheusRule").spec.groups[0];
    expect(rules.map(({ alert }: Manifest) => alert)).toEqual([
      "RolloutFailed",
      "RolloutStuck",
      "RolloutStalled",
      "CanaryHighErrorRate",
      "CanaryHighLatency",
    ]);
    const byName = Object.fromEntries(rules.map((rule: Manifest) => [rule.alert, rule]));
    expect(byName["RolloutFailed"].expr).toContain('rollout_info{namespace="shop",name="myapp",phase=~"Abort|');
    expect(byName["RolloutStuck"].for).toBe("10m");
    expect(byName["CanaryHighErrorRate"].expr).toContain('role="canary",status=~"5.."');
  });
});
