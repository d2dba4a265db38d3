import { createHash } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { resources, type Rollout, waitUntil, WaitTimeout } from "@safe-deploy/kube";
import { hasFailed, type Load, type LoadResult, type SeriesPoint } from "@safe-deploy/load";
import { ctlTag } from "../images.ts";
import { release, valuesFiles } from "../app-release.ts";
import { canaryWeightOf, traefikService } from "../rollout-release.ts";
import { type SeenAttempt, VerdictService } from "../verdict-service.ts";
import { chart, type World } from "../world.ts";
import type { Ratio } from "./figure.ts";
import { median } from "./measure.ts";

/** Requests per second at the router. */
export const rate = 100;
/** Whoever asks for this one gets what is under test. */
const testedPath = "/api/v1/version";
const otherPath = "/version";
/** As many paths as fit one argument of k6; they are asked one after the other, and again from the first. */
const pathCount = 8_000;

/** A way to roll out: values of the chart. */
export interface Setting {
  /** As the page names it. */
  name: string;
  /** Flags of Helm. */
  flags: string[];
  /** What judges it, where its values do not say so. The service runs in a namespace beside the release's. */
  engine?: "thresholds" | "sequential";
  /** AnalysisTemplates in place of the chart's, a template of Helm. */
  analysis?: string;
  /** Seconds of traffic before the new version comes: as far as its queries look back. */
  historySeconds: number;
}

/** The chart's own values for a rollout, with the waits, limits and numbers of pods that they have. */
export const rolloutValues: Setting = {
  name: "the chart's defaults",
  flags: ["-f", `${chart}/values-rollout.yaml`],
  historySeconds: 20,
};

/** The same way to roll out, judged by thresholds. */
export function byThresholds({ name, ...setting }: Setting): Setting {
  return { ...setting, name: `${name}, thresholds`, engine: "thresholds" };
}

/** The same way to roll out, judged by the sequential engine. */
export function sequentially({ name, ...setting }: Setting): Setting {
  return { ...setting, name: `${name}, sequential`, engine: "sequential" };
}

/** The figures that compare with other ways to roll out ask Prometheus, as those do. */
export const byPrometheus = byThresholds(rolloutValues);

/** What became of the version under test. */
export type End = "taken back" | "waits for a person" | "promoted" | "goes on";

/**
 * Paths for the load: each one independently the tested path with the probability `share`, so that the errors of a
 * version that fails all of these come at random, as those of users do, and however the router deals the requests out.
 */
export function randomPaths(share: number, seed: string): string[] {
  return Array.from({ length: pathCount }, (_, index) => {
    const random = createHash("sha256").update(`${seed}/${index}`).digest().readUInt32BE(0) / 2 ** 32;
    return random < share ? testedPath : otherPath;
  });
}

/** The version fails the tested path; the share of errors is the share of requests for it. */
export const failsTestedPath = ["--set-string", `config.FAULT_ERRORS=GET ${testedPath}=1`];

/** What of the values the setting, the lab and the measuring ask for, as flags of Helm. */
export function releaseFlags({ flags, engine }: Setting, namespace: string): string[] {
  return [
    ...valuesFiles.flatMap((file) => ["-f", file]),
    ...flags,
    ...(engine === undefined ? [] : ["--set", `analysis.engine=${engine}`]),
    ...(engine === "sequential" ? VerdictService.valuesFor(judgeOf(namespace)) : []),
    ...["--set", `hooks.image.tag=${ctlTag}`],
    ...[
      "--set",
      "rollout.router=traefik",
      "--set",
      "ingress.className=",
      "--set",
      `ingress.hosts[0].host=${hostOf(namespace)}`,
    ],
    // A pod that starts slowly on a busy machine is not what is measured.
    ...["--set", "probes.startup.failureThreshold=150"],
  ];
}

const hostOf = (namespace: string) => `${namespace}.local`;
const judgeOf = (namespace: string) => `${namespace}-verdict`;

/** One release of the app in a namespace of its own, with traffic of its own at the router. */
export class Canary implements AsyncDisposable {
  readonly namespace: string;
  readonly #world: World;
  readonly #setting: Setting;
  readonly #chart: string;
  #service: VerdictService | undefined;
  #load: Load | undefined;
  #attempts = 0;

  private constructor(world: World, namespace: string, setting: Setting, ownChart: string) {
    this.#world = world;
    this.namespace = namespace;
    this.#setting = setting;
    this.#chart = ownChart;
  }

