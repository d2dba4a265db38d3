import { setTimeout as sleep } from "node:timers/promises";
import { hashLabel, type Kube, KubeError, type Pod, resources, type Rollout } from "@safe-deploy/kube";
import type { Version } from "@safe-deploy/verdict";
import { type Endings, incidentsOf } from "@safe-deploy/verdict-service";
import { actionNames, HOLD } from "../actions.ts";
import type { AgentPolicy } from "../policies/agent-policy.ts";
import { type AttemptMemory, beginAttempt, decide, type Decision, look, looksPerStep } from "./attempt.ts";
import type { AgentConfig } from "./config.ts";
import { type PodReading, readCounters } from "./exposition.ts";
import { isServing, metricsOf, type ReadPod, samplesOf, versionOf } from "./pods.ts";
import { patchFor, type Position, positionOf, unsteerable } from "./position.ts";
import { readStatus, tellEvent, writeStatus } from "./status.ts";

/** Longer than this a pod's metrics are not waited for. */
const scrapeTimeoutMs = 2000;

/** What of the API it uses. */
export type Cluster = Pick<Kube, "namespace" | "get" | "list" | "patch" | "apply" | "create" | "serverNow">;

export interface LoopOptions {
  kube: Cluster;
  config: AgentConfig;
  agent: AgentPolicy;
  signal: AbortSignal;
  log: (line: Record<string, unknown>) => void;
}

/** What the loop knows beside the attempt's memory; all of it can be lost. */
interface Watched {
  attempt: string | undefined;
  memory: AttemptMemory | undefined;
  looks: number;
  endings: Endings;
  /** The pods, and the counts, at the last decision. */
  before: Map<string, { at: number; reading: PodReading }>;
  countsBefore: AttemptMemory["verdict"]["totals"] | undefined;
  beforeAt: number;
  lastPosition: string;
  /** The advice that was told last: the same is not told again every few seconds. */
  lastAdvice: string;
  /** Whether the last attempt ended, so that the same version under way again is another one. */
  ended: boolean;
  number: number;
}

/**
 * Follows one Rollout until the signal aborts: two looks at the pods' counters a step, one decision, and, where it
 * steers, one patch of the Rollout's position. Only whoever holds the Lease may run it.
 *
 * An error of the cluster never becomes a decision: the Rollout stays where it is, and the next look tries again.
 */
export async function runLoop(o: LoopOptions): Promise<void> {
  const { kube, config, log, signal } = o;
  const watched = await recall(kube, config);
  log({ what: "begins", mode: config.mode, rollout: config.rollout, attempt: watched.attempt });
  const intervalMs = (1000 * config.stepSeconds) / looksPerStep;
  while (!signal.aborted) {
    const started = performance.now();
    try {
      await tick(o, watched);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KubeError) || error.status === 403) throw error;
      log({ what: "cannot look", why: error.message });
    }
    const left = intervalMs - (performance.now() - started);
    await sleep(Math.max(0, left), undefined, { signal }).catch(() => undefined);
  }
}

async function recall(kube: Cluster, config: AgentConfig): Promise<Watched> {
  const saved = await readStatus(kube, config.rollout);
  return {
    attempt: saved?.attempt,
    memory: saved?.memory,
    looks: 0,
    endings: saved?.endings ?? {},
    before: new Map(),
    countsBefore: undefined,
    beforeAt: 0,
    lastPosition: "",
    lastAdvice: "",
    ended: saved?.ended ?? false,
    number: saved?.number ?? 0,
  };
}

