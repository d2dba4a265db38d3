import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type KubeObject, KubeError, type Pod, type Rollout } from "@safe-deploy/kube";
import { afterEach, expect, test, vi } from "vitest";
import { type AgentConfig, readConfig } from "../src/cluster/config.ts";
import { type Cluster, runLoop } from "../src/cluster/loop.ts";
import { QNetwork } from "../src/dqn/q-network.ts";
import { featureNames } from "../src/features.ts";
import { AgentPolicy } from "../src/policies/agent-policy.ts";
import { steerableSteps, waitingAt } from "./rollout.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A network that always goes up. */
function climber(): AgentPolicy {
  const network = new QNetwork([featureNames.length, 4]);
  network.parameters.set([0, 1, 0, 0], network.parameters.length - 4);
  return new AgentPolicy(network, "advises");
}

/** A pod's counters over real HTTP, on an address of the loopback network of its own. */
class ServedPod {
  requests = 0;
  bad = 0;
  answers = true;
  statusLabel = "status";
  readonly server: Server;

  constructor() {
    this.server = createServer((_request, response) => {
      if (!this.answers) {
        response.writeHead(503).end();
        return;
      }
      // Each look finds as many requests more as five seconds of traffic bring.
      this.requests += 200;
      const bad = Math.floor(this.requests * this.bad);
      response.end(
        [
          `http_requests_total{${this.statusLabel}="200"} ${this.requests - bad}`,
          `http_requests_total{${this.statusLabel}="500"} ${bad}`,
          `http_request_duration_seconds_bucket{le="0.1"} ${this.requests}`,
          `http_request_duration_seconds_bucket{le="+Inf"} ${this.requests}`,
          "",
        ].join("\n"),
      );
    });
  }

  async listen(address: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject).listen(port, address, () => resolve());
    });
    ends.push(() => this.server.close());
    return (this.server.address() as AddressInfo).port;
  }
}

/** A Rollout whose controller does at once what its position asks for; it notes every change and who asked for it. */
class SmallCluster implements Cluster {
  readonly namespace = "shop";
  rollout: Rollout;
  readonly pods: Pod[];
  readonly patches: unknown[] = [];
  readonly weights: number[] = [10];
  readonly written: KubeObject[] = [];
  readonly created: KubeObject[] = [];
  failNext: KubeError | undefined;
  /** Changes the Rollout behind the agent's back, between its look and its patch. */
  meddle: (() => void) | undefined;

  constructor(rollout: Rollout, pods: Pod[]) {
    this.rollout = rollout;
    this.pods = pods;
  }

  serverNow = () => Date.now();
  get = (async (resource: { kind: string }) => {
    const error = this.failNext;
    this.failNext = undefined;
    if (error !== undefined) throw error;
    return resource.kind === "Rollout"
      ? structuredClone(this.rollout)
      : this.written.findLast(({ kind }) => kind === resource.kind);
  }) as unknown as Cluster["get"];
  list = (async () => ({ items: this.pods, resourceVersion: "1" })) as unknown as Cluster["list"];
  apply = (async (object: KubeObject) => {
    this.written.push(object);
    return object;
  }) as unknown as Cluster["apply"];
  create = (async (object: KubeObject) => {
    this.created.push(object);
    return object;
  }) as unknown as Cluster["create"];
  patch = (async (
    _resource: unknown,
    _name: string,
    body: { metadata: { resourceVersion: string }; status: { currentStepIndex?: number; abort?: boolean } },
    options: { subresource?: string },
  ) => {
    this.meddle?.();
    this.meddle = undefined;
    if (body.metadata.resourceVersion !== this.rollout.metadata.resourceVersion) {
      throw new KubeError("changed meanwhile", { status: 409, reason: "Conflict" });
    }
    this.patches.push({ ...body.status, through: options.subresource });
    if (body.status.abort === true) {
      this.rollout = { ...this.rollout, status: { ...this.rollout.status, abort: true } };
      this.weights.push(0);
    } else this.moveTo(body.status.currentStepIndex!);
    return this.rollout;
  }) as unknown as Cluster["patch"];

