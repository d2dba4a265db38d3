import { type EndpointSlice, KubeError, type KubeObject } from "@safe-deploy/kube";
import { expect, test } from "vitest";
import { verdictServiceFinding } from "../../src/preflight/verdict-service.ts";

/** What the chart renders where the sequential engine is asked. */
function rendered(url: string, o: { dryRun?: boolean } = {}): KubeObject[] {
  return [
    {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "AnalysisTemplate",
      metadata: { name: "myapp-sequential" },
      spec: {
        metrics: [
          { name: "sequential", provider: { web: { url: `${url}/v1/verdict/shop/myapp?weight={{args.weight}}` } } },
        ],
        ...(o.dryRun === true ? { dryRun: [{ metricName: "^sequential$" }] } : {}),
      },
    },
  ];
}

/** A cluster in which one Service has endpoints, or `null`, as the API server says that it has none. */
function cluster(ready: boolean[] | null | KubeError) {
  const asked: unknown[] = [];
  const slice: EndpointSlice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "verdict-x" },
    addressType: "IPv4",
    endpoints:
      ready === null || ready instanceof KubeError
        ? null
        : ready.map((each) => ({ addresses: ["10.0.0.1"], conditions: { ready: each } })),
  };
  const list = async (_: unknown, scope: unknown) => {
    asked.push(scope);
    if (ready instanceof KubeError) throw ready;
    return await Promise.resolve({ items: [slice], resourceVersion: "1" });
  };
  return { asked, list: list as never };
}

test("a service that has a pod that is ready is told, and looked for in its own namespace", async () => {
  const kube = cluster([false, true]);
  expect(await verdictServiceFinding(kube, rendered("http://verdict.judges.svc"))).toMatchObject({ status: "ok" });
  expect(kube.asked).toEqual([{ namespace: "judges", labelSelector: "kubernetes.io/service-name=verdict" }]);
});

test.each(["http://verdict.judges.svc", "https://verdict.judges.svc.cluster.local:8443"])(
  "nobody ready behind %s is refused, with the command that installs it",
  async (url) => {
    for (const ready of [null, [], [false]]) {
      const finding = await verdictServiceFinding(cluster(ready), rendered(url));
      expect(finding).toMatchObject({
        status: "refused",
        what: `nobody answers at ${url}: Service verdict in namespace judges has no pod that is ready, so no gate would pass`,
      });
      expect(finding?.next).toContain(
        "helm upgrade --install verdict charts/verdict -n judges --create-namespace --set image.tag=TAG",
      );
    }
  },
);

test("beside thresholds, which decide, it is only not known", async () => {
  const finding = await verdictServiceFinding(cluster([]), rendered("http://verdict.judges.svc", { dryRun: true }));
  expect(finding).toMatchObject({ status: "unknown", next: expect.not.stringContaining("thresholds") });
});

test("an account that may not look into that namespace is told so, which is no pass", async () => {
  const forbidden = new KubeError("endpointslices is forbidden", { status: 403, reason: "Forbidden" });
  expect(await verdictServiceFinding(cluster(forbidden), rendered("http://verdict.judges.svc"))).toMatchObject({
    status: "unknown",
    what: "whether Service verdict in namespace judges runs: endpointslices is forbidden",
  });
});

test("what is outside of the cluster, and a release that asks for no verdict, are not looked for", async () => {
  const kube = cluster([]);
  expect(await verdictServiceFinding(kube, rendered("https://verdict.example.com"))).toBeUndefined();
  expect(await verdictServiceFinding(kube, [])).toBeUndefined();
  expect(kube.asked).toEqual([]);
});
