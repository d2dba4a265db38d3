import { writeFile } from "node:fs/promises";
import { Kube } from "@safe-deploy/kube";
import { ClusterState } from "./cluster-state.ts";
import { ConfigMapStore } from "./config-map-store.ts";
import { followCluster } from "./follow-cluster.ts";
import { RolloutJudge } from "./judge-rollouts.ts";
import type { Log } from "./log.ts";
import { OwnMetrics } from "./own-metrics.ts";
import type { Answer } from "./record.ts";

/** What a Job that judges ends with. Argo Rollouts takes every other code than 0 for a failure. */
export const exitCodes = { pass: 0, unexpected: 1, usage: 2, fail: 6, inconclusive: 8 } as const;

export interface JudgeOnceOptions {
  namespace: string;
  rollout: string;
  hash: string;
  weight: number;
  /** Without a verdict by then it ends inconclusive. */
  timeoutSeconds: number;
}

/** Where the kubelet takes a container's last words from, and how many bytes it reads of them. */
const lastWords = { file: "/dev/termination-log", bytes: 4096 };

/**
 * Judges one gate of one Rollout without a service: goes on from the record that the gate before it left, which counters
 * allow, because they hold what came in between.
 *
 * @returns the exit code; the answer is written to stdout as JSON.
 */
export async function judgeOnce(o: JudgeOnceOptions, log: Log, interrupt: AbortSignal): Promise<number> {
  const end = new AbortController();
  const late = AbortSignal.timeout(o.timeoutSeconds * 1000);
  const signal = AbortSignal.any([interrupt, end.signal, late]);
  const kube = await Kube.connect({ namespace: o.namespace, fieldManager: "verdict" });
  const cluster = new ClusterState();
  const judge = new RolloutJudge({
    cluster,
    store: new ConfigMapStore(kube, log),
    metrics: new OwnMetrics(),
    log,
    signal,
    isMine: (key) => key === `${o.namespace}/${o.rollout}`,
  });
  const since = Date.now();
  let last: Answer | undefined;
  let problem: string | undefined;
  const decided = (async () => {
    while (!signal.aborted) {
      await judge.nextAnswer(1_000);
      const standing = judge.standing(o.namespace, o.rollout);
      if (standing.kind === "refused") problem = standing.problem;
      if (standing.kind !== "judged" || standing.record.canary !== o.hash) continue;
      const { answer } = standing.record;
      // What a gate before this one was told is not about now.
      if (answer === null || answer.at < since) continue;
      last = answer;
      const isAboutGate = last.weight === o.weight && last.verdict === "pass";
      if (isAboutGate || last.verdict === "fail" || last.verdict === "inconclusive") break;
    }
    await judge.saveAll();
    end.abort();
  })();
  await Promise.all([decided, followCluster(kube, cluster, { namespaces: [o.namespace], signal, synced: () => {} })]);

  const why =
    last?.reason ??
    problem ??
    `Rollout ${o.namespace}/${o.rollout} was not seen in an update to the template ${o.hash}`;
  process.stdout.write(`${JSON.stringify({ schemaVersion: 1, ...last, reason: why })}\n`);
  const text = Buffer.from(why).subarray(0, lastWords.bytes);
  // Outside of a pod there is no such file.
  await writeFile(lastWords.file, text, { flag: "r+" }).catch(() => undefined);
  if (last?.verdict === "pass" && last.weight === o.weight) return exitCodes.pass;
  return last?.verdict === "fail" ? exitCodes.fail : exitCodes.inconclusive;
}
