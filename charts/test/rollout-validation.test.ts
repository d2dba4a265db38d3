import { describe, expect, test } from "vitest";
import { HELM_VERSIONS, problems, refusal, render, type Values } from "./support/helm.ts";
import { merge, withImages } from "./support/values.ts";

const ingress = { enabled: true, hosts: [{ host: "a.example.com" }] };
const rollout = (values: Values) => withImages(merge({ mode: "rollout" }, values));
const steps = (...list: unknown[]): Values => ({ rollout: { canary: { steps: list } } });
const routed = (router: string, values: Values = {}): Values =>
  merge({ ingress, rollout: { router, canary: { steps: [{ setWeight: 10 }] } } }, values);
const metrics = (name: string, metric: Values): Values =>
  merge(steps({ setWeight: 33 }, { analysis: [name] }), { analysis: { metrics: { [name]: metric } } });

/** Wrong values, and the beginning of the one problem that each gives. */
const wrong: [string, Values, RegExp][] = [
  [
    "a weight finer than the pods allow",
    steps({ setWeight: 10 }),
    /^rollout\.canary\.steps\[0\]\.setWeight: is 10, but .*3 of them \(replicaCount\) can carry 33, 67 only/,
  ],
  [
    "a weight for a single pod",
    merge(steps({ setWeight: 50 }), { replicaCount: 1 }),
    /^rollout\.canary\.steps\[0\]\.setWeight: .*can carry none only/,
  ],
  [
    "a weight that falls",
    routed("traefik", steps({ setWeight: 50 }, { setWeight: 20 })),
    /^rollout\.canary\.steps\[1\]\.setWeight: is 20 after 50; weights must rise$/,
  ],
  ["steps without a weight", steps({ pause: {} }), /^rollout\.canary\.steps: has no setWeight/],
  [
    "a background that begins after the last step",
    { rollout: { canary: { backgroundFromStep: 7 } } },
    /^rollout\.canary\.backgroundFromStep: is 7, but there are 6 steps/,
  ],
  [
    "a header without a router",
    { rollout: { canary: { headerRoute: { name: "x", value: "y" } } } },
    /^rollout\.canary\.headerRoute: needs a router/,
  ],
  [
    "a shrinking stable without a router",
    { rollout: { canary: { dynamicStableScale: true } } },
    /^rollout\.canary\.dynamicStableScale: needs a router/,
  ],
  ["a bake without a router", { rollout: { bake: { seconds: 60 } } }, /^rollout\.bake\.seconds: .*set rollout\.router/],
  [
    "a bake that watches nothing",
    routed("traefik", { rollout: { bake: { seconds: 60, analysis: [] } } }),
    /^rollout\.bake\.analysis: is empty/,
  ],
  [
    "pods that could never be replaced",
    { rollout: { canary: { maxSurge: 0, maxUnavailable: "0%" } } },
    /^rollout\.canary: maxSurge and maxUnavailable are both 0/,
  ],
  [
    "a router with nothing to route",
    routed("istio", { ingress: { enabled: false } }),
    /^rollout\.router: is istio, but it has nothing to route; set ingress\.enabled=true/,
  ],
  ["a route that no gateway takes", routed("gatewayAPI"), /^rollout\.gatewayAPI\.parentRefs: is empty/],
  [
    "two certificates for an IngressRoute",
    routed("traefik", { ingress: { tls: [{ secretName: "a" }, { secretName: "b" }] } }),
    /^ingress\.tls: an IngressRoute takes one/,
  ],
  [
    "weights for blue-green",
    routed("nginx", { rollout: { strategy: "blueGreen" } }),
    /^rollout\.router: is nginx, but blue-green switches a Service/,
  ],
  [
    "a preview of a worker",
    { worker: true, rollout: { strategy: "blueGreen" } },
    /^rollout\.strategy: is blueGreen, but worker is true, and a preview would take real jobs/,
  ],
  [
    "a metric that does not exist",
    steps({ setWeight: 33 }, { analysis: ["errorRate"] }),
    /^rollout\.canary\.steps\[1\]\.analysis: names "errorRate", which is not in analysis\.metrics; it has cpu, errorRatio/,
  ],
  [
    "a metric that was removed",
    { rollout: { canary: { background: ["restarts"] } }, analysis: { metrics: { restarts: null } } },
    /^rollout\.canary\.background: names "restarts", which is not in/,
  ],
  [
    "a Job in the background",
    { rollout: { canary: { background: ["smoke"] } } },
    /^rollout\.canary\.background: "smoke" is a Job, which runs once/,
  ],
  [
    "a smoke test without its image",
    merge(steps({ setWeight: 33 }, { analysis: ["smoke"] }), {
      verify: { enabled: false },
      analysis: { engine: "thresholds" },
    }),
    /^analysis\.metrics\.smoke: .*verify\.enabled=true/,
  ],
  ["a metric of no type", metrics("mine", { pass: 1 }), /^analysis\.metrics\.mine\.type: is not set, and "mine" is no/],
  ["a metric without a limit", metrics("mine", { type: "queueLag" }), /^analysis\.metrics\.mine\.pass: is not set/],
  [
    "limits that overlap",
    metrics("mine", { type: "cpu", pass: 0.8, fail: 0.5 }),
    /^analysis\.metrics\.mine\.fail: is 0\.5, below pass, which is 0\.8/,
  ],
  [
    "limits of a success ratio that overlap",
    metrics("successRatio", { pass: 0.9, fail: 0.95 }),
    /^analysis\.metrics\.successRatio\.fail: is 0\.95, above pass, which is 0\.9/,
  ],
  [
    "a latency of no quantile",
    metrics("mine", { type: "latency", pass: 1 }),
    /^analysis\.metrics\.mine\.quantile: is not set/,
  ],
  [
    "forgiving what is no ratio",
    metrics("mine", { type: "restarts", pass: 1, forgive: 1 }),
    /^analysis\.metrics\.mine\.forgive: is for ratios only/,
  ],
  [
    "two ways to end",
    metrics("mine", { type: "cpu", pass: 1, count: 3, passes: 2 }),
    /^analysis\.metrics\.mine: count takes all measurements, passes ends/,
  ],
  [
    "a count that could never fail",
    metrics("mine", { type: "cpu", pass: 1, count: 3, failureLimit: 3 }),
    /^analysis\.metrics\.mine\.count: is 3, and 3 of them may be bad/,
  ],
  [
    "an amount of CPU that Argo Rollouts would write in another way",
    { resources: { limits: { cpu: "2000m" } } },
    /^resources\.limits\.cpu: is 2000m, which Kubernetes writes as 2/,
  ],
];

