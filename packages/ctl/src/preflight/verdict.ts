import type { AnalysisTemplate, KubeObject, Rollout } from "@safe-deploy/kube";
import { askBudget, defaultAssumptions } from "@safe-deploy/verdict";
import {
  type AttemptRecord,
  parseSettings,
  type ReleaseSettings,
  settingsAnnotation,
  SettingsError,
} from "@safe-deploy/verdict-service";
import { durationSeconds } from "../domain/rollout.ts";
import { type Finding, ok, refused, unknown } from "./finding.ts";

const check = "verdict";
const confidence = 0.99;

/** Of the record of an attempt, what tells the traffic and how often it was looked at. */
export type Seen = { state: Pick<AttemptRecord["state"], "startedAt" | "lastNow" | "totals"> } & {
  path: Pick<AttemptRecord["path"], "looks">;
};

/**
 * Whether the sequential engine can judge by its settings, and whether the budget of bad requests that they state can be
 * kept, up to which weight, with the traffic and the pace of looks of the attempt before. Undefined where the engine is
 * not asked, or no budget is stated.
 */
export async function verdictFinding(
  objects: readonly KubeObject[],
  readBefore: () => Promise<Seen | undefined>,
): Promise<Finding | undefined> {
  const rollout = objects.find(({ kind }) => kind === "Rollout") as Rollout | undefined;
  const text = rollout?.metadata.annotations?.[settingsAnnotation];
  if (rollout === undefined || text === undefined) return undefined;
  let settings: ReleaseSettings;
  try {
    settings = parseSettings(text);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return refused(check, error.problems.join("; "), "correct analysis.sequential in the values");
  }
  const { policy, plan } = settings;
  const gate = gateOf(rollout, objects);
  if (policy.budget === undefined || gate === undefined) return undefined;
  const traffic = trafficOf(await readBefore());
  if (traffic === undefined) {
    return unknown(
      check,
      `no attempt was seen yet, so nobody knows how many requests a second there are, and what ${policy.budget} bad requests allow`,
      `ctl simulate -f values.yaml --budget ${policy.budget} --requests-per-second NUMBER`,
    );
  }
  const weights = (rollout.spec.strategy.canary?.steps ?? []).flatMap(({ setWeight = 0 }) =>
    setWeight > 0 ? [setWeight] : [],
  );
  const first = Math.min(...weights, 100);
  const { reconcile, router } = defaultAssumptions.delay;
  const { feasible, highestWeight, summary } = askBudget({
    policy,
    plan,
    budget: policy.budget,
    confidence,
    requestsPerSecond: traffic.requestsPerSecond,
    weights: [first],
    delay: { scrape: Math.max(plan.scrapeSeconds, traffic.secondsBetweenLooks), interval: gate, reconcile, router },
    stable: traffic.stable,
  });
  const measured = `at ${digits(traffic.requestsPerSecond)} requests/s and a look every ${digits(traffic.secondsBetweenLooks)} s, as in the attempt before`;
  if (!feasible) {
    const next =
      "change rollout.canary.steps or analysis.sequential.policy.budget; --skip-preflight deploys without the promise";
    return refused(check, `${measured}, ${summary}`, next);
  }
  const above = weights.filter((weight) => weight > highestWeight);
  const unpromised = above.length === 0 ? "" : `; nothing is promised at ${above.join(" and ")}`;
  return { ...ok(check, `${summary} (${measured})${unpromised}`), isTold: true };
}

/** Between two questions of the controller, in seconds; 0 where a Job judges. Undefined where no gate asks the engine. */
function gateOf(rollout: Rollout, objects: readonly KubeObject[]): number | undefined {
  const name = `${rollout.metadata.name}-sequential`;
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const asks = steps.some(({ analysis }) => analysis?.templates?.some(({ templateName }) => templateName === name));
  const template = objects.find(({ kind, metadata }) => kind === "AnalysisTemplate" && metadata.name === name);
  if (!asks || template === undefined) return undefined;
  const intervals = ((template as AnalysisTemplate).spec.metrics ?? []).map(({ interval }) => interval ?? 0);
  return Math.max(...intervals.map(durationSeconds));
}

function trafficOf(seen: Seen | undefined) {
  if (seen === undefined) return undefined;
  const { startedAt, lastNow, totals } = seen.state;
  const seconds = (lastNow - startedAt) / 1000;
  const requests = totals.canary.requests + totals.stable.requests;
  if (seconds <= 0 || requests === 0 || seen.path.looks === 0) return undefined;
  return {
    requestsPerSecond: requests / seconds,
    secondsBetweenLooks: seconds / seen.path.looks,
    stable: totals.stable.requests === 0 ? 0 : totals.stable.bad / totals.stable.requests,
  };
}

const digits = (value: number) => String(Number(value.toPrecision(2)));
