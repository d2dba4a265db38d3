import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { planFromValues, type RolloutValues } from "@safe-deploy/verdict";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CHART, IMAGES, type Manifest, render, type Rendered, type Values } from "./support/helm.ts";
import { merge } from "./support/values.ts";

// The simulator reads a rollout's course out of values by arithmetic of its own; here it meets what the chart renders.

const read = (file: string) => parse(readFileSync(join(CHART, file), "utf8")) as Values;
const defaults = read("values.yaml");

const files = ["values-rollout.yaml", ...readdirSync(join(CHART, "presets")).map((name) => `presets/${name}`)];
const canaries = files.filter((file) => !JSON.stringify(read(file)).includes('"strategy":"blueGreen"'));

const bake = { rollout: { bake: { seconds: 90, analysis: ["errorRatio", "successRatio"] } } };
const variants: [name: string, values: Values][] = [
  ["as it is", {}],
  ["with all waits scaled down", { rollout: { waitScale: 0.04 } }],
  ["with all waits scaled up", { rollout: { waitScale: 1.7 } }],
  ["with a pause where there is no data", { analysis: { onNoData: "pause", noDataSeconds: 90 } }],
  [
    "with limits and delays of its own",
    {
      analysis: {
        limits: { failure: 2, inconclusive: 7, consecutiveError: 3 },
        warmUpSeconds: 11,
        minRequests: 33,
        windowSeconds: 77,
        intervalSeconds: 4,
      },
    },
  ],
];
const cases = [
  ...canaries.flatMap((file) => variants.map(([name, more]) => ({ file, name, more }))),
  { file: "values-rollout.yaml", name: "with a bake", more: bake },
  {
    file: "values-rollout.yaml",
    name: "with passes in a row",
    more: { analysis: { metrics: { errorRatio: { passes: 3 } } } },
  },
];

/** Seconds of a duration as the chart writes it. */
const seconds = (duration: string | undefined) => Number.parseInt(duration ?? "0");

interface Course {
  name: string;
  [field: string]: unknown;
}

/** What a rendered metric says of its course, in the simulator's words. */
function renderedCourse(spec: Manifest): Course {
  const name = spec.name.replace(/-bake$/, "");
  if (spec.provider.job !== undefined || spec.provider.web !== undefined) return { name };
  const query: string = spec.provider.prometheus.query;
  const window = new Set(query.match(/(?<=offset )\d+(?=s)/g) ?? []);
  expect(window.size, query).toBeLessThan(2);
  return {
    name,
    intervalSeconds: seconds(spec.interval),
    initialDelaySeconds: seconds(spec.initialDelay),
    count: spec.count ?? 0,
    consecutiveSuccessLimit: spec.consecutiveSuccessLimit ?? 0,
    failureLimit: spec.failureLimit,
    inconclusiveLimit: spec.inconclusiveLimit,
    consecutiveErrorLimit: spec.consecutiveErrorLimit,
    guarded: spec.failureCondition.startsWith("len(result) > 0"),
    failure: spec.failureCondition.replace(/^len\(result\) > 0 && /, ""),
    success: spec.successCondition?.replace(/^len\(result\) > 0 && /, ""),
    ...(window.size === 0 ? {} : { windowSeconds: Number([...window][0]) }),
    ...askedOfRatio(query),
  };
}

/** What the query of a ratio of errors asks for; nothing for any other query. */
function askedOfRatio(query: string): Values {
  const number = (pattern: RegExp) => Number(pattern.exec(query)?.[1] ?? 0);
  if (!query.includes("vector(0)") || !query.includes("/ ")) return {};
  const minRequests = number(/>= (\d+)\)(?:\n| |$)/);
  return {
    forgive: number(/^- (\d+), 0\)/m),
    // One that only fails has no part for passing.
    ...(minRequests === 0 ? {} : { minRequests, doubt: number(/^\+ (\d+)\) \//m) }),
  };
}

type Planned = ReturnType<typeof planFromValues>["plan"]["background"]["metrics"][number];

/** The same of a planned metric, with the fields that the rendered one has. */
function plannedCourse(metric: Planned, like: Course): Course {
  const condition = (of: Planned["failure"]) => {
    if (of === undefined) return undefined;
    const text = `result[0] ${of.operator} ${of.limit}`;
    return of.negated === true ? `!(${text})` : text;
  };
  const all: Course = {
    ...metric,
    name: metric.name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    failure: condition(metric.failure),
    success: condition(metric.success),
  };
  return Object.fromEntries(Object.keys(like).map((key) => [key, all[key]])) as Course;
}

/** Of each step: its weight, its pause in seconds, or the courses of its metrics. */
function renderedSteps(rendered: Rendered): unknown[] {
  return rendered.rollout.spec.strategy.canary.steps.map((step: Manifest) => {
    if (step.setWeight !== undefined) return { setWeight: step.setWeight };
    if (step.pause !== undefined)
      return { pauseSeconds: step.pause.duration === undefined ? null : seconds(step.pause.duration) };
    return metricsOf(rendered, step.analysis);
  });
}

