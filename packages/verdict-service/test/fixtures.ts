import http from "node:http";
import type { AddressInfo } from "node:net";
import { type AnalysisRun, hashLabel, type Pod, type Rollout } from "@safe-deploy/kube";
import { defaultPolicy } from "@safe-deploy/verdict";
import type { Log } from "../src/log.ts";
import type { AttemptRecord, RecordStore } from "../src/record.ts";
import { settingsAnnotation } from "../src/release-settings.ts";

export const namespace = "shop";
export const name = "myapp";
export const key = `${namespace}/${name}`;

/** What the chart writes into the annotation, with quick looks. */
export function settings(o: { port: number; [field: string]: unknown }): Record<string, unknown> {
  const { port, ...more } = o;
  return {
    schemaVersion: 1,
    policy: defaultPolicy,
    plan: { pollSeconds: 0.02, scrapeSeconds: 0.02, horizonSeconds: 600, gateSeconds: 30 },
    metrics: { port, path: "/metrics" },
    names: {
      requests: "http_requests_total",
      statusLabel: "status",
      errorStatus: "5..",
      routeLabel: "route",
      durationBucket: "http_request_duration_seconds_bucket",
    },
    events: {},
    ...more,
  };
}

export interface RolloutOptions {
  settings?: unknown;
  canary?: string;
  stable?: string;
  weight?: number;
  aborted?: boolean;
  uid?: string;
}

/** A canary behind a router, as Argo Rollouts writes its status. */
export function rollout({
  settings,
  canary = "new",
  stable = "old",
  weight = 10,
  aborted,
  uid = "u-1",
}: RolloutOptions): Rollout {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: {
      name,
      namespace,
      uid,
      ...(settings === undefined
        ? {}
        : {
            annotations: { [settingsAnnotation]: typeof settings === "string" ? settings : JSON.stringify(settings) },
          }),
    },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { spec: { containers: [] } },
      strategy: { canary: { trafficRouting: {}, steps: [{ setWeight: 10 }] } },
    },
    status: {
      currentPodHash: canary,
      stableRS: stable,
      ...(aborted === true ? { abort: true } : {}),
      canary: { weights: { canary: { weight }, stable: { weight: 100 - weight } } },
    },
  };
}

export interface PodOptions {
  ready?: boolean;
  restarts?: number;
  ended?: { exitCode: number; reason?: string };
  createdAt?: number;
  deleted?: boolean;
}

export function pod(podName: string, hash: string, ip: string, o: PodOptions = {}): Pod {
  const { ready = true, restarts = 0, ended, createdAt = Date.now() - 3_600_000, deleted = false } = o;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: podName,
      namespace,
      labels: { app: name, [hashLabel]: hash },
      creationTimestamp: new Date(createdAt).toISOString(),
      ...(deleted ? { deletionTimestamp: new Date().toISOString() } : {}),
    },
    spec: { containers: [] },
    status: {
      phase: "Running",
      podIP: ip,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [
        {
          name: "app",
          ready,
          restartCount: restarts,
          image: "",
          imageID: "",
          ...(ended === undefined ? {} : { lastState: { terminated: ended } }),
        },
      ],
    },
  };
}

/** Counters of one simulated pod. */
export interface Counters {
  ok: number;
  bad: number;
  /** What it answers instead. */
  answer?: "nothing" | "HTTP 503" | "another metric";
}

/** Pods at loopback addresses of one server: each address has counters of its own. */
export class SimulatedPods implements AsyncDisposable {
  readonly counters = new Map<string, Counters>();
  readonly #server: http.Server;
  /** How often each address was asked. */
  readonly asked = new Map<string, number>();
  readonly port: number;

  private constructor(server: http.Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("request", (request, response) => this.#tell(request.socket.localAddress ?? "", response));
  }

  static async start(): Promise<SimulatedPods> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    return new SimulatedPods(server);
  }

  set(ip: string, counters: Counters): Counters {
    this.counters.set(ip, counters);
    return counters;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #tell(ip: string, response: http.ServerResponse): void {
    this.asked.set(ip, (this.asked.get(ip) ?? 0) + 1);
    const counters = this.counters.get(ip);
    if (counters === undefined || counters.answer === "HTTP 503") {
      response.writeHead(503).end();
      return;
    }
    if (counters.answer === "nothing") return;
    if (counters.answer === "another metric") {
      response.end("requests_of_nobody_total 5\n");
      return;
    }
    response.end(exposition(counters));
  }
}

export function exposition({ ok, bad }: Counters): string {
  return [
    "# HELP http_requests_total Requests answered.",
    "# TYPE http_requests_total counter",
    `http_requests_total{method="GET",route="/version",status="200"} ${ok}`,
    `http_requests_total{method="GET",route="/version",status="500"} ${bad}`,
    "",
  ].join("\n");
}

/** Keeps records as a cluster would: as text. */
export class MemoryStore implements RecordStore {
  readonly records = new Map<string, string>();
  readonly runs: AnalysisRun[] = [];
  saves = 0;

  async load(namespace: string, rollout: string): Promise<AttemptRecord | undefined> {
    const text = this.records.get(`${namespace}/${rollout}`);
    return text === undefined ? undefined : (JSON.parse(text) as AttemptRecord);
  }

  async save(owner: { namespace: string; name: string }, record: AttemptRecord): Promise<void> {
    this.saves++;
    this.records.set(`${owner.namespace}/${owner.name}`, JSON.stringify(record));
  }

  async analysisRuns(): Promise<AnalysisRun[]> {
    return this.runs;
  }
}

export const silent: Log = { info: () => {}, warn: () => {}, error: () => {} };
