import { setTimeout as delay } from "node:timers/promises";
import { isReady, type Rollout } from "@safe-deploy/kube";
import { Attempt, type Surroundings } from "./attempt.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { Log } from "./log.ts";
import type { OwnMetrics } from "./own-metrics.ts";
import { type Answer, type AttemptRecord, type RecordStore, wasRetried } from "./record.ts";
import { parseSettings, type ReleaseSettings, settingsAnnotation, SettingsError } from "./release-settings.ts";
import { Scraper } from "./scrape.ts";
import { isOfRollout, type Update, updateOf } from "./update.ts";

/** Pods that are asked in a second, by all attempts together: with more to ask, each is asked less often. */
const scrapesPerSecond = 500;
/** Records that are written in a second, likewise, and the shortest time between two of one attempt, in ms. */
const savesPerSecond = 5;
const shortestSaveMs = 5_000;

/** What is known of one Rollout. */
export type Standing =
  | { kind: "unknown" }
  | { kind: "notAsking" }
  /** It asks for verdicts, but not in a way that can be kept. */
  | { kind: "refused"; canary: string | undefined; problem: string }
  | { kind: "idle"; last: AttemptRecord | undefined }
  /** `everySeconds`: from one look to the next. */
  | { kind: "judged"; record: AttemptRecord; everySeconds: number };

interface Followed {
  /** What happens to a Rollout is taken up in order, one after the other. */
  queue: Promise<void>;
  current?: { attempt: Attempt; end: AbortController };
  last?: AttemptRecord;
  isLoaded: boolean;
  problem?: { canary: string | undefined; text: string };
}

export interface JudgeOptions {
  cluster: ClusterState;
  store: RecordStore;
  metrics: OwnMetrics;
  log: Log;
  signal: AbortSignal;
  /** Whether a Rollout is judged here; default: all that ask for it. */
  isMine?: (key: string) => boolean;
}

/** Begins an attempt for each update of a Rollout that asks for it, looks until it is over, and ends it. */
export class RolloutJudge {
  readonly #o: JudgeOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #scraper = new Scraper();
  readonly #readers = new Set<() => void>();
  readonly #saving = new Map<string, Promise<void>>();