function metricsOf(rendered: Rendered, analysis: Manifest): Course[] {
  return (analysis?.templates ?? []).map(({ templateName }: Manifest) =>
    renderedCourse(rendered.get("AnalysisTemplate", templateName).spec.metrics[0]),
  );
}

describe.each(cases)("$file $name, judged by thresholds", ({ file, more }) => {
  test("is simulated with the steps, intervals, counts, windows, delays and limits that the chart renders", async () => {
    const own = merge(merge(read(file), more), { analysis: { engine: "thresholds" } });
    const values = merge(merge(defaults, IMAGES), own);
    const { plan, alwaysGood } = planFromValues(values as unknown as RolloutValues);
    const rendered = await render(merge(IMAGES, own));

    const steps = renderedSteps(rendered);
    expect(steps.length).toBeGreaterThan(4);
    expect(
      plan.steps.map((step, index) => {
        if (!("analysis" in step)) return step;
        const like = steps[index] as Course[];
        return step.analysis.map((metric, nth) => plannedCourse(metric, like[nth] ?? { name: "" }));
      }),
    ).toEqual(steps);

    const { analysis } = rendered.rollout.spec.strategy.canary;
    const kebab = alwaysGood.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
    // Those that are always good take no version back, so the simulator leaves them out.
    const background = metricsOf(rendered, analysis).filter(({ name }) => !kebab.includes(name));
    expect(plan.background.metrics.map((metric, index) => plannedCourse(metric, background[index]!))).toEqual(
      background,
    );
    if (analysis !== undefined) expect(plan.background.fromStep).toBe(analysis.startingStep);
    expect(plan.replicas).toBe(rendered.rollout.spec.replicas);
    expect(plan.router).toBe(rendered.rollout.spec.strategy.canary.trafficRouting !== undefined);
  });
});

test.each(canaries)("where %s names no engine, the one that the chart chooses is simulated", async (file) => {
  const own = merge(read(file), { analysis: { engine: null } });
  const { plan } = planFromValues(merge(merge(defaults, IMAGES), own) as unknown as RolloutValues);
  const { annotations = {} } = (await render(merge(IMAGES, own))).rollout.metadata;
  expect(plan.engine).toBe("safe-deploy.dev/verdict" in annotations ? "sequential" : "thresholds");
});

const ofRequests = canaries.filter((file) => read(file)["worker"] !== true);

describe.each(ofRequests)("%s, judged by the sequential engine", (file) => {
  const engines: [string, Values][] = [
    ["asked as a service", { form: "service" }],
    ["asked by Jobs", { form: "job", job: { image: { tag: "1" } } }],
    [
      "with rules and times of its own",
      {
        ...{ intervalSeconds: 3, scrapeSeconds: 2, gateSeconds: 90, horizonSeconds: 5000 },
        policy: {
          ...{ alpha: 0.01, beta: 0.1, phi: 2, budget: 60 },
          rules: {
            clientErrors: { bad: "matching", status: "4..", tolerated: 1.5, refused: 4, alphaShare: 2 },
            errors: { bad: "errors", p0: 0.001, p1: 0.01, tolerated: 2 },
            slow: { bad: "slower", seconds: 0.5, p0: 0.01, p1: 0.05, tolerated: 2 },
          },
        },
      },
    ],
  ];

  test.each(engines)("is simulated with the gates and the policy that the chart renders: %s", async (_, sequential) => {
    const own = { rollout: { bake: { seconds: 90 }, waitScale: 0.5 }, analysis: { engine: "sequential", sequential } };
    const values = merge(merge(merge(defaults, IMAGES), read(file)), own);
    const { plan } = planFromValues(values as unknown as RolloutValues);
    const rendered = await render(merge(merge(IMAGES, read(file)), own));

    const names = (metrics: { name: string }[]) =>
      metrics.map(({ name }) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
    const steps = renderedSteps(rendered).map((step) => (Array.isArray(step) ? names(step as Course[]) : step));
    expect(steps.filter((step) => Array.isArray(step) && step.includes("sequential")).length).toBeGreaterThan(1);
    expect(plan.steps.map((step) => ("analysis" in step ? names(step.analysis) : step))).toEqual(steps);

    const { analysis } = rendered.rollout.spec.strategy.canary;
    const asked = metricsOf(rendered, analysis).some(({ name }) => name === "sequential");
    expect(plan.background.fromStep).toBe(asked ? analysis.startingStep : Infinity);

    const settings = JSON.parse(rendered.rollout.metadata.annotations["safe-deploy.dev/verdict"]);
    const { policy, scrapeSeconds, gateSeconds, horizonSeconds, askSeconds } = { ...plan, ...plan.sequential };
    const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
    expect({ ...policy, rules: policy.rules.toSorted(byName) }).toEqual({
      ...settings.policy,
      rules: settings.policy.rules.toSorted(byName),
    });
    expect({ pollSeconds: scrapeSeconds, scrapeSeconds, gateSeconds, horizonSeconds }).toEqual(settings.plan);
    if (asked) {
      const gate = rendered.all("AnalysisTemplate").find(({ metadata }) => metadata.name.endsWith("-sequential"));
      expect(seconds(gate.spec.metrics[0].interval)).toBe(askSeconds);
    }
  });
});