async function tick(o: LoopOptions, watched: Watched): Promise<void> {
  const { kube, config, log } = o;
  const rollout = await kube.get(resources.Rollout, config.rollout);
  if (rollout === undefined) {
    log({ what: "waits", why: `there is no Rollout ${config.rollout}` });
    return;
  }
  const position = positionOf(rollout);
  if (position.kind === "idle" || position.kind === "aborted") {
    await settle(o, watched, rollout, position);
    return;
  }
  beginIfNew(o, watched, rollout);
  const pods = await podsOf(kube, rollout);
  const read = await Promise.all(pods.filter(({ pod }) => isServing(pod)).map((one) => readPod(one, config)));
  const now = Date.now();
  const canaries = pods.flatMap(({ pod, version }) => (version === "canary" ? [pod] : []));
  watched.memory = look(watched.memory!, {
    now,
    weight: position.weight,
    stableServes: position.weight < 100,
    samples: samplesOf(read),
    incidents: incidentsOf(canaries, watched.endings, watched.memory!.verdict.startedAt),
    problems: problemsOf(read, position.weight),
  });
  watched.looks++;
  // A failed version goes back at once, whatever the step's time.
  const failed = watched.memory.result?.verdict === "fail";
  if (watched.looks % looksPerStep !== 0 && !failed) return;
  if (position.kind !== "waiting") {
    log({ what: "waits", weight: position.weight, why: position.why, verdict: watched.memory.result?.verdict });
    if (!failed || position.kind === "held") {
      remember(watched, read, now);
      return;
    }
  }
  await decideAndAct(o, watched, rollout, position, read, now);
}

async function decideAndAct(
  { kube, config, agent, log }: LoopOptions,
  watched: Watched,
  rollout: Rollout,
  position: Position,
  read: readonly ReadPod[],
  now: number,
): Promise<void> {
  const memory = watched.memory!;
  const metrics = stepMetrics(watched, read, now);
  const missing = "missing" in metrics ? metrics.missing : undefined;
  const { memory: next, decision } = decide(memory, "missing" in metrics ? undefined : metrics, agent, config, missing);
  watched.memory = next;
  remember(watched, read, now);
  const obstacle = config.mode === "steer" ? unsteerable(rollout) : undefined;
  const acts = config.mode === "steer" && obstacle === undefined;
  const weight = memory.weight;
  log({
    what: acts ? "decides" : "would decide",
    action: actionNames[decision.action],
    wanted: actionNames[decision.wanted],
    weight,
    step: memory.step,
    verdict: memory.result?.verdict,
    n: memory.result?.n,
    k: memory.result?.k,
    why: decision.why,
    ...(obstacle === undefined ? {} : { obstacle: `cannot steer: ${obstacle}` }),
  });
  await writeStatus(kube, rollout, {
    attempt: watched.attempt,
    memory: watched.memory,
    endings: watched.endings,
    ended: false,
    number: watched.number,
    mode: config.mode,
    decision: wordsOf(decision),
    ...(obstacle === undefined ? {} : { obstacle }),
  });
  if (decision.action === HOLD && decision.wanted === HOLD) {
    watched.lastAdvice = "";
    return;
  }
  const done = acts ? await act(kube, rollout, position, decision) : false;
  const advice = done ? "" : `${actionNames[decision.wanted]} at ${weight}`;
  if (!done && advice === watched.lastAdvice) return;
  watched.lastAdvice = advice;
  const verb = done ? actionNames[decision.action] : `would ${actionNames[decision.wanted]}`;
  await tellEvent(kube, rollout, {
    reason: done ? `Agent${actionNames[decision.action]}` : "AgentAdvises",
    type: decision.forced ? "Warning" : "Normal",
    message: `${verb} at weight ${weight}: ${decision.why}`,
  });
}

/** @returns whether it was done. A Rollout that somebody else has changed meanwhile is left alone until the next look. */
async function act(
  kube: Cluster,
  rollout: Rollout,
  position: Position,
  { action, forced }: Decision,
): Promise<boolean> {
  if (action === HOLD) return false;
  // An abort may come at any time; any other move only out of a pause.
  const patch =
    position.kind === "waiting" ? patchFor(rollout, position, action) : forced ? { abort: true } : undefined;
  if (patch === undefined) return false;
  const { resourceVersion } = rollout.metadata;
  try {
    await kube.patch(
      resources.Rollout,
      rollout.metadata.name,
      { metadata: { resourceVersion }, status: patch },
      { subresource: "status" },
    );
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.status === 409) return false;
    throw error;
  }
}

