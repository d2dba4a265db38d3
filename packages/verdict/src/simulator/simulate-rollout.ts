import type { Random } from "../random.ts";
import { type Answer, measure, type MetricRun, type Phase, phaseOf, startRun } from "./argo-analysis.ts";
import { Judge } from "./judge.ts";
import {
  gateSeconds,
  isJudged,
  isTakenAsGood,
  type Metric,
  type RolloutPlan,
  shareAt,
  type Step,
} from "./rollout-plan.ts";
import type { Scenario } from "./scenario.ts";
import { ScrapedCounters } from "./scraped-counters.ts";
import type { Move, SteeredRollout } from "./steering.ts";

/** How one simulated rollout ended. */
export interface Outcome {
  end: "promoted" | "aborted" | "paused";
  /** Until the canary had all requests, or none; or until the rollout stood still. */
  seconds: number;
  /** The weight at which it was decided. */
  weight: number;
  /** The canary's bad requests until then, and how many more they are than stable's share would have made them. */
  bad: number;
  excess: number;
  /** The new version's bad requests until the horizon, also those of after a promotion, or while it stands still. */
  badByHorizon: number;
  /** How many more those are than stable's share would have made them. */
  excessByHorizon: number;
  why: string;
}

/** Sums of fractions end this close beside a whole number, in multiples of the clock. */
const clockTolerance = 1e-6;

/** Before the rollout both engines have seen stable for this long, in seconds: the longest window of a preset. */
const pastSeconds = 300;

/**
 * Plays one rollout: traffic, scrapes, the controller's steps, its analysis or the sequential verdict, and the time that
 * a decision takes to reach the router. Random are the requests, their fate, the delays about their means, and when in
 * its interval the scrape falls and in its second the start.
 *
 * @param horizonSeconds when the watching ends, in seconds.
 */
export function simulateRollout(
  plan: RolloutPlan,
  scenario: Scenario,
  random: Random,
  horizonSeconds: number,
): Outcome {
  const rollout = new Rollout(plan, scenario, random, horizonSeconds);
  return rollout.play();
}

class Rollout {
  readonly #plan: RolloutPlan;
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #horizon: number;
  /** How long before the start the clock ticked, in seconds. */
  readonly #tickBefore: number;
  readonly #scraped: ScrapedCounters;
  readonly #counters = { canary: { requests: 0, bad: 0 }, stable: { requests: 0, bad: 0 } };
  #now = -pastSeconds;
  #nextScrape: number;
  /** What stable would have failed of the canary's requests. */
  #expectedBad = 0;
  #share = 0;
  #weight = 0;
  /** A weight that the router has not taken over yet. */
  #shift: { at: number; weight: number } | undefined;
  #judge: Judge | undefined;
  /** The background run, once it has begun. */
  #background: MetricRun[] | undefined;
  #backgroundPhase: Phase | undefined;
  #nextAsk = Infinity;
  /** Whether the present step is a pause. */
  #pauses = false;
  #steered: SteeredRollout | undefined;
  #nextLook = Infinity;
  /** Whether the pause waits for who steers, and where they went. */
  #waits = false;
  #move: "up" | "down" | undefined;

  constructor(plan: RolloutPlan, scenario: Scenario, random: Random, horizonSeconds: number) {
    this.#plan = plan;
    this.#scenario = scenario;
    this.#random = random;
    this.#horizon = horizonSeconds;
    this.#tickBefore = random.uniform() * plan.clockSeconds;
    this.#scraped = new ScrapedCounters(plan.scrapeSeconds);
    this.#nextScrape = -pastSeconds + random.uniform() * plan.scrapeSeconds;
  }

