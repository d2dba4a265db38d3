import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hashLabel, type KubeObject, resources } from "@safe-deploy/kube";
import type { Load } from "@safe-deploy/load";
import { load as parseYaml } from "js-yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { release } from "../src/app-release.ts";
import { askPrometheus } from "../src/prometheus.ts";
import { recordRow } from "../src/results.ts";
import { rolloutArguments, routing, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { chart, World } from "../src/world.ts";

// Every question of the chart's analysis library, asked about a canary that is healthy and under traffic: that of a
// metric that nobody exports would abort every release, or, worse, nobody would miss its answer.

const namespace = "e2e-library";
const { analysis } = parseYaml(readFileSync(path.join(chart, "values.yaml"), "utf8")) as {
  analysis: { metrics: Record<string, { type?: string }> };
};
const library = Object.keys(analysis.metrics);
const isJob = (name: string) => (analysis.metrics[name]?.type ?? name) === "smoke";

/** What a service has no answer to, and the test that asks what has one. */
const elsewhere: Record<string, string> = { queueLag: "worker.test.ts" };

const isShare = (value: number) => value >= 0 && value <= 1;
const isDuration = (value: number) => value > 0;

/** What a healthy canary answers. */
const healthy: Record<string, (value: number) => boolean> = {
  errorRatio: (value) => value < 0.025,
  successRatio: (value) => value === 1,
  latencyP50: isDuration,
  latencyP95: isDuration,
  latencyP99: isDuration,
  latencyVersusStable: isDuration,
  restarts: (value) => value === 0,
  memory: isShare,
  cpu: (value) => value >= 0,
  logErrors: (value) => value === 0,
  ingressSuccessRatio: (value) => value === 1,
  noRecentErrors: (value) => value === 0,
};
const asked = Object.keys(healthy);
const gate = library.filter((name) => !(name in elsewhere));

/** How fast this machine is, and how loaded, is not the question. */
const anySpeed = Object.entries({
  latencyP50: 100,
  latencyP95: 100,
  latencyP99: 100,
  latencyVersusStable: 1000,
  cpu: 100,
}).flatMap(([name, limit]) => [
  ...["--set", `analysis.metrics.${name}.pass=${limit}`],
  ...["--set", `analysis.metrics.${name}.fail=${limit}`],
]);

interface Template extends KubeObject {
  spec: { metrics: { name: string; provider: { prometheus?: { query: string } } }[] };
}

let world: World;
let load: Load;
let queries: Map<string, string>;
let canary: string;

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

async function deploy(version: string): Promise<Ran> {
  return await world.ctl(
    rolloutArguments(namespace, version, [
      ...values("rollout-waits"),
      ...["--set", `rollout.canary.steps[2].analysis={${gate.join(",")}}`],
      ...["--set", "analysis.minRequests=20", ...anySpeed],
    ]),
  );
}

/** The queries of the templates in the cluster, by metric, with the arguments that the Rollout would give them. */
async function queriesOf(hashes: { canary: string; stable: string }): Promise<Map<string, string>> {
  const kind = { apiVersion: "argoproj.io/v1alpha1", kind: "AnalysisTemplate" };
  const { items } = await world.kube.list<Template>(kind, { namespace });
  return new Map(
    items
      .flatMap(({ spec }) => spec.metrics)
      .flatMap(({ name, provider }) =>
        provider.prometheus === undefined
          ? []
          : [
              [
                name,
                provider.prometheus.query
                  .replaceAll("{{args.canary-hash}}", hashes.canary)
                  .replaceAll("{{args.stable-hash}}", hashes.stable),
              ],
            ],
      ),
  );
}

/** The labels that tell whose series they are; what the others are equal to may be what a healthy version never has. */
const identity = new Set(["namespace", "pod_template_hash", "pod", "service"]);

/** Every selector of a query, asking for the same series of the same version whatever its other labels say. */
function selectorsOf(query: string): string[] {
  const selectors = [...query.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].map(([, name, inside = ""]) => {
    const matchers = [...inside.matchAll(/(\w+)(?:=~|!~|!=|=)"(?:[^"\\]|\\.)*"/g)].map(([matcher, label = ""]) =>
      identity.has(label) ? matcher : `${label}!=""`,
    );
    return `${name}{${matchers.join(",")}}`;
  });
  return [...new Set(selectors)];
}

const isExported = async (selector: string) => (await askPrometheus(world, `count(${selector})`)).length === 1;

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  const first = await deploy("v1");
  expect(first.code, words(first)).toBe(0);
  load = await world.routerLoad(`${namespace}.local`, {
    scenario: "failure",
    rate: 30,
    duration: "10m",
    paths: ["/version", "/api/v1/version"],
  });
  await delay(2_000);
  const waits = await deploy("v2");
  expect(waits.code, words(waits)).toBe(7);
  const rollout = await world.kube.get(resources.Rollout, release, { namespace });
  canary = rollout?.status?.currentPodHash ?? "";
  queries = await queriesOf({ canary, stable: rollout?.status?.stableRS ?? "" });
});

afterAll(async () => {
  await load?.stop();
  await world?.removeNamespace(namespace);
});

test("every metric of the library has its place here", () => {
  expect([...asked, ...Object.keys(elsewhere), ...library.filter(isJob)].toSorted()).toEqual(library.toSorted());
  expect([...queries.keys()].toSorted()).toEqual(asked.map(kebab).toSorted());
});

describe.each(asked)("%s", (name) => {
  test("is a number that a healthy canary has, as soon as there are enough requests", async () => {
    let last: number[] = [];
    const answer = async () => {
      last = await askPrometheus(world, queries.get(kebab(name)) ?? "");
      return last.length === 1 && healthy[name]?.(last[0] ?? Number.NaN) === true;
    };
    await expect.poll(answer, { timeout: 120_000, interval: 1_000, message: `${queries.get(kebab(name))}` }).toBe(true);
    recordRow("What every question of the analysis library is answered for a healthy canary", {
      metric: name,
      answer: Number(last[0]?.toPrecision(3)),
    });
  });

  test("asks for metrics and labels that the canary has", async () => {
    const selectors = selectorsOf(queries.get(kebab(name)) ?? "");
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) expect(await isExported(selector), selector).toBe(true);
  });
});

test("a metric or a label that nobody exports is noticed", async () => {
  const [known = ""] = selectorsOf(queries.get("error-ratio") ?? "");
  expect(await isExported(known.replace("http_requests_total", "requests_of_nobody_total"))).toBe(false);
  expect(await isExported(known.replace("}", ',label_of_nobody!=""}'))).toBe(false);
});

test("Argo Rollouts gets the same answers, runs the Jobs, and promotes", async () => {
  const promoted = await world.ctl(["promote", "-n", namespace, "-o", "json", "--timeout", "180s"]);
  expect(promoted.code, words(promoted)).toBe(0);
  expect(await routing(world, namespace)).toMatchObject({ stable: canary, isStable: true });
  const { items } = await world.kube.list(resources.AnalysisRun, {
    namespace,
    labelSelector: `${hashLabel}=${canary}`,
  });
  const results = items.flatMap(({ status }) => status?.metricResults ?? []);
  expect(results.map(({ name }) => name).toSorted()).toEqual([...gate.map(kebab), "verified"].toSorted());
  expect(results.filter(({ phase }) => phase !== "Successful")).toEqual([]);
  for (const { name, measurements } of results.filter(({ name }) => queries.has(name))) {
    expect(measurements?.at(-1)?.value, name).toMatch(/^\[[\d.e+-]+\]$/);
  }
});
