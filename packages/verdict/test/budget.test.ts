import { expect, test } from "vitest";
import { askBudget, type BudgetQuestion } from "../src/budget.ts";
import { defaultPolicy } from "../src/policy.ts";

const question: BudgetQuestion = {
  policy: defaultPolicy,
  plan: { pollSeconds: 1, scrapeSeconds: 1, horizonSeconds: 1800, gateSeconds: 300 },
  budget: 60,
  confidence: 0.99,
  requestsPerSecond: 100,
  weights: [10],
  delay: { scrape: 1, interval: 1, reconcile: 0.5, router: 0.5 },
  stable: 0.001,
};

test("a budget that can be kept is promised up to a weight", () => {
  const answer = askBudget(question);
  expect(answer.feasible).toBe(true);
  expect(answer.highestWeight).toBeGreaterThanOrEqual(10);
  expect(answer.highestWeight).toBeLessThan(50);
  expect(answer.summary).toBe(
    `at most 60 bad requests with 99 % for faults of 2 % or more, while the weight is at most ${answer.highestWeight} and a verdict takes effect within 3 s`,
  );
  expect(askBudget(question)).toEqual(answer);
});

test("a budget that cannot be kept says what would be feasible", () => {
  const answer = askBudget({
    ...question,
    weights: [10, 50],
    delay: { scrape: 5, interval: 5, reconcile: 1, router: 2 },
  });
  expect(answer.feasible).toBe(false);
  expect(answer.costs.map(({ kept }) => kept)).toEqual([false, false]);
  expect(answer.summary).toMatch(
    /^60 bad requests cannot be kept with 99 % for faults of 2 % or more: at weight 10 it takes \d+, of which [\d.]+ come after the verdict \(it takes effect within 13 s\)\. Feasible: keep the weight at or below \d; or allow \d+; or let verdicts take effect within 3 s, which costs \d+ at weight 10$/,
  );
});

test("what it says is feasible is", () => {
  const slow = { ...question, delay: { scrape: 5, interval: 5, reconcile: 1, router: 2 } };
  const { highestWeight, costs } = askBudget(slow);
  const around = askBudget({ ...slow, weights: [highestWeight, highestWeight + 1] });
  expect(around.costs.map(({ kept }) => kept)).toEqual([true, false]);
  expect(askBudget({ ...slow, budget: costs[0]!.bad }).feasible).toBe(true);
});

test("a budget that nothing keeps is told so", () => {
  const { summary, highestWeight } = askBudget({ ...question, budget: 3 });
  expect(highestWeight).toBe(0);
  expect(summary).toContain("no weight keeps it");
  expect(summary).toContain("verdicts that take effect within 3 s still cost");
});
