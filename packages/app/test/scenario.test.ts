import { expect, it } from "vitest";
import { type Scenario, scenarioErrorRatio } from "../src/scenario.ts";

it("says how bad each scenario is at which moment", () => {
  const course = (scenario: Scenario) =>
    [0, 30, 49.9, 50, 59.9, 60, 110, 150, 300, 3600].map((second) =>
      Number(scenarioErrorRatio(scenario, second).toFixed(4)),
    );
  expect(course("healthy")).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(course("buggy")).toEqual([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
  expect(course("degrading")).toEqual([0, 0.01, 0.0166, 0.0167, 0.02, 0.02, 0.0367, 0.05, 0.1, 0.1]);
  expect(course("flaky")).toEqual([0, 0, 0, 0.3, 0.3, 0, 0.3, 0, 0, 0]);
});