  /** Installs v1, and waits until the router leads to it. */
  static async install(world: World, namespace: string, setting: Setting, more: string[] = []): Promise<Canary> {
    await world.namespace(namespace);
    const canary = new Canary(world, namespace, setting, await chartWith(setting.analysis));
    if (setting.engine === "sequential")
      canary.#service = await VerdictService.install(world, judgeOf(namespace), namespace);
    await canary.upgrade("v1", more);
    await canary.#until("v1 stable", 180_000, ({ rollout }) =>
      rollout?.status?.phase === "Healthy" && rollout.status.stableRS !== "" ? true : undefined,
    );
    return canary;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load?.stop().catch(() => {});
    await this.#service?.remove();
    if (this.#chart !== chart) await rm(path.dirname(this.#chart), { recursive: true, force: true });
    // Nobody waits for its end: no other release has this namespace.
    await this.#world.kube.delete(resources.Namespace, this.namespace);
  }

  /** Plain Helm, which does not wait for a Rollout and does nothing about a bad one. */
  async upgrade(version: string, more: string[] = []): Promise<void> {
    const ran = await this.#world.helm([
      ...["upgrade", "--install", release, this.#chart, "-n", this.namespace, "--timeout", "300s"],
      ...releaseFlags(this.#setting, this.namespace),
      ...["--set", `image.tag=${version}`],
      // A content of its own each time.
      ...["--set-string", `config.ATTEMPT=${++this.#attempts}`],
      ...more,
    ]);
    if (ran.code !== 0) throw new Error(`helm upgrade in ${this.namespace} ended with ${ran.code}: ${ran.stderr}`);
  }

  /** Sends requests until `stopTraffic`, or at most for `seconds`. */
  async startTraffic(paths: string[], seconds: number): Promise<void> {
    this.#load = await this.#world.routerLoad(hostOf(this.namespace), {
      scenario: "failure",
      rate,
      duration: `${seconds}s`,
      paths,
    });
    await delay(this.#setting.historySeconds * 1000);
  }

  async stopTraffic(): Promise<LoadResult> {
    if (this.#load === undefined) throw new Error("there is no traffic to stop");
    const result = await this.#load.stop();
    this.#load = undefined;
    return result;
  }

  /** The hash of the template that gets its first requests now. */
  async untilTested(before: string): Promise<string> {
    return await this.#until("a weight for the new version", 180_000, ({ rollout, weight }) => {
      const hash = rollout?.status?.currentPodHash ?? "";
      return weight > 0 && hash !== before ? hash : undefined;
    });
  }

  /** What the sequential engine has seen of the newest attempt. */
  async attempt(): Promise<SeenAttempt> {
    if (this.#service === undefined) throw new Error(`${this.#setting.name} has no sequential engine`);
    return await this.#service.attempt();
  }

  async stableHash(): Promise<string> {
    const rollout = await this.#world.kube.get(resources.Rollout, release, { namespace: this.namespace });
    return rollout?.status?.stableRS ?? "";
  }

  /** Until the router sends no more requests to the tested version, or nothing but a person will change that. */
  async untilEnd(tested: string, limitSeconds: number): Promise<{ end: End; at: number }> {
    try {
      return await this.#until("an end", limitSeconds * 1000, ({ rollout, weight }) => {
        const { abort, stableRS, pauseConditions = [] } = rollout?.status ?? {};
        const at = Date.now();
        if (stableRS === tested) return { end: "promoted", at };
        if (abort === true && weight === 0) return { end: "taken back", at };
        if (pauseConditions.some(({ reason }) => reason === "InconclusiveAnalysisRun"))
          return { end: "waits for a person", at };
        return undefined;
      });
    } catch (error) {
      if (error instanceof WaitTimeout) return { end: "goes on", at: Date.now() };
      throw error;
    }
  }

  async #until<R>(
    what: string,
    timeoutMs: number,
    decide: (seen: { rollout: Rollout | undefined; weight: number }) => R | undefined,
  ): Promise<R> {
    const { namespace } = this;
    return await waitUntil(
      this.#world.kube,
      {
        rollouts: { resource: resources.Rollout, namespace },
        routes: { resource: traefikService, namespace },
      },
      { what: `${what} in ${namespace}`, timeoutMs, describe: ({ rollouts }) => JSON.stringify(rollouts[0]?.status) },
      ({ rollouts, routes }) => decide({ rollout: rollouts[0], weight: canaryWeightOf(routes[0]) }),
    );
  }
}

/** What a bad version did to the users until it was taken back, or until nothing more would happen by itself. */
export interface Harm {
  end: End;
  /** From the second in which the first bad request ended until the router sent it no more. */
  seconds: number;
  /** From its first weight until its last request ended, which k6 tells to the second; else until nothing more happened. */
  secondsServed: number;
  /** Unix time in seconds: when the router was to send it no more requests, and when the last bad one had ended. */
  at: number;
  lastBadAt: number;
  /** Bad requests of the new version. */
  requests: number;
  /** Failed requests that were not the new version's. */
  others: number;
  /** Requests that were sent, of those that should have been. */
  kept: number;
}

