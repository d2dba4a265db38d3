/**
 * What the service takes at a number of rollouts that are all in an update: CPU, requests to the Kubernetes API, and how
 * often each is looked at. The pods are simulated by another process, so that their work is not counted; what would be
 * an API request is counted where it would be made.
 *
 *   node bench/load.ts [--rollouts 1,100,1000] [--seconds 30] [-o json]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { hashLabel, type Pod, type Rollout } from "@safe-deploy/kube";
import { ClusterState } from "../src/cluster-state.ts";
import { RolloutJudge } from "../src/judge-rollouts.ts";
import { OwnMetrics } from "../src/own-metrics.ts";
import type { AttemptRecord, RecordStore } from "../src/record.ts";
import { settingsAnnotation } from "../src/release-settings.ts";
import { settings } from "../test/fixtures.ts";

/** Of each version of each rollout. */
const podsPerVersion = 2;
/** A service of this size: besides its requests it exports what a runtime does. */
const routes = 20;
/** Argo Rollouts' own limit of requests to the API, per second. */
const controllerLimit = 40;
/** Before measuring: connections are made, code is compiled, and the first records are written. */
const warmUpSeconds = 20;

export interface LoadMeasured {
  rollouts: number;
  /** Share of one core. */
  cpu: number;
  apiRequestsPerSecond: number;
  /** Of what the controller may ask. */
  apiShare: number;
  secondsBetweenLooks: number;
  scrapesPerSecond: number;
  scrapeErrors: number;
  heapMegabytes: number;
}

class CountingStore implements RecordStore {
  requests = 0;

  async load(): Promise<undefined> {
    this.requests++;
  }

  async save(_owner: unknown, record: AttemptRecord): Promise<void> {
    this.requests++;
    const { path, ...rest } = record;
    JSON.stringify([rest, path]);
  }

  async analysisRuns(): Promise<[]> {
    this.requests++;
    return [];
  }
}

async function measure(rollouts: number, seconds: number): Promise<LoadMeasured> {
  const simulator = fork(new URL("simulated-pods.ts", import.meta.url), [String(routes)]);
  const [{ port }] = (await once(simulator, "message")) as [{ port: number }];
  const stop = new AbortController();
  const store = new CountingStore();
  const metrics = new OwnMetrics();
  const cluster = new ClusterState();
  const log = { info() {}, warn() {}, error: (...said: unknown[]) => console.error(...said) };
  void new RolloutJudge({ cluster, store, metrics, log, signal: stop.signal });
  try {
    for (let index = 0; index < rollouts; index++) addRollout(cluster, index, port);
    await delay(warmUpSeconds * 1000);
    const before = {
      cpu: process.cpuUsage(),
      requests: store.requests,
      looks: await read(metrics, "verdict_looks_total"),
    };
    const startedAt = performance.now();
    await delay(seconds * 1000);
    const took = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(before.cpu);
    const looks = (await read(metrics, "verdict_looks_total")) - before.looks;
    const perSecond = (store.requests - before.requests) / took;
    return {
      rollouts,
      cpu: (user + system) / 1e6 / took,
      apiRequestsPerSecond: perSecond,
      apiShare: perSecond / controllerLimit,
      secondsBetweenLooks: (took * rollouts) / looks,
      scrapesPerSecond: (looks / took) * 2 * podsPerVersion,
      scrapeErrors: await read(metrics, "verdict_scrape_errors_total"),
      heapMegabytes: process.memoryUsage().heapUsed / 2 ** 20,
    };
  } finally {
    stop.abort();
    simulator.kill();
  }
}

async function read(metrics: OwnMetrics, name: string): Promise<number> {
  const values = (await metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
  return values.reduce((sum, { value }) => sum + value, 0);
}

function addRollout(cluster: ClusterState, index: number, port: number): void {
  const namespace = `shop-${index}`;
  for (const version of ["old", "new"]) {
    for (let n = 0; n < podsPerVersion; n++) {
      const address = `127.${version === "old" ? 1 : 2}.${Math.floor(index / 100)}.${(index % 100) * podsPerVersion + n + 1}`;
      cluster.setPod(podAt(namespace, `${version}-${n}`, version, address));
    }
  }
  const rollout: Rollout = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: { name: "myapp", namespace, uid: `u-${index}`, annotations: { [settingsAnnotation]: settingsOf(port) } },
    spec: { template: { spec: { containers: [] } }, strategy: { canary: { trafficRouting: {} } } },
    status: {
      currentPodHash: "new",
      stableRS: "old",
      canary: { weights: { canary: { weight: 10 }, stable: { weight: 90 } } },
    },
  };
  cluster.setRollout(rollout, true);
}

function podAt(namespace: string, name: string, hash: string, podIP: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { [hashLabel]: hash }, creationTimestamp: new Date(0).toISOString() },
    spec: { containers: [] },
    status: { phase: "Running", podIP, conditions: [{ type: "Ready", status: "True" }] },
  };
}

/** What the chart writes, with its own times. */
function settingsOf(port: number): string {
  const plan = { pollSeconds: 1, scrapeSeconds: 1, horizonSeconds: 7200, gateSeconds: 300 };
  return JSON.stringify(settings({ port, plan }));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rollouts: { type: "string", default: "1,100,1000" },
      seconds: { type: "string", default: "30" },
      output: { type: "string", short: "o", default: "text" },
    },
  });
  const measured: LoadMeasured[] = [];
  for (const rollouts of values.rollouts.split(",").map(Number)) {
    const each = await measure(rollouts, Number(values.seconds));
    measured.push(each);
    if (values.output === "json") continue;
    const { cpu, apiRequestsPerSecond, apiShare, secondsBetweenLooks, scrapesPerSecond, scrapeErrors } = each;
    process.stdout.write(
      `${rollouts} rollouts: ${cpu.toFixed(3)} cores, ${apiRequestsPerSecond.toFixed(2)} API requests/s (${(100 * apiShare).toFixed(1)} % of the controller's limit), a look every ${secondsBetweenLooks.toFixed(1)} s, ${scrapesPerSecond.toFixed(0)} pods read/s, ${scrapeErrors} without an answer, ${each.heapMegabytes.toFixed(0)} MB heap\n`,
    );
  }
  if (values.output === "json") process.stdout.write(`${JSON.stringify({ schemaVersion: 1, measured })}\n`);
}

await main();
process.exit();
