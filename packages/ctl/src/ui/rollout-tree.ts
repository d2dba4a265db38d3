import {
  type RolloutAnalysisState,
  type RolloutReplicaSet,
  type RolloutState,
  secondsWords,
  stepWords,
} from "../domain/rollout.ts";
import { toldIn } from "../domain/gate-answers.ts";
import type { RolloutVerdict } from "../domain/rollout-verdict.ts";
import { podLine } from "./pod-line.ts";

export interface TreeInput {
  namespace: string;
  state: RolloutState;
  verdict: RolloutVerdict;
  /** Image by the hash of the template that names it. */
  images: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch, by the cluster's clock. */
  now: number;
}

const verdictWords = {
  inFlight: "…",
  promoted: "✓",
  aborted: "✗",
  paused: "‖",
  inconclusive: "?",
  stuck: "✗",
  invalid: "✗",
} as const;

/** A rollout as a tree of lines: steps, weights, analyses with their values and limits, pods. */
export function rolloutTree(input: TreeInput): string[] {
  const { state, verdict, namespace } = input;
  const { wanted, available } = state.replicas;
  return [
    `${verdictWords[verdict.kind]} Rollout ${state.name} in ${namespace}: ${headline(verdict)}`,
    row("strategy", state.strategy === "canary" ? "canary" : "blue-green"),
    ...weightLines(state),
    ...serviceLines(state),
    row("new pods", `${available} of ${wanted} available`),
    ...stepLines(input),
    ...analysisLines(state.analyses),
    ...podLines(input),
  ];
}

function headline(verdict: RolloutVerdict): string {
  return verdict.kind === "inFlight" ? `waiting for ${verdict.why}` : `${verdict.kind}: ${verdict.why}`;
}

function weightLines({ weight }: RolloutState): string[] {
  if (weight === undefined) return [];
  const of = weight.byRouter ? "of the requests, by the router" : "of the pods; there is no router";
  return [row("weight", `canary ${weight.actual} % ${of} (wanted: ${weight.desired} %)`)];
}

function serviceLines({ services, currentHash, stableHash }: RolloutState): string[] {
  if (services === undefined) return [];
  const name = (hash: string | undefined) =>
    hash === undefined
      ? "nothing"
      : `${hash}${hash === stableHash ? " (stable)" : hash === currentHash ? " (new)" : ""}`;
  return [row("active", name(services.active)), row("preview", name(services.preview))];
}

function stepLines({ state, now }: TreeInput): string[] {
  if (state.step === undefined) return [];
  const { index, steps } = state.step;
  const isUnderWay = !state.isPromoted && state.abort === undefined;
  return [
    "  steps:",
    ...steps.map((step, at) => {
      const mark = state.isPromoted || (isUnderWay && at < index) ? "✓" : isUnderWay && at === index ? "▶" : "·";
      const until = state.pause?.untilMs;
      const left = mark === "▶" && until !== undefined ? `, ${secondsWords(Math.max(0, until - now) / 1000)} left` : "";
      return `    ${mark} ${String(at + 1).padStart(String(steps.length).length)} ${stepWords(step)}${left}`;
    }),
  ];
}

const phaseMarks = {
  Pending: "·",
  Running: "▶",
  Successful: "✓",
  Failed: "✗",
  Error: "✗",
  Inconclusive: "?",
} as const;

const kindWords = {
  step: "step",
  background: "background",
  prePromotion: "before promotion",
  postPromotion: "after promotion",
} as const;

function analysisLines(analyses: readonly RolloutAnalysisState[]): string[] {
  if (analyses.length === 0) return [];
  return [
    "  analyses:",
    ...analyses.flatMap((analysis) => [
      `    ${phaseMarks[analysis.phase]} ${kindWords[analysis.kind]}${analysis.step === undefined ? "" : ` ${analysis.step + 1}`}  ${analysis.name}  ${analysis.phase}`,
      ...analysis.metrics.map((metric) => {
        const { successful, failed, inconclusive, error } = metric.counts;
        const told = toldIn(metric.value);
        const value =
          told === undefined
            ? (metric.value ?? (metric.job === undefined ? "no value yet" : `Job ${metric.job}`))
            : `${told.verdict}: ${told.reason}`;
        const wanted = metric.wanted === undefined || told !== undefined ? "" : `, wanted ${metric.wanted}`;
        const dry = metric.isDryRun ? ", only watched" : "";
        return `        ${phaseMarks[metric.phase]} ${metric.name}  ${value}${wanted}  (${successful} good, ${failed} failed, ${inconclusive} inconclusive, ${error} without an answer${dry})`;
      }),
    ]),
  ];
}

function podLines({ state, images, now }: TreeInput): string[] {
  const shown = state.replicaSets.filter(
    ({ pods, roles, wanted }) => pods.length > 0 || roles.length > 0 || wanted > 0,
  );
  if (shown.length === 0) return [row("pods", "none")];
  return ["  pods:", ...shown.flatMap((set) => [setLine(set, images, now), ...podsOfSet(set)])];
}

function setLine(set: RolloutReplicaSet, images: ReadonlyMap<string, string>, now: number): string {
  const roles = set.roles.length === 0 ? "old" : set.roles.join(", ");
  const left = set.scaleDownAt === undefined ? undefined : (Date.parse(set.scaleDownAt) - now) / 1000;
  const until = left === undefined || left <= 0 || set.wanted === 0 ? "" : `, ends in ${secondsWords(left)}`;
  const image = images.get(set.hash);
  return `    ${roles}  ${set.name}  revision ${set.revision}  ${set.ready}/${set.wanted} ready${until}${image === undefined ? "" : `  ${image}`}`;
}

function podsOfSet(set: RolloutReplicaSet): string[] {
  return set.pods
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((pod) => podLine({ pod, isNew: false }))
    .map(
      (pod) =>
        `      ${pod.ready ? "●" : "○"} ${pod.name}  ${pod.state}${pod.restarts > 0 ? `  ${pod.restarts} restarts` : ""}`,
    );
}

function row(name: string, value: string): string {
  return `  ${`${name}:`.padEnd(12)}${value}`;
}
