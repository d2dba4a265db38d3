import { describe, expect, test } from "vitest";
import { type Manifest, render, type Values } from "./support/helm.ts";
import { merge, withImages } from "./support/values.ts";

const header = { name: "x-canary", value: "true" };
const canary = (router: string, values: Values = {}) =>
  withImages(
    merge(
      {
        mode: "rollout",
        ingress: {
          enabled: true,
          hosts: [
            { host: "a.example.com", paths: [{ path: "/api" }, { path: "/exact", pathType: "Exact" }] },
            { host: "b.example.com" },
          ],
        },
        rollout: { router, canary: { steps: [{ setWeight: 10 }], headerRoute: header } },
      },
      values,
    ),
  );

const hooks = (object: Manifest): string | undefined => object.metadata.annotations?.["helm.sh/hook"];

describe("Traefik", () => {
  test("splits by the TraefikService whose weights the Rollout sets", async () => {
    const rendered = await render(canary("traefik"));
    expect(rendered.rollout.spec.strategy.canary.trafficRouting).toEqual({
      traefik: { weightedTraefikServiceName: "myapp" },
    });
    const created = rendered.all("TraefikService").find((object) => hooks(object) === "pre-install,pre-upgrade");
    expect(created.spec.weighted.services).toEqual([
      { name: "myapp-stable", port: 80, weight: 100 },
      { name: "myapp-canary", port: 80, weight: 0 },
    ]);
  });

  test("leads the header to the canary by a longer rule, which therefore wins", async () => {
    const { routes } = (await render(canary("traefik"))).get("IngressRoute").spec;
    const a = "Host(`a.example.com`) && (PathPrefix(`/api`) || Path(`/exact`))";
    const weighted = [{ kind: "TraefikService", name: "myapp" }];
    const tested = [{ name: "myapp-canary", port: 80 }];
    expect(routes).toEqual([
      { kind: "Rule", match: `${a} && Header(\`x-canary\`, \`true\`)`, services: tested },
      { kind: "Rule", match: a, services: weighted },
      { kind: "Rule", match: "Host(`b.example.com`) && Header(`x-canary`, `true`)", services: tested },
      { kind: "Rule", match: "Host(`b.example.com`)", services: weighted },
    ]);
  });

  test("leads to the Service in mode deployment, and to the active one in blue-green", async () => {
    const deployment = await render(canary("traefik", { mode: "deployment" }));
    const colours = await render(canary("traefik", { rollout: { strategy: "blueGreen" } }));
    const names = (routes: Manifest[]) => routes.map(({ services }) => services[0].name);
    expect(names(deployment.get("IngressRoute").spec.routes)).toEqual(["myapp", "myapp"]);
    const four = ["myapp-preview", "myapp-active", "myapp-preview", "myapp-active"];
    expect(names(colours.get("IngressRoute").spec.routes)).toEqual(four);
    for (const rendered of [deployment, colours]) expect(rendered.all("TraefikService")).toEqual([]);
  });
});

describe("a first release that is held", () => {
  test.each([
    ["traefik", {}],
    ["nginx", {}],
    ["istio", {}],
    ["gatewayAPI", { rollout: { gatewayAPI: { parentRefs: [{ name: "public" }] } } }],
    ["alb", {}],
  ])(
    "has no route with router %s, and its Rollout steers none; the pods are those of a promoted one",
    async (router, values) => {
      const open = await render(canary(router, values));
      const held = await render(canary(router, merge(values, { ingress: { held: true } })));
      for (const kind of ["Ingress", "IngressRoute", "TraefikService", "VirtualService", "HTTPRoute"])
        expect(held.all(kind), kind).toEqual([]);
      expect(held.rollout.spec.strategy.canary).not.toHaveProperty("trafficRouting");
      expect(held.rollout.spec.strategy.canary.steps).toEqual(open.rollout.spec.strategy.canary.steps);
      expect(held.rollout.spec.template).toEqual(open.rollout.spec.template);
    },
  );

  test("has none in mode deployment", async () => {
    const held = await render(
      canary("none", { mode: "deployment", ingress: { held: true }, rollout: { canary: { headerRoute: null } } }),
    );
    expect(held.all("Ingress")).toEqual([]);
  });
});