  play(): Outcome {
    this.#advance(0);
    if (this.#plan.engine === "sequential") this.#judge = new Judge(this.#plan, this.#horizon, this.#counters.stable);
    this.#beginSteering();
    const { steps, background } = this.#plan;
    for (let index = 0; index < steps.length; index = this.#after(index)) {
      if (index >= background.fromStep) this.#startBackground();
      const ended = this.#take(steps[index]!);
      if (ended !== undefined) return ended;
    }
    if (this.#weight !== 100) this.#setShare(100);
    return this.#endAt("promoted", 100, "every step passed");
  }

  #beginSteering(): void {
    const { steering } = this.#plan;
    if (steering === undefined) return;
    this.#steered = steering.begin(this.#random);
    this.#nextLook = steering.lookSeconds;
  }

  /** The step after one: the next, or where who steers goes back to. */
  #after(index: number): number {
    if (this.#move !== "down") return index + 1;
    const setsWeight = (step: Step) => "setWeight" in step;
    const present = this.#plan.steps.findLastIndex((step, at) => at < index && setsWeight(step));
    const lower = this.#plan.steps.findLastIndex((step, at) => at < present && setsWeight(step));
    return lower < 0 ? index : lower;
  }

  #take(step: Step): Outcome | undefined {
    this.#move = undefined;
    if ("setWeight" in step) {
      const grows = step.setWeight > this.#weight;
      const broken = this.#watch(this.#now + (grows ? this.#podsReady() : 0) + this.#reconciled());
      if (broken !== undefined) return broken;
      this.#weight = step.setWeight;
      this.#judge?.weightChanged();
      // The rollout goes on; the router takes the weight over meanwhile.
      this.#shift = { at: this.#now + (this.#plan.router ? this.#routed() : 0), weight: step.setWeight };
      return undefined;
    }
    if ("pauseSeconds" in step) {
      this.#waits = step.pauseSeconds === null;
      if (this.#waits && this.#steered === undefined) return this.#stop("waits for a person to promote");
      this.#pauses = true;
      const broken = this.#watch(this.#noted() + (step.pauseSeconds ?? Infinity));
      this.#waits = this.#pauses = false;
      return broken ?? this.#stopIfInconclusive();
    }
    const broken = this.#watch(this.#now + this.#reconciled());
    if (broken !== undefined) return broken;
    // The verification that ends a rollout is a Job, which no engine replaces.
    if (!isJudged(step.analysis)) return this.#gateByThresholds(step.analysis);
    if (this.#judge === undefined) return this.#gateByThresholds(step.analysis);
    return this.#gateByVerdict(this.#judge, gateSeconds(step.analysis.filter(isTakenAsGood)));
  }

  #gateByThresholds(metrics: readonly Metric[]): Outcome | undefined {
    const runs = this.#startRun(metrics, this.#now);
    for (;;) {
      const phase = phaseOf(runs);
      if (phase === "Inconclusive") return this.#stop("a gate is inconclusive");
      if (phase === "Failed" || phase === "Error") return this.#abort(`a gate ended ${phase}`);
      if (phase === "Successful") return this.#watch(this.#now + this.#reconciled());
      const next = Math.min(...runs.map(({ nextAt }) => nextAt));
      const broken = this.#watch(next);
      if (broken !== undefined) return broken;
      this.#measureDue(runs);
      if (this.#now >= this.#horizon) return this.#stop("a gate has not ended");
    }
  }

  /** @param otherSeconds what else is asked at this gate takes so long. */
  #gateByVerdict(judge: Judge, otherSeconds: number): Outcome | undefined {
    const { gateSeconds: waits, askSeconds } = this.#plan.sequential;
    const deadline = this.#now + waits;
    const others = this.#now + otherSeconds;
    for (;;) {
      const verdict = judge.ask(this.#scraped, this.#now);
      if (verdict === "fail") return this.#abort("the verdict is fail");
      if (verdict === "pass") return this.#watch(Math.max(this.#now, others) + this.#reconciled());
      if (verdict === "inconclusive" || this.#now >= deadline) return this.#stop("a gate is inconclusive");
      const broken = this.#watch(this.#noted() + askSeconds);
      if (broken !== undefined) return broken;
    }
  }

  /** Lets time pass while the background is watched. Ends early when it aborts. */
  #watch(until: number): Outcome | undefined {
    for (;;) {
      const next = Math.min(until, this.#nextBackground(), this.#nextLook);
      if (next > this.#horizon) {
        this.#advance(this.#horizon);
        return this.#stop("the horizon came first");
      }
      this.#advance(next);
      if (this.#nextBackground() <= this.#now) {
        const why = this.#lookInBackground();
        if (why !== undefined) return this.#abort(why);
        const stopped = this.#pauses ? undefined : this.#stopIfInconclusive();
        if (stopped !== undefined) return stopped;
      } else if (this.#nextLook <= this.#now) {
        const move = this.#lookToSteer(this.#steered!);
        if (move === "abort") return this.#abort("the agent aborts");
        if (move !== "hold" && this.#waits) {
          this.#move = move;
          return undefined;
        }
      } else if (this.#now >= until) return undefined;
    }
  }

  #lookToSteer(steered: SteeredRollout): Move {
    this.#nextLook = this.#now + this.#plan.steering!.lookSeconds;
    // It reads the pods themselves, so no gap of Prometheus matters.
    return steered.look(this.#now, this.#weight, this.#counters, this.#waits);
  }

  #startBackground(): void {
    const { metrics } = this.#plan.background;
    // A verdict of fail is asked for all the time, also when the thresholds were judged at gates only.
    if (this.#judge !== undefined) this.#nextAsk = Math.min(this.#nextAsk, this.#now);
    else if (metrics.length > 0) this.#background ??= this.#startRun(metrics, this.#now + this.#reconciled());
  }

  #nextBackground(): number {
    if (this.#judge !== undefined) return this.#nextAsk;
    if (this.#background === undefined || this.#backgroundPhase !== undefined) return Infinity;
    return Math.min(...this.#background.map(({ nextAt }) => nextAt));
  }

  /** @returns why it aborts. */
  #lookInBackground(): string | undefined {
    if (this.#judge !== undefined) {
      this.#nextAsk = this.#noted() + this.#plan.sequential.askSeconds;
      return this.#judge.ask(this.#scraped, this.#now) === "fail" ? "the verdict is fail" : undefined;
    }
    this.#measureDue(this.#background!);
    this.#backgroundPhase = phaseOf(this.#background!);
    return this.#backgroundPhase === "Failed" || this.#backgroundPhase === "Error"
      ? `the background analysis ended ${this.#backgroundPhase}`
      : undefined;
  }

  #startRun(metrics: readonly Metric[], at: number): MetricRun[] {
    return startRun(metrics, at, this.#noted(at));
  }

  #measureDue(runs: readonly MetricRun[]): void {
    for (const run of runs) {
      if (run.nextAt <= this.#now && run.phase === undefined) measure(run, this.#ask(run.metric), this.#noted());
    }
  }

  #ask(metric: Metric): Answer {
    return this.#inGap(this.#now) ? "unreachable" : this.#scraped.ask(metric, this.#now);
  }

  /**
   * Inconclusive background analysis holds the rollout: it shows when the step's own pause is over, and a gate's result
   * is not looked at any more (`reconcileStepBasedAnalysisRun` in rollout/analysis.go).
   */
  #stopIfInconclusive(): Outcome | undefined {
    return this.#backgroundPhase === "Inconclusive" ? this.#stop("the background analysis is inconclusive") : undefined;
  }

  #abort(why: string): Outcome {
    const weight = this.#weight;
    // Without a router the canary serves until stable has its pods back.
    this.#advance(this.#now + this.#reconciled() + (this.#plan.router ? this.#routed() : this.#podsReady()));
    this.#setShare(0);
    return this.#endAt("aborted", weight, why);
  }

  #stop(why: string): Outcome {
    return this.#endAt("paused", this.#weight, why);
  }

  /** What is now is what it cost to decide; the harm goes on until the horizon. */
  #endAt(end: Outcome["end"], weight: number, why: string): Outcome {
    const { bad } = this.#counters.canary;
    const outcome = { end, seconds: this.#now, weight, bad, excess: bad - this.#expectedBad, why };
    if (this.#share > 0 || this.#shift !== undefined) this.#advance(this.#horizon);
    const badByHorizon = this.#counters.canary.bad;
    return { ...outcome, badByHorizon, excessByHorizon: badByHorizon - this.#expectedBad };
  }

  /** What the controller writes down for a moment. */
  #noted(at = this.#now): number {
    const { clockSeconds } = this.#plan;
    if (clockSeconds === 0) return at;
    const ticks = Math.floor((at + this.#tickBefore) / clockSeconds + clockTolerance);
    return ticks * clockSeconds - this.#tickBefore;
  }

  /** Pods take half as long, or half as long again, as they do on average. */
  #podsReady(): number {
    return this.#plan.delay.scaleUp * (0.5 + this.#random.uniform());
  }

  #reconciled(): number {
    return this.#plan.delay.reconcile * 2 * this.#random.uniform();
  }

  /** A router that takes over changes at fixed intervals is met at any moment of one. */
  #routed(): number {
    return this.#plan.delay.router * 2 * this.#random.uniform();
  }

  #setShare(weight: number): void {
    this.#shift = undefined;
    this.#weight = weight;
    this.#share = shareAt(this.#plan, weight);
    this.#judge?.weightChanged();
  }

