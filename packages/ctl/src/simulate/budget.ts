import {
  askBudget,
  type BudgetGoal,
  type PlanAssumptions,
  type JudgedSettings,
  judgeSettings,
  planFromValues,
  shareAt,
  type RolloutPlan,
  type RolloutValues,
  watchFor,
} from "@safe-deploy/verdict";
import { stringify } from "yaml";
import { type Settings, type Side, sideLines } from "../commands/simulate.ts";
import { secondsWords } from "../domain/rollout.ts";
import { CtlError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { runBreathing } from "./breathe.ts";
import { align } from "../ui/align.ts";
import { percentDigits, shareWords } from "../ui/simulated-numbers.ts";
import type { Outcome } from "../output.ts";

/** Settings that may keep the budget: what is changed, in words and as values to merge. */
interface Candidate {
  words: string;
  values: Record<string, unknown>;
  plan: RolloutPlan;
}

interface Judged extends Candidate {
  judged: JudgedSettings;
}

/** The metric that is added to watch a rollout all the time. */
const watchName = "budgetErrors";

/** Of good versions settings must promote at least this share, or they are no settings. */
const usefulShare = 0.99;

/**
 * Looks for settings that keep a budget: the values as they are, then watched all the time for the faults in question,
 * and each of them with the first weight lowered as far as needed.
 *
 * @throws CtlError CTL_E_BUDGET with what the best of them keep.
 */
export async function runBudget(
  sides: readonly Side[],
  settings: Settings,
  asked: Pick<BudgetGoal, "budget" | "confidence" | "faults">,
  signal: AbortSignal,
): Promise<Outcome> {
  if (sides.length > 1) {
    throw new CtlError("CTL_E_USAGE", "--budget looks for settings of one rollout, and --against names a second", {
      next: "run it once for each",
    });
  }
  const [side] = sides;
  const { requestsPerSecond, stable } = settings.traffic;
  const goal: BudgetGoal = { ...asked, requestsPerSecond, stable, seed: settings.seed };
  const tried = await runBreathing(tryOut(linesOf(side!, settings, goal), goal), signal);
  const fit = tried.filter(({ judged }) => isFit(judged));
  const table = [
    `Budget: at most ${goal.budget} bad requests in ${percent(goal.confidence)} of rollouts,`,
    `for versions that fail ${percent(goal.faults)} of their requests or more, from the start`,
    "",
    ...tableOf(tried),
  ];
  const json = {
    schemaVersion: 1,
    kind: "budget",
    ...goal,
    settings: tried.map(({ words, values, judged }) => ({ words, values, fits: isFit(judged), ...judged })),
  };
  const best = fit[0];
  if (best === undefined) throw infeasible(side!, tried, table, json);
  const isDefault = Object.keys(best.values).length === 0;
  return {
    exit: ExitCode.ok,
    text: [
      ...sideLines(side!),
      `seed ${goal.seed}; ${requestsPerSecond} requests/s, of which stable fails ${percent(stable)}`,
      "",
      ...table,
      "",
      ...(isDefault
        ? ["The values keep it as they are."]
        : ["Merge this over the values:", "", stringify(best.values).trimEnd()]),
      ...(side!.plan.engine === "sequential" ? ["", sequentialPromise(best.plan, goal)] : []),
      "",
      "Bad requests are those of the worst fault, until it gets no more requests.",
      "A version that turns bad later, at a higher weight, costs more.",
      "",
    ].join("\n"),
    json,
  };
}

function* tryOut(lines: readonly Candidate[][], goal: BudgetGoal): Generator<void, Judged[], void> {
  const tried: Judged[] = [];
  for (const line of lines) {
    for (const candidate of line) {
      const judged = yield* judgeSettings(candidate.plan, goal);
      tried.push({ ...candidate, judged });
      if (isFit(judged)) break;
    }
  }
  return tried;
}

const isFit = ({ kept, good }: JudgedSettings) => kept && good.promoted.share >= usefulShare;

/** Each line begins with the first weight as it is and lowers it, so the first that fits changes least. */
function linesOf({ values, plan }: Side, settings: Settings, goal: BudgetGoal): Candidate[][] {
  const assumptions = settings.assumptions;
  const changes: { words: string; values: Record<string, unknown> }[] = [
    { words: "as it is", values: {} },
    ...(plan.engine === "thresholds"
      ? [
          {
            words: "watched all the time",
            values: {
              rollout: { canary: { background: [...(values.rollout.canary.background ?? []), watchName] } },
              analysis: { metrics: { [watchName]: watchFor(goal.faults) } },
            },
          },
        ]
      : []),
  ];
  const first = plan.steps.find((step) => "setWeight" in step)?.setWeight ?? 100;
  // Without a router pods cannot be split further, and a lower weight is no lower share.
  const lower = [first, 20, 10, 5, 2, 1]
    .filter((weight, index) => index === 0 || weight < first)
    .filter((weight, index, all) => index > 0 && shareAt(plan, weight) < shareAt(plan, all[index - 1]!));
  return changes.map((change) => [
    candidate(values, assumptions, change.words, change.values),
    ...lower.map((weight) =>
      candidate(values, assumptions, `${change.words}, weight ${weight}`, {
        ...change.values,
        rollout: {
          canary: {
            ...(change.values["rollout"] as { canary?: object } | undefined)?.canary,
            steps: values.rollout.canary.steps.map((step, index, all) =>
              index === all.findIndex((each) => "setWeight" in each) ? { setWeight: weight } : step,
            ),
          },
        },
      }),
    ),
  ]);
}

function candidate(
  values: RolloutValues,
  assumptions: PlanAssumptions,
  words: string,
  changes: Record<string, unknown>,
): Candidate {
  return { words, values: changes, plan: planFromValues(merged(values, changes) as RolloutValues, assumptions).plan };
}

/** Maps are merged, everything else is replaced. */
function merged(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) result[key] = key in result ? merged(result[key], value) : value;
  return result;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What the settings cost at worst, and what they do to good versions, in at most 80 columns. */
function tableOf(tried: readonly Judged[]): string[] {
  return align(
    [
      ["", "settings", "bad", "errors", "good promoted", "after"],
      ...tried.map(({ words, judged }) => {
        const worst = judged.costs.reduce((most, each) => (each.bad > most.bad ? each : most));
        const { promoted, seconds } = judged.good;
        return [
          isFit(judged) ? "✓" : "✗",
          words,
          String(worst.bad),
          percent(worst.fault),
          shareWords(promoted),
          seconds === undefined ? "" : secondsWords(seconds.median),
        ];
      }),
    ],
    [2, 3, 4, 5],
  );
}

/** The sequential tests promise more: whenever the version turns bad. */
function sequentialPromise(plan: RolloutPlan, goal: BudgetGoal): string {
  const { policy, gateSeconds, askSeconds } = plan.sequential;
  const weights = plan.steps.flatMap((step) => ("setWeight" in step && step.setWeight < 100 ? [step.setWeight] : []));
  const { summary } = askBudget({
    policy,
    plan: { pollSeconds: plan.scrapeSeconds, scrapeSeconds: plan.scrapeSeconds, horizonSeconds: 1800, gateSeconds },
    budget: goal.budget,
    confidence: goal.confidence,
    requestsPerSecond: goal.requestsPerSecond,
    weights,
    delay: {
      scrape: plan.scrapeSeconds,
      interval: askSeconds,
      reconcile: plan.delay.reconcile,
      router: plan.delay.router,
    },
    stable: goal.stable,
  });
  return `Whenever it turns bad: ${summary}`;
}

function infeasible(side: Side, tried: readonly Judged[], table: readonly string[], json: unknown): CtlError {
  const useful = tried.filter(({ judged }) => judged.good.promoted.share >= usefulShare);
  const worstOf = ({ judged }: Judged) => Math.max(...judged.costs.map(({ bad }) => bad));
  const best = useful.toSorted((a, b) => worstOf(a) - worstOf(b))[0];
  const larger = useful.flatMap(({ judged, words }) => {
    // The faults from which on the budget is kept, up to the worst.
    const from = judged.costs.findLastIndex(({ kept }) => !kept) + 1;
    const fault = judged.costs[from]?.fault;
    return fault === undefined ? [] : [{ fault, words }];
  });
  const easiest = larger.toSorted((a, b) => a.fault - b.fault)[0];
  return new CtlError("CTL_E_BUDGET", `no settings keep it\n${table.map((line) => `  ${line}`).join("\n")}`, {
    next:
      best === undefined
        ? "none of these settings promotes good versions either: with more traffic, or without the metrics that have no data"
        : [
            `allow more: the best of them, ${best.words}, keeps ${worstOf(best)}`,
            ...(easiest === undefined
              ? []
              : [`or ask for larger faults: --faults ${percent(easiest.fault).replace(" ", "")} (${easiest.words})`]),
            ...(side.plan.router ? [] : ["or set rollout.router: without one the first weight is a whole pod's"]),
          ].join("; "),
    details: json,
  });
}

const percent = (ratio: number) => `${percentDigits(ratio)} %`;