function stepMetrics(watched: Watched, read: readonly ReadPod[], now: number): ReturnType<typeof metricsOf> {
  const { countsBefore, before, beforeAt } = watched;
  if (countsBefore === undefined) return { missing: "the first step has nothing to be compared with" };
  const { totals } = watched.memory!.verdict;
  const counted = (version: Version) => ({
    requests: totals[version].requests - countsBefore[version].requests,
    bad: totals[version].bad - countsBefore[version].bad,
  });
  return metricsOf({
    before,
    now: read,
    counted: { canary: counted("canary"), stable: counted("stable") },
    seconds: (now - beforeAt) / 1000,
  });
}

function remember(watched: Watched, read: readonly ReadPod[], now: number): void {
  watched.before = new Map(
    read.flatMap(({ pod, at, reading }) => (reading === undefined ? [] : [[pod.metadata.name, { at, reading }]])),
  );
  watched.countsBefore = watched.memory!.verdict.totals;
  watched.beforeAt = now;
}

function beginIfNew({ config, log }: LoopOptions, watched: Watched, rollout: Rollout): void {
  const version = `${rollout.metadata.uid}/${rollout.status?.currentPodHash}`;
  const isSame = watched.attempt?.startsWith(`${version}/`) === true && !watched.ended && watched.memory !== undefined;
  if (isSame) return;
  // The same version under way again is a retry: another attempt, with an alpha of its own.
  watched.number = watched.attempt?.startsWith(`${version}/`) === true ? watched.number + 1 : 1;
  watched.attempt = `${version}/${watched.number}`;
  watched.memory = beginAttempt(watched.attempt, config, Date.now());
  watched.ended = false;
  watched.looks = 0;
  watched.before = new Map();
  watched.countsBefore = undefined;
  watched.endings = {};
  log({ what: "attempt begins", attempt: watched.attempt, mode: config.mode });
}

async function settle(
  { kube, config, log }: LoopOptions,
  watched: Watched,
  rollout: Rollout,
  position: Extract<Position, { kind: "idle" | "aborted" }>,
): Promise<void> {
  const words = `${position.kind}: ${position.why}`;
  if (watched.lastPosition !== words) log({ what: "rests", why: words });
  watched.lastPosition = words;
  if (watched.memory === undefined || watched.ended) return;
  watched.ended = true;
  await writeStatus(kube, rollout, {
    attempt: watched.attempt,
    memory: watched.memory,
    endings: {},
    ended: true,
    number: watched.number,
    mode: config.mode,
    decision: words,
  });
}

async function podsOf(kube: Cluster, rollout: Rollout): Promise<{ pod: Pod; version: Version }[]> {
  const { currentPodHash, stableRS } = rollout.status ?? {};
  const { items } = await kube.list(resources.Pod, {
    labelSelector: `${hashLabel} in (${currentPodHash},${stableRS})`,
  });
  return items.flatMap((pod) => {
    const version = versionOf(pod, rollout);
    return version === undefined ? [] : [{ pod, version }];
  });
}

async function readPod({ pod, version }: { pod: Pod; version: Version }, config: AgentConfig): Promise<ReadPod> {
  const { podIP = "" } = pod.status ?? {};
  const host = podIP.includes(":") ? `[${podIP}]` : podIP;
  const url = `http://${host}:${config.metrics.port}${config.metrics.path}`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(scrapeTimeoutMs) });
    const text = await response.text();
    const at = Date.now();
    if (!response.ok) return { pod, version, at, reading: undefined, problem: `${url} answers ${response.status}` };
    return { pod, version, at, reading: readCounters(text, config.metrics) };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    return { pod, version, at: Date.now(), reading: undefined, problem: `${url}: ${cause?.message ?? message}` };
  }
}

/** A version of which no pod tells anything cannot be judged now, and one that has none that serve neither. */
function problemsOf(read: readonly ReadPod[], weight: number): string[] {
  const wanted: Version[] = [
    ...(weight > 0 ? (["canary"] as const) : []),
    ...(weight < 100 ? (["stable"] as const) : []),
  ];
  return wanted.flatMap((version) => {
    const own = read.filter((one) => one.version === version);
    if (own.some(({ reading }) => reading !== undefined)) return [];
    return [own[0]?.problem ?? `no pod of the ${version} version serves`];
  });
}

const wordsOf = ({ action, wanted, why }: Decision): string =>
  `${actionNames[action]}${wanted === action ? "" : ` (would ${actionNames[wanted]})`}: ${why}`;