export interface RollOut {
  paths: string[];
  version: string;
  /** Flags of Helm that make it what it is. */
  flags: string[];
  /** From its first weight on. */
  limitSeconds: number;
  /** Whether what ended so was a bad request of the new version; by default what it answered with an error. */
  isBad?: (point: SeriesPoint) => boolean;
}

/** Rolls out a version under traffic until its end; times are Unix time in milliseconds. */
export async function rollOut(
  canary: Canary,
  o: RollOut,
): Promise<{ end: End; testedAt: number; at: number; traffic: LoadResult }> {
  const stable = await canary.stableHash();
  await canary.startTraffic(o.paths, o.limitSeconds + 400);
  await canary.upgrade(o.version, o.flags);
  const tested = await canary.untilTested(stable);
  const testedAt = Date.now();
  const { end, at } = await canary.untilEnd(tested, o.limitSeconds);
  // The router takes up to two seconds to follow.
  if (end === "taken back") await delay(4_000);
  return { end, testedAt, at, traffic: await canary.stopTraffic() };
}

/** Rolls out a bad version and counts what the users got, from outside. */
export async function measureHarm(canary: Canary, o: RollOut): Promise<Harm> {
  const { end, testedAt, at, traffic } = await rollOut(canary, o);
  const isBad = o.isBad ?? (({ version, status }) => version === o.version && hasFailed(status));
  const bad = traffic.series.filter(isBad);
  if (bad.length === 0) throw new Error(`${canary.namespace}: the bad version answered nothing badly`);
  return {
    end,
    seconds: Math.max(0, at / 1000 - Math.min(...bad.map(({ t }) => t))),
    secondsServed:
      (end === "taken back"
        ? lastSecond(traffic.series.filter((point) => point.version === o.version || isBad(point)))
        : at / 1000) -
      testedAt / 1000,
    at: at / 1000,
    lastBadAt: 1 + Math.max(...bad.map(({ t }) => t)),
    requests: sum(bad),
    others: traffic.totals.failed - sum(bad.filter(({ status }) => hasFailed(status))),
    kept: keptRate(traffic),
  };
}

/** Unix time in seconds: the middle of the second in which the last of them ended. */
function lastSecond(points: readonly SeriesPoint[]): number {
  return 0.5 + Math.max(...points.map(({ t }) => t));
}

function sum(points: readonly SeriesPoint[]): number {
  return points.reduce((total, { count }) => total + count, 0);
}

/** Bad requests of some rollouts, as times fewer than those of one that met the same fault. */
export function timesFewer(subject: readonly Harm[], baseline: Harm): { requests: number[]; ratio: Ratio } {
  const requests = subject.map((harm) => harm.requests);
  const fewer = (each: number) => baseline.requests / each;
  const ratio: Ratio = {
    median: fewer(median(requests)),
    min: fewer(Math.max(...requests)),
    max: fewer(Math.min(...requests)),
    reads: "times fewer than the baseline",
    // The baseline's would have gone on.
    isAtLeast: baseline.end !== "taken back",
  };
  return { requests, ratio };
}

/** What became of it, for a person. */
export function harmWords({ end, seconds, requests, others, kept }: Harm): string {
  const what = {
    "taken back": `weight 0 after ${seconds.toFixed(0)} s`,
    "waits for a person": `waits for a person after ${seconds.toFixed(0)} s, still serving`,
    promoted: `promoted after ${seconds.toFixed(0)} s`,
    "goes on": `not taken back within ${seconds.toFixed(0)} s`,
  }[end];
  return [
    `${what}, ${requests} bad`,
    ...(others === 0 ? [] : [`${others} other requests failed`]),
    ...(kept > 0.999 ? [] : [`only ${percent(kept)} of ${rate} requests/s were sent`]),
  ].join(", ");
}

/** Share of the requests that were sent of those that k6 was to send. */
export function keptRate({ totals }: LoadResult): number {
  return totals.requests / (totals.requests + totals.dropped);
}

/** The chart, or a copy of it with other AnalysisTemplates. */
async function chartWith(analysis: string | undefined): Promise<string> {
  if (analysis === undefined) return chart;
  const copy = path.join(await mkdtemp(path.join(tmpdir(), "safe-deploy-chart-")), "myapp");
  await cp(chart, copy, { recursive: true });
  await cp(analysis, path.join(copy, "templates/rollout/analysistemplates.yaml"));
  return copy;
}

/** Works on the items in order, on as many at a time as there are lanes. One that fails is handed to `failed` and left out. */
export async function sideBySide<T, R>(
  lanes: number,
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  failed: (item: T, error: Error) => void,
): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, item] = next;
      try {
        results.push(await work(item, index));
      } catch (error) {
        failed(item, error as Error);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

/** A share of 0 to 1 in words. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
