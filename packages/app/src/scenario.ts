import { ExactRate, seedFor } from "./exact-rate.ts";

/** How a version behaves over time, by one word: what the dial `scenario` takes. */
export const SCENARIOS = ["healthy", "buggy", "degrading", "flaky"] as const;
export type Scenario = (typeof SCENARIOS)[number];

const BUGGY_RATIO = 0.1;
/** A degrading version is as bad as a buggy one after this long. */
const DEGRADING_SECONDS = 300;
const FLAKY_RATIO = 0.3;

/** The share of failures a number of seconds after the dial was set, 0 to 1. */
export function scenarioErrorRatio(scenario: Scenario, seconds: number): number {
  switch (scenario) {
    case "healthy":
      return 0;
    case "buggy":
      return BUGGY_RATIO;
    case "degrading":
      return BUGGY_RATIO * Math.min(1, seconds / DEGRADING_SECONDS);
    case "flaky":
      return seconds % 60 >= 50 ? FLAKY_RATIO : 0;
  }
}

/** Decides request by request. A share that changes is followed in thousandths, each of them exactly. */
export class ScenarioRate {
  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #started = performance.now();
  #rate = new ExactRate(0, 0);

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario;
    this.#seed = seed;
  }

  /** Whether the next request fails. */
  next(): boolean {
    const ratio = scenarioErrorRatio(this.#scenario, (performance.now() - this.#started) / 1000);
    const followed = Math.round(ratio * 1000) / 1000;
    if (followed !== this.#rate.ratio)
      this.#rate = new ExactRate(followed, seedFor(this.#seed, `scenario ${followed}`));
    return this.#rate.next();
  }
}