test("nginx has an Ingress to the stable Service, and the header's value", async () => {
  const rendered = await render(canary("nginx"));
  expect(rendered.get("Ingress").spec.rules[0].http.paths[0].backend.service.name).toBe("myapp-stable");
  expect(rendered.rollout.spec.strategy.canary.trafficRouting.nginx).toEqual({
    stableIngress: "myapp",
    additionalIngressAnnotations: { "canary-by-header": "x-canary", "canary-by-header-value": "true" },
  });
});

test("Istio has a VirtualService with a named route to weigh, after that of the header", async () => {
  const rendered = await render(canary("istio", { rollout: { istio: { gateways: ["public"] } } }));
  expect(rendered.rollout.spec.strategy.canary.trafficRouting.istio.virtualService).toEqual({
    name: "myapp",
    routes: ["primary"],
  });
  const { spec } = rendered.all("VirtualService")[0];
  expect(spec.gateways).toEqual(["public"]);
  expect(spec.http.map(({ name }: Manifest) => name)).toEqual(["header", "primary"]);
  expect(spec.http[0].match[0].headers).toEqual({ "x-canary": { exact: "true" } });
  expect(spec.http[1].route.map(({ weight }: Manifest) => weight)).toEqual([100, 0]);
});

test("the Gateway API has an HTTPRoute, weighed by its plugin", async () => {
  const parentRefs = [{ name: "public", namespace: "gateways" }];
  const rendered = await render(canary("gatewayAPI", { rollout: { gatewayAPI: { parentRefs } } }));
  expect(rendered.rollout.spec.strategy.canary.trafficRouting.plugins).toEqual({
    "argoproj-labs/gatewayAPI": { httpRoute: "myapp", namespace: "shop" },
  });
  const { spec } = rendered.all("HTTPRoute")[0];
  expect(spec.parentRefs).toEqual(parentRefs);
  expect(spec.hostnames).toEqual(["a.example.com", "b.example.com"]);
  expect(spec.rules[1].backendRefs).toEqual([
    { name: "myapp-stable", port: 80, weight: 100 },
    { name: "myapp-canary", port: 80, weight: 0 },
  ]);
});

test("ALB has an Ingress that takes its weights from the annotation that the Rollout writes", async () => {
  const rendered = await render(canary("alb"));
  const { metadata, spec } = rendered.get("Ingress");
  expect(rendered.rollout.spec.strategy.canary.trafficRouting.alb).toEqual({ ingress: "myapp", servicePort: 80 });
  const backends = spec.rules[1].http.paths.map(({ backend }: Manifest) => backend.service);
  expect(backends).toEqual([
    { name: "myapp-canary", port: { name: "http" } },
    { name: "myapp-stable", port: { name: "use-annotation" } },
  ]);
  expect(metadata.annotations["alb.ingress.kubernetes.io/conditions.myapp-canary"]).toBe(
    '[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"x-canary","values":["true"]}}]',
  );
});

describe.each([
  ["traefik", "TraefikService", {}],
  ["istio", "VirtualService", {}],
  ["gatewayAPI", "HTTPRoute", { rollout: { gatewayAPI: { parentRefs: [{ name: "public" }] } } }],
])("the weights of %s", (router, kind, values) => {
  test("are in an object that Helm creates once, and removes with the release", async () => {
    const objects = (await render(canary(router, values))).all(kind);
    expect(objects.map(hooks)).toEqual(expect.arrayContaining(["post-delete", "pre-install,pre-upgrade"]));
    expect(objects).toHaveLength(2);
    const removal = objects.find((object) => hooks(object) === "post-delete");
    expect(removal.metadata.annotations["helm.sh/hook-delete-policy"]).toBe("before-hook-creation,hook-succeeded");
    // Part of a rollback it would be a hook that can fail and leave the release pending.
    expect(objects.some((object) => hooks(object)?.includes("rollback"))).toBe(false);
  });

  test("are left out of an ordinary object where a controller applies it again and again", async () => {
    const rendered = await render(canary(router, merge(values, { rollout: { weightedRoutes: "always" } })));
    const object = rendered.get(kind);
    expect(hooks(object)).toBeUndefined();
    expect(JSON.stringify(object.spec)).not.toContain('weight":');
  });
});