  moveTo(index: number): void {
    const weight = steerableSteps[index]?.setWeight ?? 100;
    this.weights.push(weight);
    this.rollout =
      weight === 100 ? { ...this.rollout, status: { ...this.rollout.status, stableRS: "new" } } : waitingAt(weight);
    this.rollout.metadata = { ...this.rollout.metadata, resourceVersion: String(this.weights.length) };
  }
}

async function start(config: Partial<AgentConfig> = {}) {
  const canary = new ServedPod();
  const stable = new ServedPod();
  const port = await canary.listen("127.0.0.2", 0);
  await stable.listen("127.0.0.3", port);
  const podOf = (name: string, hash: string, podIP: string): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { "rollouts-pod-template-hash": hash } },
    spec: { containers: [] },
    status: { podIP, conditions: [{ type: "Ready", status: "True" }] },
  });
  const cluster = new SmallCluster(waitingAt(10), [
    podOf("new-1", "new", "127.0.0.2"),
    podOf("old-1", "old", "127.0.0.3"),
  ]);
  const defaults = readConfig({ ROLLOUT: "myapp", MODE: "steer" });
  const log: Record<string, unknown>[] = [];
  const stop = new AbortController();
  const loop = runLoop({
    kube: cluster,
    config: { ...defaults, stepSeconds: 0.04, metrics: { ...defaults.metrics, port }, ...config },
    agent: climber(),
    signal: stop.signal,
    log: (line) => log.push(line),
  });
  ends.push(() => stop.abort());
  return { canary, stable, cluster, log, loop, stop };
}

const until = (what: () => boolean) => vi.waitUntil(what, { timeout: 20_000, interval: 10 });

test("steering takes a good version through every weight in order to 100 %, and then rests", async () => {
  const { cluster, log, loop, stop } = await start();
  await until(() => log.some(({ what, why }) => what === "rests" && String(why).startsWith("idle")));
  expect(cluster.weights).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  expect(cluster.patches.every((patch) => (patch as { through: string }).through === "status")).toBe(true);
  expect(cluster.created.map((event) => event["reason"])).toContain("AgentUP");
  const count = cluster.patches.length;
  const lines = log.length;
  await until(() => cluster.written.some((one) => JSON.stringify(one).includes('\\"ended\\":true')));
  stop.abort();
  await loop;
  expect(cluster.patches).toHaveLength(count);
  expect(log.length).toBeGreaterThanOrEqual(lines);
});

test("a bad version is aborted by the verdict, whatever the network wants", async () => {
  const { canary, cluster } = await start();
  canary.bad = 0.3;
  await until(() => cluster.weights.at(-1) === 0);
  expect(cluster.patches.at(-1)).toMatchObject({ abort: true });
  expect(cluster.created.at(-1)).toMatchObject({ reason: "AgentABORT", type: "Warning" });
});

test("a container of the version under test that ends aborts it; stable's do not", async () => {
  const { cluster } = await start();
  const ended = (index: number, exitCode: number): void => {
    const pod = cluster.pods[index]!;
    const terminated = { exitCode, reason: "Error" };
    const container = { name: "app", ready: true, restartCount: 1, image: "", imageID: "", lastState: { terminated } };
    cluster.pods[index] = { ...pod, status: { ...pod.status, containerStatuses: [container] } };
  };
  ended(1, 137);
  await until(() => cluster.weights.length > 2);
  expect(cluster.weights).not.toContain(0);
  ended(0, 3);
  await until(() => cluster.weights.at(-1) === 0);
  expect(cluster.created.at(-1)).toMatchObject({
    reason: "AgentABORT",
    message: expect.stringContaining("container app ended with exit code 3"),
  });
});