  constructor(options: JudgeOptions) {
    this.#o = options;
    options.cluster.onRollout((key, rollout, isFirst) => this.#changed(key, rollout, isFirst));
    options.signal.addEventListener("abort", () => this.#scraper.close(), { once: true });
  }

  get open(): number {
    return [...this.#followed.values()].filter(({ current }) => current !== undefined).length;
  }

  /** Of how many open attempts the newest answer is blind. */
  get blind(): number {
    return [...this.#followed.values()].filter(({ current, problem }) =>
      problem === undefined ? current?.attempt.record.answer?.verdict === "blind" : true,
    ).length;
  }

  standing(namespace: string, name: string): Standing {
    const key = `${namespace}/${name}`;
    const rollout = this.#o.cluster.rollout(key);
    if (rollout === undefined) return { kind: "unknown" };
    if (rollout.metadata.annotations?.[settingsAnnotation] === undefined) return { kind: "notAsking" };
    const followed = this.#followed.get(key);
    if (followed?.problem !== undefined) {
      return { kind: "refused", canary: followed.problem.canary, problem: followed.problem.text };
    }
    if (followed?.current !== undefined) {
      const { attempt } = followed.current;
      return { kind: "judged", record: attempt.record, everySeconds: this.#spacingMs(attempt) / 1000 };
    }
    return { kind: "idle", last: followed?.last };
  }

  /** The last attempt of a Rollout, also one that ended before this process began. */
  async lastRecord(namespace: string, name: string): Promise<AttemptRecord | undefined> {
    const followed = this.#followed.get(`${namespace}/${name}`);
    return (
      followed?.current?.attempt.record ?? followed?.last ?? (await this.#o.store.load(namespace, name)) ?? undefined
    );
  }

  /** Resolves at the next answer of any attempt, or after `ms`. */
  async nextAnswer(ms: number): Promise<void> {
    let answered = () => {};
    const answer = new Promise<void>((resolve) => (answered = resolve));
    this.#readers.add(answered);
    const late = new AbortController();
    await Promise.race([answer, delay(ms, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    this.#readers.delete(answered);
  }

  /** Writes every open record; for the end of the process. */
  async saveAll(): Promise<void> {
    const open = [...this.#followed].flatMap(([key, { current }]) => (current === undefined ? [] : [{ key, current }]));
    await Promise.all(open.map(async ({ key, current }) => await this.#save(key, current.attempt.record)));
  }

  #changed(key: string, rollout: Rollout | undefined, isFirst: boolean): void {
    if (this.#o.isMine?.(key) === false) return;
    const asks = rollout?.metadata.annotations?.[settingsAnnotation] !== undefined;
    let followed = this.#followed.get(key);
    if (followed === undefined) {
      if (!asks) return;
      followed = { queue: Promise.resolve(), isLoaded: false };
      this.#followed.set(key, followed);
    }
    const taken = followed;
    taken.queue = taken.queue
      .then(async () => await this.#take(key, taken, asks ? rollout : undefined, isFirst))
      .catch((error: unknown) => this.#o.log.error({ rollout: key, error: (error as Error).message }, "not followed"));
  }

  async #take(key: string, followed: Followed, rollout: Rollout | undefined, isFirst: boolean): Promise<void> {
    delete followed.problem;
    if (rollout === undefined) {
      await this.#end(key, followed, "superseded", { isGone: true });
      this.#followed.delete(key);
      return;
    }
    const update = this.#updateOf(rollout);
    if (update === undefined) return await this.#end(key, followed, "promoted");
    if (update.isAborted) return await this.#end(key, followed, "aborted");

    const record = followed.current?.attempt.record;
    if (record !== undefined && record.rolloutUid === update.uid && record.canary === update.canary) {
      // A new list may hide that it was taken back and tried again in between.
      const isRetry = isFirst && record.state.failed !== null && (await this.#wasRetried(update, record));
      if (!isRetry) return;
    }
    await this.#end(key, followed, "superseded");
    await this.#begin(key, followed, update, rollout.metadata.annotations![settingsAnnotation]!);
  }

  async #begin(key: string, followed: Followed, update: Update, text: string): Promise<void> {
    let settings: ReleaseSettings;
    try {
      settings = parseSettings(text);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      followed.problem = { canary: update.canary, text: error.message };
      this.#o.log.warn({ rollout: key, problem: error.message }, "refused");
      return;
    }
    const last = followed.last ?? (followed.isLoaded ? undefined : await this.#load(key, followed, update));
    const goesOn =
      last !== undefined &&
      last.ended === null &&
      last.rolloutUid === update.uid &&
      last.canary === update.canary &&
      Date.now() - (last.answer?.at ?? last.startedAt) < 1000 * last.state.plan.horizonSeconds &&
      !(last.state.failed !== null && (await this.#wasRetried(update, last)));
    const number = last?.rolloutUid === update.uid ? last.number + 1 : 1;
    const attempt = goesOn ? new Attempt(last, settings) : Attempt.begin(update, number, settings, Date.now());
    const end = new AbortController();
    followed.current = { attempt, end };
    delete followed.last;
    this.#o.log.info({ rollout: key, attempt: attempt.record.state.attempt, goesOn }, "judging");
    void this.#lookAgainAndAgain(key, attempt, AbortSignal.any([end.signal, this.#o.signal])).catch((error: unknown) =>
      this.#o.log.error({ rollout: key, error: (error as Error).stack }, "looking ended"),
    );
  }

  async #load(key: string, followed: Followed, { namespace, name }: Update): Promise<AttemptRecord | undefined> {
    const last = await this.#o.store.load(namespace, name);
    followed.isLoaded = true;
    if (last !== undefined) this.#o.log.info({ rollout: key, attempt: last.state.attempt }, "found");
    return last;
  }

  async #end(
    key: string,
    followed: Followed,
    how: "promoted" | "aborted" | "superseded",
    { isGone = false }: { isGone?: boolean } = {},
  ): Promise<void> {
    const { current } = followed;
    if (current === undefined) {
      // What a process before this one left open must not go on at a retry.
      if (how === "aborted" && !followed.isLoaded) await this.#endUnseen(key, followed);
      return;
    }
    current.end.abort();
    current.attempt.end(how, Date.now());
    followed.last = current.attempt.record;
    followed.isLoaded = true;
    delete followed.current;
    this.#o.log.info({ rollout: key, attempt: followed.last.state.attempt, how }, "over");
    if (!isGone) await this.#save(key, followed.last);
  }

  async #endUnseen(key: string, followed: Followed): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    const last = await this.#o.store.load(namespace, name);
    followed.isLoaded = true;
    if (last === undefined) return;
    followed.last = last;
    if (last.ended !== null) return;
    last.ended = { at: Date.now(), how: "aborted" };
    await this.#save(key, last);
  }

  async #wasRetried({ namespace, canary }: Update, record: AttemptRecord): Promise<boolean> {
    return wasRetried(await this.#o.store.analysisRuns(namespace, canary), record);
  }

  async #lookAgainAndAgain(key: string, attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { metrics, log } = this.#o;
    // Attempts that go on after a start of the service would else all be written at the same moment.
    let savedAt = performance.now() - Math.random() * this.#saveSpacingMs();
    let before: Answer | undefined = attempt.record.answer ?? undefined;
    while (!signal.aborted) {
      const startedAt = performance.now();
      const surroundings = this.#surroundings(key);
      if (surroundings !== undefined && surroundings.update.canary === attempt.record.canary) {
        const { answer, sampled } = await attempt.look(surroundings, this.#scraper);
        metrics.looked(answer, sampled.errors, before);
        // What passed passes again from the counters that go on; what failed must never be looked at anew.
        const hasFailed = answer.verdict === "fail" && before?.verdict !== "fail";
        if (answer.verdict !== before?.verdict) {
          log.info({ rollout: key, verdict: answer.verdict, weight: answer.weight, reason: answer.reason }, "verdict");
        }
        before = answer;
        for (const answered of this.#readers) answered();
        if (hasFailed || performance.now() - savedAt > this.#saveSpacingMs()) {
          savedAt = performance.now();
          // Looking does not wait for an API server that is slow.
          void this.#save(key, attempt.record);
        }
      }
      const left = this.#spacingMs(attempt) - (performance.now() - startedAt);
      await delay(Math.max(0, left), undefined, { signal }).catch(() => {});
    }
  }

  /** Between two looks of an attempt, in milliseconds. */
  #spacingMs(attempt: Attempt): number {
    let targets = 0;
    for (const { current } of this.#followed.values()) targets += current?.attempt.targets ?? 0;
    return 1000 * Math.max(attempt.scrapeSeconds, targets / scrapesPerSecond);
  }

  #saveSpacingMs(): number {
    return Math.max(shortestSaveMs, (1000 * this.open) / savesPerSecond);
  }

  /** Writes a record after what was to be written of it before. Never fails: what could not be written is said. */
  async #save(key: string, record: AttemptRecord): Promise<void> {
    const [namespace = "", name = ""] = key.split("/");
    const saved = (this.#saving.get(key) ?? Promise.resolve()).then(async () => {
      try {
        await this.#o.store.save({ namespace, name, uid: record.rolloutUid }, record);
      } catch (error) {
        this.#o.metrics.saveFailed();
        this.#o.log.error({ rollout: key, error: (error as Error).message }, "the record was not saved");
      }
    });
    this.#saving.set(key, saved);
    await saved;
    if (this.#saving.get(key) === saved) this.#saving.delete(key);
  }

  #updateOf(rollout: Rollout): Update | undefined {
    const { namespace = "" } = rollout.metadata;
    const canaries = this.#o.cluster.podsOf(namespace, rollout.status?.currentPodHash ?? "");
    return updateOf(rollout, canaries.filter((pod) => isReady(pod) && isOfRollout(pod, rollout)).length);
  }

  #surroundings(key: string): Surroundings | undefined {
    const { cluster } = this.#o;
    const rollout = cluster.rollout(key);
    if (rollout === undefined) return undefined;
    const update = this.#updateOf(rollout);
    if (update === undefined) return undefined;
    const podsOf = (hash: string) => cluster.podsOf(update.namespace, hash).filter((pod) => isOfRollout(pod, rollout));
    return {
      update,
      canaryPods: podsOf(update.canary),
      stablePods: podsOf(update.stable),
      trouble: cluster.trouble(Date.now()),
    };
  }
}
