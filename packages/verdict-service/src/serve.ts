import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Kube } from "@safe-deploy/kube";
import { answerRequests } from "./answer-requests.ts";
import { ClusterState } from "./cluster-state.ts";
import { ConfigMapStore } from "./config-map-store.ts";
import { followCluster } from "./follow-cluster.ts";
import { RolloutJudge } from "./judge-rollouts.ts";
import type { Log } from "./log.ts";
import { OwnMetrics } from "./own-metrics.ts";

export interface ServeOptions {
  host: string;
  port: number;
  /** Empty: all. */
  namespaces: readonly string[];
  tlsCert?: string;
  tlsKey?: string;
}

/** Runs the service until the signal aborts; then every open record is written. */
export async function serve(o: ServeOptions, log: Log, stop: AbortSignal): Promise<void> {
  const tls =
    o.tlsCert === undefined || o.tlsKey === undefined
      ? undefined
      : { cert: await readFile(o.tlsCert), key: await readFile(o.tlsKey) };
  // A watch that ends for good ends everything: what is not followed must not be judged.
  const end = new AbortController();
  const signal = AbortSignal.any([stop, end.signal]);
  const metrics = new OwnMetrics();
  const kube = await Kube.connect({
    fieldManager: "verdict",
    onRequest: ({ verb, resource }) => metrics.asked(verb, resource),
  });
  const cluster = new ClusterState();
  const judge = new RolloutJudge({ cluster, store: new ConfigMapStore(kube, log), metrics, log, signal });
  metrics.follow(judge);

  let isListed = false;
  const synced = () => {
    isListed = true;
    log.info({ rollouts: cluster.rollouts.size }, "following");
  };
  const server = answerRequests({ judge, metrics, isReady: () => isListed, ...(tls === undefined ? {} : { tls }) });
  server.listen(o.port, o.host);
  await once(server, "listening");
  log.info({ host: o.host, port: o.port, tls: tls !== undefined }, "listening");
  try {
    await followCluster(kube, cluster, { namespaces: o.namespaces, signal, synced });
  } finally {
    end.abort();
    server.close();
    server.closeAllConnections();
    await judge.saveAll();
  }
}
