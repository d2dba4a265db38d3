import { describe, expect, test } from "vitest";
import { HELM_VERSIONS, problems, refusal, render, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

const check = { name: "root", request: { path: "/" } };

/** Wrong values, and the beginning of the one problem that each gives. */
const wrong: [string, Values, RegExp][] = [
  ["a route that is held and not there", { ingress: { held: true } }, /^ingress\.held: .*no route to hold/],
  [
    "a route that is held beside one that is not",
    { ingress: { enabled: true, held: true, hosts: [{ host: "a.example.com" }] }, service: { type: "LoadBalancer" } },
    /^ingress\.held: .*LoadBalancer, a route of its own/,
  ],
  [
    "no tag and no digest",
    { image: { tag: "" } },
    /^image: neither tag nor digest is set.*set image\.tag or image\.digest$/,
  ],
  ["no image for the hooks", { hooks: { image: { tag: "" } } }, /^hooks\.image: .*verify\.enabled=false$/],
  ["a label that selectors rely on", { podLabels: { role: "canary" } }, /^podLabels: "role" is set by the chart/],
  [
    "a hook's label that would put it behind the Service",
    { hooks: { podLabels: { role: "stable" } } },
    /^hooks\.podLabels: "role"/,
  ],
  [
    "a hook's label that the chart sets",
    { hooks: { podLabels: { "safe-deploy.dev/hook": "a" } } },
    /^hooks\.podLabels: "safe-deploy\.dev\/hook"/,
  ],
  [
    "an object's label that the chart sets",
    { commonLabels: { "helm.sh/chart": "a" } },
    /^commonLabels: "helm\.sh\/chart"/,
  ],
  [
    "an annotation that the chart sets",
    { podAnnotations: { "prometheus.io/port": "1" } },
    /^podAnnotations: "prometheus\.io\/port".*metrics\.annotations=false$/,
  ],
  ["a key both in config and flags", { config: { A: "1" }, flags: { A: "1" } }, /^flags\.A: is set in config as well/],
  ["a number too large for YAML", { secrets: { ID: 1e17 } }, /^secrets\.ID: .*in quotes$/],
  [
    "a grace period that preStop uses up",
    { terminationGracePeriodSeconds: 10 },
    /^terminationGracePeriodSeconds: is 10 and contains preStop\.sleepSeconds, which is 10/,
  ],
  ["one number under two port names", { ports: { admin: 8080 } }, /^ports\.http: 8080 has another name already/],
  [
    "a probe with two handlers",
    { probes: { startup: { tcpSocket: { port: 1 } } } },
    /^probes\.startup: needs exactly one .*has httpGet and tcpSocket/,
  ],
  ["a probe with none", { probes: { liveness: { httpGet: null } } }, /^probes\.liveness: needs exactly one .*has none/],
  [
    "a probe of an unknown port",
    { probes: { readiness: { httpGet: { port: "web" } } } },
    /^probes\.readiness\.httpGet\.port: "web" is no name in ports \(http\)$/,
  ],
  [
    "a liveness probe that must succeed twice",
    { probes: { liveness: { successThreshold: 2 } } },
    /^probes\.liveness\.successThreshold: must be 1$/,
  ],
  [
    "metrics on an unknown port",
    { metrics: { port: "metrics" } },
    /^metrics\.port: "metrics" is no name in ports \(http\)$/,
  ],
  [
    "a volume called as the chart's own",
    { extraVolumes: [{ name: "tmp", emptyDir: {} }] },
    /^extraVolumes: "tmp" is there already, for \/tmp/,
  ],
  [
    "a mount without volume",
    { extraVolumeMounts: [{ name: "data", mountPath: "/data" }] },
    /^extraVolumeMounts: "data" is no volume/,
  ],
  [
    "two mounts at one place",
    {
      extraVolumes: [{ name: "a", emptyDir: {} }],
      extraVolumeMounts: [
        { name: "a", mountPath: "/a" },
        { name: "a", mountPath: "/a" },
      ],
    },
    /^extraVolumeMounts: \/a is mounted twice$/,
  ],
  [
    "a sidecar called as the service",
    { sidecars: [{ name: "app", image: "a" }] },
    /^sidecars: the pod has a container "app" already/,
  ],
  [
    "nothing to verify",
    { replicaCount: 0, pdb: { enabled: false } },
    /^replicaCount: is 0, so there is nothing to verify/,
  ],
  [
    "fewer pods at most than at least",
    { autoscaling: { enabled: true, maxReplicas: 2 } },
    /^autoscaling\.maxReplicas: is 2, less than autoscaling\.minReplicas, which is 3$/,
  ],
  [
    "nothing to scale by",
    { autoscaling: { enabled: true, targetCPUUtilizationPercentage: null } },
    /^autoscaling: has nothing to scale by/,
  ],
  [
    "a percentage of no request",
    { autoscaling: { enabled: true }, resources: null },
    /^autoscaling: aims at a percentage of the requested cpu, but none is requested; set resources\.requests\.cpu$/,
  ],
  [
    "two bounds of disruption",
    { pdb: { minAvailable: 1, maxUnavailable: 1 } },
    /^pdb: minAvailable and maxUnavailable are both set/,
  ],
  [
    "a budget that keeps every pod",
    { pdb: { minAvailable: 3 } },
    /^pdb\.minAvailable: is 3 and replicaCount is 3, so no node could ever be drained/,
  ],
  [
    "a budget that keeps every pod of the fewest",
    { pdb: { minAvailable: 3 }, autoscaling: { enabled: true } },
    /^pdb\.minAvailable: is 3 and autoscaling\.minReplicas is 3/,
  ],
  [
    "a percentage that is rounded up to every pod",
    { pdb: { minAvailable: "67%" } },
    /^pdb\.minAvailable: is 67% and replicaCount is 3/,
  ],
  [
    "a strategy that can replace nothing",
    { strategy: { rollingUpdate: { maxSurge: "0%", maxUnavailable: 0 } } },
    /^strategy\.rollingUpdate: maxSurge and maxUnavailable are both 0/,
  ],
  [
    "a progress deadline within minReadySeconds",
    { progressDeadlineSeconds: 30, minReadySeconds: 30 },
    /^progressDeadlineSeconds: is 30, and must be greater than minReadySeconds, which is 30$/,
  ],
  ["an Ingress without hosts", { ingress: { enabled: true } }, /^ingress\.hosts: is empty/],
  [
    "an Ingress of every host",
    { ingress: { enabled: true, hosts: [{ host: "a.example.com" }, { host: "" }] } },
    /^ingress\.hosts\[1\]\.host: is empty/,
  ],
  [
    "a node port on a ClusterIP",
    { service: { nodePort: 30000 } },
    /^service\.nodePort: is set, but service\.type is ClusterIP/,
  ],
  ["no checks", { checks: [] }, /^checks: is empty, and a release that nothing was checked of is not verified/],
  ["two checks of one name", { checks: [check, check] }, /^checks\[1\]\.name: another check is called "root" already$/],
  [
    "a check that waits for nobody",
    { checks: [{ ...check, dependsOn: ["login"] }] },
    /^checks\[0\]\.dependsOn: names "login", but no check is called so$/,
  ],
  [
    "a check that waits for itself",
    { checks: [{ ...check, dependsOn: ["root"] }] },
    /^checks\[0\]\.dependsOn: "root" waits, directly or through others, for a circle/,
  ],
  [
    "more passes than requests",
    { checks: [{ ...check, repeat: { times: 3, atLeast: 4 } }] },
    /^checks\[0\]\.repeat\.atLeast: is 4, more than the 3 of repeat\.times$/,
  ],
  [
    "a body with GET",
    { checks: [{ ...check, request: { path: "/", body: { text: "a" } } }] },
    /^checks\[0\]\.request\.body: is not possible with GET/,
  ],
  [
    "a deadline within that of the checks",
    { verify: { deadlineSeconds: 60 } },
    /^verify\.deadlineSeconds: is 60 and contains verify\.checksDeadlineSeconds, which is 60/,
  ],
  [
    "a startup longer than the deadline",
    { probes: { startup: { failureThreshold: 300 } } },
    /^verify\.deadlineSeconds: is 300, but probes\.startup lets a pod take 300 seconds/,
  ],
  [
    "pods that are available after the deadline",
    { minReadySeconds: 300, progressDeadlineSeconds: 600 },
    /^verify\.deadlineSeconds: is 300, but no pod is available before minReadySeconds/,
  ],
  [
    "migrations without a database",
    { migrations: { enabled: true } },
    /^migrations\.enabled: .*set secrets\.DB_DSN, or existingSecret$/,
  ],
  [
    "a version beside own arguments",
    { existingSecret: "db", migrations: { enabled: true, version: "1", args: ["up"] } },
    /^migrations\.version: is not used/,
  ],
];

describe("a combination that cannot work is refused, with the value to change:", () => {
  test.each(wrong)("%s", async (_, values, expected) => {
    expect(await problems(withImages(values))).toEqual([expect.stringMatching(expected)]);
  });
});

describe("what is close to wrong, and right, is accepted:", () => {
  test.each<[string, Values]>([
    ["no image for the hooks when nothing is verified", { hooks: { image: { tag: "" } }, verify: { enabled: false } }],
    ["no replicas when nothing is verified", { replicaCount: 0, verify: { enabled: false } }],
    ["one replica with the default budget", { replicaCount: 1 }],
    ["a percentage that leaves one pod", { pdb: { minAvailable: "66%" } }],
    ["a budget that is off", { pdb: { enabled: false, minAvailable: 9 } }],
    ["no surge", { strategy: { rollingUpdate: { maxSurge: 0 } } }],
    [
      "checks that wait for each other in a line",
      {
        checks: [
          { ...check, dependsOn: ["b"] },
          { ...check, name: "b", dependsOn: ["c"] },
          { ...check, name: "c" },
        ],
      },
    ],
    [
      "migrations with the database in extraEnv",
      { migrations: { enabled: true }, extraEnv: [{ name: "DB_DSN", value: "a" }] },
    ],
    ["migrations with another tool", { migrations: { enabled: true, command: ["flyway"], args: ["migrate"] } }],
    [
      "autoscaling that has no use for replicaCount",
      { replicaCount: 1, autoscaling: { enabled: true }, pdb: { minAvailable: 2 } },
    ],
    [
      "an annotation for own scraping",
      { metrics: { annotations: false }, podAnnotations: { "prometheus.io/port": "1" } },
    ],
    ["a probe by port number", { probes: { readiness: { httpGet: { port: 9999 } } } }],
  ])("%s", async (_, values) => {
    expect((await render(withImages(values))).all("Deployment")).toHaveLength(1);
  });
});

test("a circle of checks is found through others", async () => {
  const circle = ["a", "b", "c"].map((name, i, all) => ({ ...check, name, dependsOn: [all[(i + 1) % 3]] }));
  const found = await problems(withImages({ checks: [...circle, { ...check, name: "apart" }] }));
  expect(found.map((line) => line.split(":")[0])).toEqual([0, 1, 2].map((i) => `checks[${i}].dependsOn`));
});

test.each(HELM_VERSIONS)("all problems are reported at once, and counted (Helm %i)", async (helm) => {
  const values: Values = {
    terminationGracePeriodSeconds: 3,
    pdb: { minAvailable: 3 },
    ingress: { enabled: true },
    checks: [],
    migrations: { enabled: true },
  };
  const paths = [
    "image",
    "hooks.image",
    "terminationGracePeriodSeconds",
    "pdb.minAvailable",
    "ingress.hosts",
    "checks",
    "migrations.enabled",
  ];
  expect((await problems(values, { helm })).map((line) => line.split(":")[0])).toEqual(paths);
  expect(await refusal(values, { helm })).toContain(`The values cannot be used (${paths.length} problems):`);
});
