import { finish, playRollouts, scenarios, summarize, type RolloutPlan, defaultPolicy } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { align } from "../../src/ui/align.ts";
import { countWords, percentDigits } from "../../src/ui/simulated-numbers.ts";
import { type SideSimulation, simulationTable } from "../../src/ui/simulation-table.ts";
import { wrapItems } from "../../src/ui/wrap.ts";

const plan: RolloutPlan = {
  steps: [{ setWeight: 10 }, { pauseSeconds: 30 }, { setWeight: 100 }],
  background: { metrics: [], fromStep: 1 },
  router: true,
  replicas: 3,
  surges: true,
  scrapeSeconds: 5,
  delay: { scaleUp: 2, reconcile: 0.3, router: 1 },
  clockSeconds: 1,
  engine: "thresholds",
  sequential: { policy: defaultPolicy, gateSeconds: 300, askSeconds: 5 },
};
const options = { rollouts: 100, seed: 1, horizonSeconds: 100 };
const of = (side: string, scenario = scenarios.healthy()): SideSimulation => ({
  side,
  simulation: summarize(plan, scenario, finish(playRollouts(plan, scenario, options)), options),
});

test("a narrow terminal has what matters, a wide one has it all", () => {
  const sides = [of("A"), of("B"), of("A", scenarios.buggy(0.05)), of("B", scenarios.buggy(0.05))];
  const narrow = simulationTable(sides, 70).split("\n");
  for (const line of narrow) expect(line.length).toBeLessThanOrEqual(70);
  expect(narrow[0]).toMatch(/^scenario +ends +of rollouts +after s +bad requests$/);
  const wide = simulationTable(sides, 200).split("\n");
  expect(wide[0]).toMatch(/in 95 % after s +in 95 % bad +mostly because$/);
  expect(wide.slice(1, 5).map((line) => line.slice(0, 12).trim())).toEqual(["healthy    A", "B", "buggy 5 %  A", "B"]);
  expect(wide[1]).toContain("every step passed, at weight 100");
});

test("numbers are as short as they can be told", () => {
  expect([0, 0.004, 0.0004, 0.123456, 1].map(percentDigits)).toEqual(["0", "0.4", "0.04", "12.3", "100"]);
  expect([0, 12.4, 9999, 10_000, 123_456].map(countWords)).toEqual(["0", "12", "9999", "10k", "123k"]);
});

test("cells are aligned, and items wrapped with a comma at each line's end", () => {
  expect(
    align(
      [
        ["a", "1"],
        ["bcd", "234"],
      ],
      [1],
    ),
  ).toEqual(["a      1", "bcd  234"]);
  expect(wrapItems(["x".repeat(50), "y".repeat(40), "z"], "Head: ")).toEqual([
    `Head: ${"x".repeat(50)},`,
    `  ${"y".repeat(40)}, z`,
  ]);
});