  /** Lets requests and scrapes happen until a moment. */
  #advance(until: number): void {
    while (this.#nextScrape <= until) {
      const at = this.#nextScrape;
      this.#serve(at);
      this.#nextScrape += this.#plan.scrapeSeconds;
      if (this.#inGap(at)) continue;
      this.#scraped.scrape(at, this.#counters);
      if (at > 0) this.#judge?.look(this.#counters, this.#share < 1);
    }
    this.#serve(until);
  }

  #serve(until: number): void {
    if (this.#shift !== undefined && this.#shift.at <= until) {
      const { at, weight } = this.#shift;
      this.#serveEvenly(at);
      this.#setShare(weight);
    }
    this.#serveEvenly(until);
  }

  #serveEvenly(until: number): void {
    const seconds = until - this.#now;
    if (seconds <= 0) return;
    const middle = this.#now + seconds / 2;
    this.#now = until;
    const requests = this.#scenario.requestsPerSecond(middle) * seconds;
    for (const [version, share] of [
      ["canary", this.#share],
      ["stable", 1 - this.#share],
    ] as const) {
      if (share === 0) continue;
      const ratio = this.#scenario[version](middle);
      if (version === "canary") this.#expectedBad += requests * share * this.#scenario.stable(middle);
      const bad = this.#random.poisson(requests * share * ratio);
      this.#counters[version].bad += bad;
      this.#counters[version].requests += bad + this.#random.poisson(requests * share * (1 - ratio));
    }
  }

  #inGap(at: number): boolean {
    return this.#scenario.gaps.some(({ from, to }) => at >= from && at < to);
  }
}
