import { describe, expect, test } from "vitest";
import type { PrometheusFacts } from "../../src/domain/facts.ts";
import { proxyPath, readTraffic, type SeriesByTemplate } from "../../src/observe/prometheus-series.ts";

const facts: PrometheusFacts = {
  address: "http://prometheus.monitoring.svc:9090",
  names: {
    hashLabel: "pod_template_hash",
    namespaceLabel: "namespace",
    requests: "http_requests_total",
    statusLabel: "status",
    errorStatus: "5..",
    durationBucket: "http_request_duration_seconds_bucket",
  },
};
const request = {
  namespace: "shop",
  facts,
  hashes: ["old", "new"],
  from: 1_000_000,
  to: 1_010_000,
  countFrom: 1_003_000,
  served: "old",
};

/** A Prometheus behind the API server: what it is asked, and what it answers to a query over a range. */
function prometheus(range: (query: string) => unknown, samples = "12") {
  const asked: URL[] = [];
  const raw = async (_method: string, path: string) => {
    const url = new URL(path, "http://api");
    asked.push(url);
    const query = url.searchParams.get("query") ?? "";
    if (url.pathname.endsWith("/query"))
      return { status: "success", data: { result: samples === "" ? [] : [{ metric: {}, value: [0, samples] }] } };
    return await Promise.resolve(range(query));
  };
  return { asked, raw };
}

const rows = (...result: { metric: Record<string, string>; values: [number, string][] }[]) => ({
  status: "success",
  data: { result },
});

describe("the API server's way to Prometheus", () => {
  test.each([
    ["http://prometheus.monitoring.svc:9090", "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"],
    ["http://prometheus.monitoring:9090", "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"],
    ["http://p.m.svc.cluster.local", "/api/v1/namespaces/m/services/p:80/proxy"],
    ["https://p.m.svc/prometheus/", "/api/v1/namespaces/m/services/https:p:443/proxy/prometheus"],
  ])("%s", (address, path) => {
    expect(proxyPath(address)).toBe(path);
  });

  test.each(["https://prometheus.example.com", "http://10.0.0.1:9090", "http://localhost:9090", "nonsense"])(
    "%s is no Service",
    (address) => {
      expect(proxyPath(address)).toBeUndefined();
    },
  );
});

describe("series by template", () => {
  test("stand on one grid, with null where there is no number", async () => {
    const { raw } = prometheus((query) =>
      query.startsWith("sum") && !query.includes("instance")
        ? rows(
            {
              metric: { pod_template_hash: "old" },
              values: [
                [1000, "45"],
                [1001, "44.5"],
              ],
            },
            {
              metric: { pod_template_hash: "new" },
              values: [
                [1002, "NaN"],
                [1003, "5"],
              ],
            },
          )
        : rows(),
    );
    const found = (await readTraffic({ raw }, request)) as SeriesByTemplate;
    expect(found.times).toEqual([1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010]);
    const nulls = (count: number) => Array.from({ length: count }, () => null);
    expect(found.series).toMatchObject([
      { hash: "old", metric: "requestRate", values: [45, 44.5, ...nulls(9)] },
      { hash: "new", metric: "requestRate", values: [null, null, null, 5, ...nulls(7)] },
    ]);
  });

  test("are asked for with the chart's names, and a window of four samples", async () => {
    const { asked, raw } = prometheus(() => rows());
    await readTraffic({ raw }, request);
    const all = asked.slice(1).map((url) => url.searchParams.get("query") ?? "");
    expect(all).toHaveLength(7);
    const queries = all.filter((query) => !query.includes("instance"));
    expect(queries).toHaveLength(5);
    for (const query of queries) expect(query).toContain('{namespace="shop",pod_template_hash=~"old|new"');
    const series = 'http_requests_total{namespace="shop",pod_template_hash=~"old|new"}';
    const [now, then] = [`sum without (role) (${series})`, `sum without (role) (${series} offset 20s)`];
    expect(queries[0]).toBe(`sum by (pod_template_hash) (clamp_min((${now} - ${then}) or ${now}, 0)) / 20`);
    expect(queries[1]).toContain('status=~"5.."');
  });

  test("over hours have no more points than a plot can show", async () => {
    const { raw } = prometheus(() => rows());
    const found = (await readTraffic({ raw }, { ...request, to: request.from + 6 * 3_600_000 })) as SeriesByTemplate;
    expect(found.times.length).toBeLessThanOrEqual(241);
    expect(found.times.at(-1)).toBeGreaterThan(1000 + 6 * 3600 - 100);
  });
});

describe("requests", () => {
  const counter = (hash: string, instance: string, values: [number, string][]) => ({
    metric: { pod_template_hash: hash, instance },
    values,
  });
  const counted = async (all: ReturnType<typeof counter>[], failed: ReturnType<typeof counter>[] = []) => {
    const answer = (query: string) =>
      !query.includes("instance") ? rows() : query.includes("status=~") ? rows(...failed) : rows(...all);
    return ((await readTraffic(prometheus(answer), request)) as SeriesByTemplate).counts;
  };
  const served = counter("old", "a", [
    [1000, "500"],
    [1003, "510"],
    [1010, "560"],
  ]);

  test("are counted by template from the operation's start on, each pod's from its first sample", async () => {
    const fresh = [
      counter("new", "b", [
        [1005, "7"],
        [1010, "30"],
      ]),
      counter("new", "c", [[1008, "4"]]),
    ];
    const failed = [counter("new", "b", [[1010, "9"]])];
    expect(await counted([served, ...fresh], failed)).toEqual([
      { hash: "old", requests: 50, failedRequests: 0 },
      { hash: "new", requests: 34, failedRequests: 9 },
    ]);
  });

  test("of a container that restarts go on from zero", async () => {
    const restarted = counter("old", "a", [
      [1003, "510"],
      [1005, "520"],
      [1006, "3"],
      [1010, "8"],
    ]);
    expect(await counted([restarted])).toEqual([{ hash: "old", requests: 18, failedRequests: 0 }]);
  });

  test("of pods that Prometheus knows nothing of from before are not guessed", async () => {
    const late = counter("old", "a", [[1005, "90000"]]);
    expect(await counted([late])).toEqual({ why: "it has no sample from before the operation of what served" });
  });
});

describe("without series it says why", () => {
  const source = "Prometheus, http://prometheus.monitoring.svc:9090";

  test("a right that is missing", async () => {
    const raw = () => Promise.reject(new Error("forbidden: get services/proxy in monitoring"));
    expect(await readTraffic({ raw }, request)).toEqual({ source, why: "forbidden: get services/proxy in monitoring" });
  });

  test("nothing scraped", async () => {
    const { raw } = prometheus(() => rows(), "");
    expect(await readTraffic({ raw }, request)).toEqual({ source, why: "it has no http_requests_total of these pods" });
  });

  test("a query that is refused", async () => {
    const { raw } = prometheus(() => ({ status: "error", error: "too many points" }));
    expect(await readTraffic({ raw }, request)).toEqual({ source, why: "too many points" });
  });

  test("something else that answers", async () => {
    const raw = () => Promise.resolve("<html>");
    expect(await readTraffic({ raw }, request)).toMatchObject({ why: "what answers there is not Prometheus" });
  });

  test("an address outside the cluster", async () => {
    const outside = { ...request, facts: { ...facts, address: "https://prometheus.example.com" } };
    const raw = () => Promise.reject(new Error("nobody should be asked"));
    expect(await readTraffic({ raw }, outside)).toMatchObject({
      why: "its address is not that of a Service in the cluster",
    });
  });
});
