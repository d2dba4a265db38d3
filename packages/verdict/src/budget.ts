import { firstAbsolute, type Plan, type Policy } from "./policy.ts";
import { Random } from "./random.ts";
import { type Cell, play } from "./simulator/counted-rollouts.ts";

/** What passes between a bad answer and the moment at which the canary gets no more requests, in seconds. */
export interface Delay {
  /** Until the answer is in a sample: at most this, uniformly. */
  scrape: number;
  /** Until the controller asks for the verdict: at most this, uniformly. */
  interval: number;
  /** From the verdict to the new weight in the router's configuration. */
  reconcile: number;
  /** Until every instance of the router keeps to it. */
  router: number;
}

export interface BudgetQuestion {
  policy: Policy;
  plan: Plan;
  /** At most so many bad requests, from the moment the version is bad. */
  budget: number;
  /** With this probability; 0.99 is usual. */
  confidence: number;
  /** Of both versions together. */
  requestsPerSecond: number;
  /** Of the plan's steps, in percent. */
  weights: number[];
  delay: Delay;
  /** Stable's usual share of bad requests. */
  stable: number;
}

/** What a fault costs at one weight. */
export interface Cost {
  weight: number;
  /** Bad requests that are not exceeded with the asked confidence, for the costliest fault. */
  bad: number;
  /** The share of bad requests of that fault. */
  fault: number;
  /** Its mean, and how much of the mean comes after the verdict. */
  mean: number;
  afterVerdict: number;
  /** Whether it is within the budget. */
  kept: boolean;
}

export interface BudgetAnswer {
  feasible: boolean;
  /** The highest weight up to which the budget is kept; 0 when there is none. Above it nothing is promised. */
  highestWeight: number;
  costs: Cost[];
  /** In plain words: what is promised, or what would have to change. */
  summary: string;
}

/** Simulated faults for each share and weight. */
const faultsPerCell = 4000;
const seed = 1;

/**
 * What a budget of bad requests allows: for each of the plan's weights the cost of faults of p1 and more, from the
 * moment the version turns bad, until the canary gets no more requests.
 *
 * Simulated with the tests themselves, because both must reject and looks come at their own times; a fixed seed makes
 * the answer repeat. Every bad request of the canary counts, also those that stable would have had, so the promise is
 * kept for the excess as well.
 */
export function askBudget(question: BudgetQuestion): BudgetAnswer {
  const cost = costAt(question);
  const costs = question.weights.map(cost);
  const feasible = costs.every(({ kept }) => kept);
  const highestWeight = highestKept((weight) => isKept(question, weight));
  return { feasible, highestWeight, costs, summary: summarize(question, costs, highestWeight, cost) };
}

/** The worst fault comes first, so a weight that is too high is found at once. */
function isKept(question: BudgetQuestion, weight: number): boolean {
  return faultsOf(question).every((fault) => costOf(question, weight, fault).kept);
}

/** Costs rise with the weight, so halving finds the highest that is kept. */
function highestKept(kept: (weight: number) => boolean): number {
  let low = 0;
  let high = 100;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (kept(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Shares of bad requests from all down to p1, each about a fourth of the one before. */
function faultsOf({ policy }: BudgetQuestion): number[] {
  const { p1 } = firstAbsolute(policy).absolute;
  const steps = Math.max(1, Math.ceil(Math.log2(1 / p1) / 2));
  return Array.from({ length: steps + 1 }, (_, index) => p1 ** (index / steps));
}

function costAt(question: BudgetQuestion): (weight: number) => Cost {
  const known = new Map<number, Cost>();
  return (weight) => {
    let cost = known.get(weight);
    if (cost === undefined) {
      const all = faultsOf(question).map((fault) => costOf(question, weight, fault));
      cost = all.reduce((worst, each) => (each.bad > worst.bad ? each : worst));
      known.set(weight, cost);
    }
    return cost;
  };
}

function costOf(question: BudgetQuestion, weight: number, fault: number): Cost {
  const { policy, plan, requestsPerSecond, delay, stable, confidence, budget } = question;
  const cell: Cell = {
    policy,
    plan,
    requestsPerSecond,
    weight,
    phases: [{ from: 0, canary: fault, stable }],
    stableServes: weight < 100,
    lag: 0,
    burst: 1,
    // A version that is bad from the start meets both tests, so it never costs more.
    wasGood: true,
  };
  const { bad } = play(cell, faultsPerCell, seed);
  const random = new Random(seed + 1);
  const perSecond = (requestsPerSecond * weight * fault) / 100;
  let after = 0;
  for (let run = 0; run < bad.length; run++) {
    const seconds =
      delay.scrape * random.uniform() + delay.interval * random.uniform() + delay.reconcile + delay.router;
    const late = random.poisson(perSecond * seconds);
    after += late;
    bad[run]! += late;
  }
  bad.sort();
  const quantile = bad[Math.ceil(confidence * bad.length) - 1]!;
  const mean = bad.reduce((sum, each) => sum + each, 0) / bad.length;
  return { weight, bad: quantile, fault, mean, afterVerdict: after / bad.length, kept: quantile <= budget };
}

function summarize(
  question: BudgetQuestion,
  costs: readonly Cost[],
  highestWeight: number,
  cost: (weight: number) => Cost,
): string {
  const { budget, confidence, delay, policy } = question;
  const sure = `with ${percent(confidence)} for faults of ${percent(firstAbsolute(policy).absolute.p1)} or more`;
  const seconds = delay.scrape + delay.interval + delay.reconcile + delay.router;
  const broken = costs.filter(({ kept }) => !kept);
  if (broken.length === 0) {
    return `at most ${budget} bad requests ${sure}, while the weight is at most ${highestWeight} and a verdict takes effect within ${round(seconds)} s`;
  }
  const first = broken[0]!;
  const swift = costAt({ ...question, delay: { scrape: 1, interval: 1, reconcile: 0.5, router: 0.5 } })(first.weight);
  const ways = [
    ...(highestWeight > 0 ? [`keep the weight at or below ${highestWeight}`] : []),
    `allow ${Math.max(...broken.map(({ bad }) => bad))}`,
    ...(swift.kept ? [`let verdicts take effect within 3 s, which costs ${swift.bad} at weight ${first.weight}`] : []),
  ];
  const hopeless = [
    ...(highestWeight > 0 ? [] : [`no weight keeps it: at weight 1 it takes ${cost(1).bad}`]),
    ...(swift.kept ? [] : [`verdicts that take effect within 3 s still cost ${swift.bad} at weight ${first.weight}`]),
  ];
  const cannot = `${budget} bad requests cannot be kept ${sure}: at weight ${first.weight} it takes ${first.bad}, of which ${round(first.afterVerdict)} come after the verdict (it takes effect within ${round(seconds)} s)`;
  return `${[cannot, ...hopeless].join("; ")}. Feasible: ${ways.join("; or ")}`;
}

const percent = (ratio: number) => `${round(100 * ratio)} %`;
const round = (value: number) => String(Number(value.toPrecision(3)));
