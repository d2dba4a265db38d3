import type { Pod } from "@safe-deploy/kube";
import { start, step } from "@safe-deploy/verdict";
import { CounterReader } from "./exposition.ts";
import { incidentsOf } from "./incidents.ts";
import { addPoint, newPath } from "./path.ts";
import { type Answer, type AttemptRecord, attemptName, type Ended } from "./record.ts";
import type { ReleaseSettings } from "./release-settings.ts";
import type { Scraper } from "./scrape.ts";
import { type Sampled, takeSamples, type Unanswered, type VersionPods } from "./take-samples.ts";
import type { Update } from "./update.ts";

/** What an attempt sees of the cluster at the moment of a look. */
export interface Surroundings {
  update: Update;
  canaryPods: Pod[];
  stablePods: Pod[];
  /** How old what is known of the cluster may be, and why; undefined while it is followed. */
  trouble: { ageMs: number; message: string } | undefined;
}

/** One try to bring a version in: looks again and again, and keeps what it has seen in its record. */
export class Attempt {
  readonly record: AttemptRecord;
  readonly #settings: ReleaseSettings;
  readonly #reader: CounterReader;
  readonly #unanswered: Unanswered = new Map();
  /** How many pods the last look asked. */
  targets = 0;

  constructor(record: AttemptRecord, settings: ReleaseSettings) {
    this.record = record;
    // The policy is fixed before the rollout begins: what the release says later is for the next attempt.
    this.#settings = { ...settings, policy: record.state.policy, plan: record.state.plan };
    this.#reader = new CounterReader(this.#settings);
  }

  /** @throws PolicyError */
  static begin(update: Update, number: number, settings: ReleaseSettings, now: number): Attempt {
    const { uid: rolloutUid, canary, stable } = update;
    const attempt = attemptName({ rolloutUid, canary, number });
    const record: AttemptRecord = {
      schemaVersion: 1,
      rolloutUid,
      canary,
      stable,
      number,
      startedAt: now,
      ended: null,
      endings: {},
      state: start(attempt, settings.policy, settings.plan, now),
      answer: null,
      path: newPath(),
    };
    return new Attempt(record, settings);
  }

  /** Between two looks, in seconds, unless the samples are Prometheus' own. */
  get scrapeSeconds(): number {
    const { plan, prometheus } = this.#settings;
    return this.record.answer?.source === "prometheus" && prometheus !== undefined
      ? prometheus.scrapeSeconds
      : plan.scrapeSeconds;
  }

  /** Takes a sample of each pod and judges. */
  async look(surroundings: Surroundings, scraper: Scraper): Promise<{ answer: Answer; sampled: Sampled }> {
    const { update, canaryPods, stablePods, trouble } = surroundings;
    const { record } = this;
    const versions: VersionPods[] = [
      {
        version: "canary",
        hash: update.canary,
        pods: canaryPods,
        isNeeded: update.weight > 0 || (!update.stableServes && canaryPods.length > 0),
      },
      // Who takes no requests is not compared with.
      ...(update.stableServes
        ? [{ version: "stable" as const, hash: update.stable, pods: stablePods, isNeeded: true }]
        : []),
    ];
    this.targets = versions.reduce((sum, { pods }) => sum + pods.length, 0);
    const sampled = await takeSamples(versions, {
      namespace: update.namespace,
      settings: this.#settings,
      reader: this.#reader,
      scraper,
      unanswered: this.#unanswered,
    });
    const staleMs = record.state.policy.staleSeconds * 1000;
    const blindness =
      trouble !== undefined && trouble.ageMs > staleMs
        ? [
            `the cluster has not been followed for ${Math.round(trouble.ageMs / 1000)} s, so the weight is not known (${trouble.message})`,
          ]
        : [];
    const now = Date.now();
    const { state, result } = step(record.state, {
      now,
      weight: update.weight,
      stableServes: update.stableServes,
      samples: sampled.samples,
      gone: this.#gone([...canaryPods, ...stablePods]),
      incidents: incidentsOf(canaryPods, record.endings, record.startedAt),
      problems: [...blindness, ...sampled.problems],
    });
    record.state = state;
    addPoint(record.path, now, update.weight, result);
    const { evidence: _, ...rest } = result;
    const answer = { ...rest, attempt: state.attempt, at: now, weight: update.weight, source: sampled.source };
    record.answer = answer;
    return { answer, sampled };
  }

  end(how: Ended, now: number): void {
    this.record.ended = { at: now, how };
  }

  /** Series of pods that are no more. */
  #gone(pods: readonly Pod[]): string[] {
    const present = new Set(pods.map(({ metadata }) => metadata.name));
    const known = Object.keys(this.record.state.counters.series).map((key) => key.split("/").slice(2).join("/"));
    const gone = known.filter((pod) => !present.has(pod));
    for (const pod of gone) this.#unanswered.delete(pod);
    return gone;
  }
}
