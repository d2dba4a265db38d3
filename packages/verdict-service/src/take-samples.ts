import { isReady, type Pod } from "@safe-deploy/kube";
import type { Sample, Version } from "@safe-deploy/verdict";
import type { CounterReader, Readout } from "./exposition.ts";
import { askPrometheus } from "./prometheus.ts";
import type { Source } from "./record.ts";
import type { ReleaseSettings } from "./release-settings.ts";
import { ScrapeError, type Scraper } from "./scrape.ts";

export interface Sampled {
  samples: Sample[];
  source: Source;
  /** What could not be seen, in plain words. */
  problems: string[];
  /** Pods that were asked and did not answer. */
  errors: number;
}

/** The pods of one version, and whether it has to be seen. */
export interface VersionPods {
  version: Version;
  hash: string;
  pods: readonly Pod[];
  isNeeded: boolean;
}

/** For each pod since when it has not answered, in milliseconds since the epoch. */
export type Unanswered = Map<string, number>;

/** A version whose pods have all been silent for so many looks cannot be seen. */
const missedLooks = 3;

export interface SampleOptions {
  namespace: string;
  settings: ReleaseSettings;
  reader: CounterReader;
  scraper: Scraper;
  unanswered: Unanswered;
}

interface Answers {
  samples: Sample[];
  failures: { pod: Pod; why: string }[];
  /** For each pod that answered, but does not export what is counted, what that is. */
  missing: string[];
}

/**
 * One sample of each pod. The canary's pods are asked first and stable's when they have all answered: what is counted of
 * the canary is then never later than what is counted of stable, and nothing of it has to wait.
 */
export async function takeSamples(versions: readonly VersionPods[], o: SampleOptions): Promise<Sampled> {
  const samples: Sample[] = [];
  const problems: string[] = [];
  let errors = 0;
  for (const version of versions.toSorted(({ version }) => (version === "canary" ? -1 : 1))) {
    const answers = await askPods(version, o);
    samples.push(...answers.samples);
    errors += answers.failures.length;
    problems.push(...problemsOf(version, answers, o));
  }
  const { prometheus } = o.settings;
  if (problems.length === 0 || prometheus === undefined) return { samples, source: "pods", problems, errors };

  try {
    const scraped = await askPrometheus(prometheus, {
      namespace: o.namespace,
      hashes: versions.map(({ hash }) => hash),
      reader: o.reader,
    });
    const readouts = versions.map(({ version, hash, pods, isNeeded }) => {
      const own = scraped.filter(
        (each) => each.hash === hash && pods.some(({ metadata }) => metadata.name === each.pod),
      );
      const usable = own.filter(({ readout }) => readout.missing === undefined);
      return { version, hash, isNeeded, usable, missing: own[0]?.readout.missing ?? o.settings.names.requests };
    });
    const found = readouts.flatMap(({ version, usable }) =>
      usable.map(({ pod, at, readout }) => sampleOf(version, pod, at, readout)),
    );
    const unseen = readouts.filter(({ isNeeded, usable }) => isNeeded && usable.length === 0);
    // What both sources have is the same counter: the older reading of it says nothing new.
    return {
      samples: [...samples, ...found],
      source: "prometheus",
      problems: unseen.map(
        ({ version, hash, missing }) =>
          `Prometheus at ${new URL(prometheus.address).host} has no ${missing} of the ${version} version (${prometheus.hashLabel}=${hash}), and its pods do not tell it either`,
      ),
      errors,
    };
  } catch (error) {
    return { samples, source: "prometheus", problems: [...problems, (error as Error).message], errors };
  }
}

async function askPods(
  { version, pods }: VersionPods,
  { scraper, settings, reader, unanswered }: SampleOptions,
): Promise<Answers> {
  const answers: Answers = { samples: [], failures: [], missing: [] };
  await Promise.all(
    pods.map(async (pod) => {
      const { podIP, phase } = pod.status ?? {};
      if (podIP === undefined || phase !== "Running") return;
      try {
        const text = await scraper.text(podIP, settings.metrics.port, settings.metrics.path);
        const readout = reader.readText(text);
        if (readout.missing === undefined)
          answers.samples.push(sampleOf(version, pod.metadata.name, Date.now(), readout));
        else answers.missing.push(readout.missing);
        unanswered.delete(pod.metadata.name);
      } catch (error) {
        if (!(error instanceof ScrapeError)) throw error;
        if (!unanswered.has(pod.metadata.name)) unanswered.set(pod.metadata.name, Date.now());
        answers.failures.push({ pod, why: error.message });
      }
    }),
  );
  return answers;
}

function sampleOf(version: Version, pod: string, at: number, readout: Readout): Sample {
  const { missing: _, ...counters } = readout;
  return { series: pod, version, source: "app", at, ...counters };
}

function problemsOf({ version, isNeeded }: VersionPods, answers: Answers, o: SampleOptions): string[] {
  if (!isNeeded) return [];
  const { metrics, policy } = o.settings;
  // Pods that start or stop need not answer, and one that is busy may miss a look or two.
  const graceMs = missedLooks * o.settings.plan.scrapeSeconds * 1000;
  const serving = answers.failures.filter(
    ({ pod }) =>
      pod.metadata.deletionTimestamp === undefined &&
      isReady(pod) &&
      Date.now() - (o.unanswered.get(pod.metadata.name) ?? Infinity) >= graceMs,
  );
  const [first] = serving;
  if (answers.samples.length === 0) {
    const [missing] = answers.missing;
    if (missing !== undefined) return [`no pod of the ${version} version exports ${missing}`];
    if (first === undefined) return [];
    const { why, pod } = first;
    return [
      `no pod of the ${version} version tells its counters (${serving.length} asked; ${pod.metadata.name}:${metrics.port}${metrics.path}: ${why})`,
    ];
  }
  const staleMs = policy.staleSeconds * 1000;
  const silent = serving.filter(({ pod }) => Date.now() - (o.unanswered.get(pod.metadata.name) ?? Infinity) > staleMs);
  if (silent.length === 0) return [];
  const { pod, why } = silent[0]!;
  return [
    `${silent.length} of the pods of the ${version} version have not told their counters for ${policy.staleSeconds} s (${pod.metadata.name}: ${why})`,
  ];
}