test("as an adviser it changes nothing, and says what it would do", async () => {
  const { cluster, log } = await start({ mode: "advise" });
  await until(() => log.filter(({ action }) => action === "UP").length >= 3);
  expect(cluster.patches).toEqual([]);
  expect(cluster.weights).toEqual([10]);
  // The same advice is told once, and stands in the status and the log.
  expect(cluster.created).toHaveLength(1);
  expect(cluster.created[0]).toMatchObject({
    reason: "AgentAdvises",
    message: expect.stringMatching(/^would UP at weight 10: /),
  });
  expect(log.some(({ what, action }) => what === "would decide" && action === "UP")).toBe(true);
  expect(cluster.written.at(-1)).toMatchObject({ data: { decision: expect.stringMatching(/^UP: /) } });
});

test("steps that cannot be steered through make it an adviser, and it says why", async () => {
  const { cluster, log } = await start();
  cluster.rollout.spec.strategy.canary!.trafficRouting = undefined as never;
  await until(() => log.some(({ obstacle }) => String(obstacle).includes("it has no router")));
  const before = cluster.patches.length;
  const lines = log.length;
  await until(() => log.length > lines + 6);
  expect(cluster.patches.length).toBeLessThanOrEqual(before + 1);
});

test.each([
  ["answers 503", (canary: ServedPod) => (canary.answers = false)],
  // Nothing of it would ever be bad.
  ["does not export http_requests_total with a label status", (canary: ServedPod) => (canary.statusLabel = "code")],
])("while a version %s the weight stays, although all was well before", async (words, breakIt) => {
  const { canary, cluster, log } = await start();
  await until(() => cluster.weights.length >= 3);
  breakIt(canary);
  await until(() => log.some(({ verdict }) => verdict === "blind"));
  const weights = cluster.weights.length;
  const lines = log.length;
  await until(() => log.length > lines + 10);
  expect(cluster.weights.length).toBe(weights);
  expect(log.at(-1)).toMatchObject({ action: "HOLD", why: expect.stringContaining(words) });
});

test("a Rollout that somebody else has moved meanwhile is left alone until the next look", async () => {
  const { cluster } = await start();
  cluster.meddle = () => cluster.moveTo(8);
  await until(() => cluster.weights.length >= 4);
  // From 10 the person went to 50; the agent's own move to 20 was refused.
  expect(cluster.weights.slice(0, 4)).toEqual([10, 50, 60, 70]);
});

test("an API server that does not answer for once changes nothing", async () => {
  const { cluster, log } = await start();
  await until(() => cluster.weights.length >= 2);
  cluster.failNext = new KubeError("try again later", { status: 503, reason: "ServiceUnavailable" });
  await until(() => log.some(({ what }) => what === "cannot look"));
  await until(() => cluster.weights.at(-1) === 100);
});

test("after a restart it goes on with what it knew: a failure stays one", async () => {
  const first = await start({ mode: "advise" });
  first.canary.bad = 0.5;
  await until(() => first.log.some(({ verdict }) => verdict === "fail"));
  await until(() => JSON.stringify(first.cluster.written.at(-1) ?? "").includes("fail"));
  first.stop.abort();
  await first.loop;
  const second = await start();
  second.cluster.written.push(first.cluster.written.at(-1)!);
  second.stop.abort();
  await second.loop;
  const third = new AbortController();
  ends.push(() => third.abort());
  const log: Record<string, unknown>[] = [];
  const defaults = readConfig({ ROLLOUT: "myapp", MODE: "steer" });
  void runLoop({
    kube: second.cluster,
    config: { ...defaults, stepSeconds: 0.04 },
    agent: climber(),
    signal: third.signal,
    log: (line) => log.push(line),
  });
  await until(() => second.cluster.weights.at(-1) === 0);
  expect(second.cluster.weights.every((weight) => weight <= 20)).toBe(true);
});
