import { describe, expect, test } from "vitest";
import {
  HELM_VERSIONS,
  problems,
  refusal,
  render,
  type Rendered,
  type RenderOptions,
  type Values,
} from "./support/helm.ts";
import { withImages } from "./support/values.ts";

/** All that is rendered at once: migrations, policies and autoscaling as well. */
const everything = withImages({
  migrations: { enabled: true },
  secrets: { DB_DSN: "postgres://db" },
  networkPolicy: { enabled: true },
  autoscaling: { enabled: true },
  ingress: { enabled: true, hosts: [{ host: "a.example.com" }] },
});

/** Longest name that Helm takes for a release. */
const LONGEST = 53;

describe.each<[string, RenderOptions, Values]>([
  ["a short release", { release: "r" }, {}],
  ["the longest release", { release: "a".repeat(LONGEST) }, {}],
  ["the longest release that holds the chart's name", { release: `myapp-${"b".repeat(LONGEST - 6)}` }, {}],
  ["a cut that would end in a dash", { release: `${"c".repeat(36)}-${"d".repeat(LONGEST - 37)}` }, {}],
  ["a release with dots", { release: "team.shop" }, {}],
  ["the longest fullnameOverride", {}, { fullnameOverride: "e".repeat(46) }],
])("%s", (_, options, values) => {
  test("gives names that Kubernetes takes, none of them twice", async () => {
    const rendered = await render({ ...everything, ...values }, options);
    const ids = rendered.ids();
    expect(new Set(ids).size).toBe(ids.length);
    for (const { kind, metadata } of rendered.objects) {
      expect(metadata.name, kind).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
      expect(metadata.name.length, kind).toBeLessThanOrEqual(kind === "ConfigMap" || kind === "Secret" ? 253 : 63);
    }
  });

  test("leaves room for the names of pods", async () => {
    const rendered = await render({ ...everything, ...values }, options);
    // A pod is called <job>-<5> or <deployment>-<hash of up to 10>-<5>; its name is its host name, at most 63.
    for (const job of rendered.all("Job")) expect(job.metadata.name.length + 1 + 5).toBeLessThanOrEqual(63);
    expect(rendered.deployment.metadata.name.length + 1 + 10 + 1 + 5).toBeLessThanOrEqual(63);
  });

  test("gives labels that Kubernetes takes", async () => {
    const rendered = await render({ ...everything, ...values }, options);
    for (const [key, value] of allLabels(rendered)) {
      expect(value, key).toMatch(/^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/);
      expect(value.length, key).toBeLessThanOrEqual(63);
    }
  });
});

test("two long releases that differ in their last letter share no name", async () => {
  const base = "a".repeat(LONGEST - 1);
  const [one, two] = await Promise.all([
    render(everything, { release: `${base}1` }),
    render(everything, { release: `${base}2` }),
  ]);
  expect(one.ids().filter((id) => two.ids().includes(id))).toEqual([]);
});

test("the workload is called like the release when that holds the chart's name, else both", async () => {
  const names = await Promise.all(
    ["myapp", "myapp-staging", "shop"].map(
      async (release) => (await render(undefined, { release })).deployment.metadata.name,
    ),
  );
  expect(names).toEqual(["myapp", "myapp-staging", "shop-myapp"]);
});

test("fullnameOverride is the workload's name, and what the Service and the hooks are called after", async () => {
  const rendered = await render(withImages({ fullnameOverride: "checkout" }));
  expect(rendered.deployment.metadata.name).toBe("checkout");
  expect(rendered.get("Service").metadata.name).toBe("checkout");
  expect(rendered.all("Job").map((job): string => job.metadata.name)).toHaveLength(2);
  for (const name of ["checkout-smoke", "checkout-verify"]) rendered.get("Job", name);
});

test("a name that no Service can have is refused with the value to set", async () => {
  expect(await problems(everything, { release: "1st" })).toEqual([
    expect.stringMatching(/^fullnameOverride: the name "1st-myapp" cannot be that of a Service/),
  ]);
});

test("a fullnameOverride that would have to be cut is refused", async () => {
  expect(await refusal(withImages({ fullnameOverride: "e".repeat(47) }))).toMatch(
    /\/fullnameOverride': maxLength: got 47, want 46/,
  );
});

test.each(HELM_VERSIONS)("a digest alone gives a valid version label (Helm %i)", async (helm) => {
  const { deployment } = await render(withImages({ image: { tag: "", digest: `sha256:${"0".repeat(64)}` } }), { helm });
  expect(deployment.metadata.labels["app.kubernetes.io/version"]).toMatch(/^sha256_0{50,56}$/);
});

function allLabels(rendered: Rendered): [string, string][] {
  return rendered.objects.flatMap(({ metadata, spec }) => [
    ...Object.entries<string>(metadata.labels),
    ...Object.entries<string>(spec?.template?.metadata?.labels ?? {}),
  ]);
}