describe("a rollout is refused with the value to change:", () => {
  test.each(wrong)("%s", async (_, values, expected) => {
    expect(await problems(rollout(values))).toEqual([expect.stringMatching(expected)]);
  });
});

test("a blue-green's metric that does not exist is refused as well", async () => {
  const values = rollout({ rollout: { strategy: "blueGreen", blueGreen: { postPromotion: ["nothing"] } } });
  expect(await problems(values)).toEqual([
    expect.stringMatching(/^rollout\.blueGreen\.postPromotion: names "nothing"/),
  ]);
});

test("requests are not routed to a worker", async () => {
  expect(await problems(rollout(routed("traefik", { worker: true })))).toEqual([
    expect.stringMatching(/^ingress\.enabled: is true, but worker is true/),
    expect.stringMatching(/^rollout\.router: is traefik, but worker is true/),
  ]);
  expect(await problems(withImages({ worker: true, ingress }))).toEqual([expect.stringMatching(/^ingress\.enabled/)]);
});

test("values of a rollout are not looked at in mode deployment, so that they can be prepared", async () => {
  for (const [, values] of wrong.filter(([, values]) => !("worker" in values) && !("ingress" in values))) {
    expect((await render(withImages(merge(values, { ingress })))).all("Deployment")).toHaveLength(1);
  }
});

test.each(HELM_VERSIONS)("several problems of a rollout are reported at once (Helm %i)", async (helm) => {
  const values = rollout(merge(steps({ setWeight: 10 }, { analysis: ["a", "b"] }), { worker: true, ingress }));
  expect((await problems(values, { helm })).map((line) => line.split(":")[0])).toEqual([
    "ingress.enabled",
    "rollout.canary.steps[0].setWeight",
    "rollout.canary.steps[1].analysis",
    "rollout.canary.steps[1].analysis",
  ]);
});

test.each<[string, Values, string]>([
  ["a step of two kinds", steps({ setWeight: 10, pause: {} }), "/rollout/canary/steps/0"],
  ["a step of no kind", steps({ setHeaderRoute: {} }), "/rollout/canary/steps/0"],
  ["a weight above 100", steps({ setWeight: 101 }), "/rollout/canary/steps/0/setWeight"],
  ["a pause of no time", steps({ pause: { seconds: 0 } }), "/rollout/canary/steps/0/pause"],
  ["an unknown strategy", { rollout: { strategy: "recreate" } }, "/rollout/strategy"],
  ["an unknown type of metric", { analysis: { metrics: { a: { type: "b" } } } }, "/analysis/metrics/a"],
  ["a query in a name", { analysis: { names: { requests: "sum(a)" } } }, "/analysis/names/requests"],
  ["a matcher that would close the selector", { analysis: { names: { logErrors: 'a="b"}' } } }, "/analysis/names"],
  ["an address that is none", { analysis: { prometheus: { address: "prometheus:9090" } } }, "/analysis/prometheus"],
  ["a name of a metric that no object could have", { analysis: { metrics: { "a b": {} } } }, "'a b' not allowed"],
])("the schema refuses %s", async (_, values, path) => {
  expect(await refusal(rollout(values))).toContain(path);
});
