import type { Boundaries } from "./alpha.ts";
import { addEvidence, logEvidence, logMixture, noEvidence, type PairedCounts } from "./count-mixture.ts";
import { cusumStep } from "./cusum.ts";
import type { Plan, Rule } from "./policy.ts";

/** What one look adds for one rule. */
export interface Look {
  /** All of the canary's requests, and the bad ones among them. */
  requests: number;
  bad: number;
  /** What may be compared: without the requests of pods that were warming up, both versions over the same time. */
  paired: PairedCounts;
}

/** A window of evidence: of both tests, since the same moment. */
interface Window {
  /** The absolute log-likelihood ratio, in nats. */
  score: number;
  /** Evidence against stable for each point of the prior, in nats. */
  evidence: number[];
  requests: number;
  bad: number;
}

/** What one rule remembers. Plain data: it survives a round trip through JSON. */
export interface TestState {
  /** Since the start; `retired` once the version has shown not to be bad from the start. */
  fromStart: Window & { retired: boolean };
  /** Since the cumulative sum last left 0, or since the weight changed. `starts`: how many it has made. */
  recent: Window & { starts: number };
  /** The last looks, of which the oldest is overwritten at `next`: a window's comparison reaches back into them. */
  past: { looks: PairedCounts[]; next: number };
  /** Since the last change of weight. */
  gate: {
    score: number;
    comparison: number;
    requests: number;
    bad: number;
    /** For how many looks more what is counted may be of requests from before the change. */
    settling: number;
    /** Requests left out because stable was bad, and for how many looks more they are. */
    setAside: number;
    looksToSkip: number;
  };
  /** Whether stable served at the last look, so that both tests were asked. */
  compared: boolean;
}

/** A rule's tests with all that stays the same from look to look. */
export interface CountingTest {
  rule: Rule;
  boundaries: Boundaries;
  /** In nats, already divided by phi: what a bad and what a good request add to the absolute ratio. */
  perBad: number;
  perGood: number;
  /** 1/phi. */
  scale: number;
  /** ln(beta): the gate's boundary. */
  gateBoundary: number;
  /** How many looks a window's comparison reaches back, see `looksBack`. */
  looksBack: number;
}

/** Which of a rule's ways to fail was taken. */
export type FailedBy = "fromStart" | "turnedBad";

const newGate = (settling = 0): TestState["gate"] => ({
  score: 0,
  comparison: 0,
  requests: 0,
  bad: 0,
  settling,
  setAside: 0,
  looksToSkip: 0,
});
const newWindow = (): Window => ({ score: 0, evidence: noEvidence(), requests: 0, bad: 0 });

export function newTestState(): TestState {
  return {
    fromStart: { ...newWindow(), retired: false },
    recent: { ...newWindow(), starts: 1 },
    past: { looks: [], next: 0 },
    gate: newGate(),
    compared: true,
  };
}

/**
 * How many looks it takes at most from stable's counting a request to the canary's counting one of the same moment: a
 * sample is up to a scrape old, and the canary's waits for up to another until stable's reach as far.
 */
export function looksBack({ scrapeSeconds, pollSeconds }: Pick<Plan, "scrapeSeconds" | "pollSeconds">): number {
  return Math.ceil((2 * scrapeSeconds) / pollSeconds);
}

/**
 * @param phi dividing all evidence by it keeps every bound when requests share their fate in bursts of at most phi:
 *   with bursts of m <= phi, `e^(am/phi) - 1 <= (m/phi)(e^a - 1)` for every a, by convexity, so no expectation grows.
 */
export function countingTest(
  rule: Rule,
  boundaries: Boundaries,
  plan: Pick<Plan, "scrapeSeconds" | "pollSeconds">,
  { beta, phi }: { beta: number; phi: number },
): CountingTest {
  const { p0, p1 } = rule.absolute ?? { p0: 0.5, p1: 0.5 };
  return {
    rule,
    boundaries,
    perBad: Math.log(p1 / p0) / phi,
    perGood: Math.log((1 - p1) / (1 - p0)) / phi,
    scale: 1 / phi,
    gateBoundary: Math.log(beta),
    looksBack: looksBack(plan),
  };
}

/**
 * Takes one look into the state, in place, and says whether the rule fails by it.
 *
 * @param stableServes false when there is nothing to compare with: the absolute test is then left alone, and both
 *   windows begin anew, because what they hold was gathered under the other promise.
 */
export function take(test: CountingTest, state: TestState, look: Look, stableServes: boolean): FailedBy | undefined {
  const compare = stableServes && test.rule.relative !== undefined;
  if (compare !== state.compared) {
    state.compared = compare;
    if (state.fromStart.requests > 0) state.fromStart.retired = true;
    state.recent.starts++;
    restart(state.recent);
    state.past = { looks: [], next: 0 };
  }
  takeGate(test, state, look, compare);
  if (test.rule.absolute === undefined) return compare ? takeRelativeOnly(test, state, look) : undefined;
  const fromStart = takeFromStart(test, state, look, compare);
  const turnedBad = takeRecent(test, state, look, compare);
  return fromStart ? "fromStart" : turnedBad ? "turnedBad" : undefined;
}

/** The weight has changed: the gate's evidence begins anew, and a comparison's of its own. */
export function weightChanged(test: CountingTest, state: TestState): void {
  state.gate = newGate(test.looksBack);
  if (test.rule.absolute !== undefined) return;
  state.recent.starts++;
  restart(state.recent);
  reachBack(test, state);
}

/**
 * Whether every test of the rule rejects its own bad hypothesis on the requests since the last change of weight:
 * the ratio of p0 to p1 has reached 1/beta, which at p >= p1 it does with a probability of at most beta (Ville; the
 * factor `p p0/p1 + (1-p)(1-p0)/(1-p1)` falls with p and is 1 at p1).
 */
export function rulesOutBad(test: CountingTest, state: TestState): boolean {
  if (test.rule.absolute !== undefined) return state.gate.score <= test.gateBoundary;
  return !state.compared || state.gate.comparison <= test.gateBoundary;
}

/** How many more requests without a bad one the gate needs; 0 when it has enough. */
export function requestsMissing(test: CountingTest, state: TestState): number {
  if (test.rule.absolute === undefined || rulesOutBad(test, state)) return 0;
  return Math.ceil((test.gateBoundary - state.gate.score) / test.perGood);
}

function takeFromStart(test: CountingTest, state: TestState, look: Look, compare: boolean): boolean {
  const window = state.fromStart;
  if (window.retired) return false;
  window.requests += look.requests;
  window.bad += look.bad;
  window.score += increment(test, look);
  if (compare) addEvidence(window.evidence, look.paired, test.rule.relative!.tolerated, test.scale);
  if (window.score >= test.boundaries.sprt) {
    return !compare || logMixture(window.evidence) >= test.boundaries.sprt;
  }
  // Wald's lower boundary ends this test: what turns bad later is the cumulative sum's, whose window begins then, so a
  // comparison that rests on a long harmless difference never meets a shared outage.
  if (window.score <= test.gateBoundary) window.retired = true;
  return false;
}

function takeRecent(test: CountingTest, state: TestState, look: Look, compare: boolean): boolean {
  const window = state.recent;
  const rested = window.score <= 0 && window.requests === 0;
  if (compare) remember(test, state.past, look.paired);
  const mayRestart = window.starts < test.boundaries.starts;
  window.score = cusumStep(window.score, increment(test, look), mayRestart);
  if (window.score === 0 && mayRestart) {
    if (look.requests > 0) window.starts++;
    restart(window);
    return false;
  }
  window.requests += look.requests;
  window.bad += look.bad;
  if (compare) {
    const { tolerated } = test.rule.relative!;
    if (rested) reachBack(test, state);
    else addEvidence(window.evidence, look.paired, tolerated, test.scale);
  }
  if (window.score < test.boundaries.cusum) return false;
  return !compare || logMixture(window.evidence) >= test.boundaries.cusum;
}

/**
 * Stable's samples are counted before the canary's of the same moment, so a cumulative sum of a comparison alone would
 * begin between the two when an outage of both begins. Its windows are therefore the whole attempt, and the time since
 * the last change of weight, reaching back.
 */
function takeRelativeOnly(test: CountingTest, state: TestState, look: Look): FailedBy | undefined {
  const { tolerated } = test.rule.relative!;
  for (const window of [state.fromStart, state.recent]) {
    window.requests += look.requests;
    window.bad += look.bad;
    addEvidence(window.evidence, look.paired, tolerated, test.scale);
    window.score = logMixture(window.evidence);
  }
  remember(test, state.past, look.paired);
  if (state.fromStart.score >= test.boundaries.sprt) return "fromStart";
  return state.recent.score >= recentBoundary(test, state) ? "turnedBad" : undefined;
}

/**
 * What the evidence since the last start must reach. A comparison alone starts with each weight, nobody knows how
 * often: the j-th start has the part 1/(j(j+1)) of alpha, and all parts together are 1.
 */
export function recentBoundary({ rule, boundaries }: CountingTest, { recent }: TestState): number {
  return rule.absolute === undefined
    ? boundaries.sprt + Math.log(recent.starts * (recent.starts + 1))
    : boundaries.cusum;
}

/**
 * A look at which stable itself is bad says nothing good or bad about the new version, and is set aside: else a shared
 * outage, once over, would keep a good version from passing for long. Which looks those are depends on stable alone, so
 * a version at p1 or worse still passes with a probability of at most beta. The canary's samples may lag by as many
 * looks as a window reaches back.
 */
function takeGate(test: CountingTest, state: TestState, look: Look, compare: boolean): void {
  const { gate } = state;
  if (gate.settling > 0) {
    gate.settling--;
    return;
  }
  if (compare && test.rule.absolute !== undefined) {
    const { stableRequests, stableBad } = look.paired;
    const ofStable = stableBad * test.perBad + (stableRequests - stableBad) * test.perGood;
    if (ofStable >= -test.gateBoundary) gate.looksToSkip = test.looksBack + 1;
    if (gate.looksToSkip > 0) {
      gate.looksToSkip--;
      gate.setAside += look.requests;
      return;
    }
  }
  gate.requests += look.requests;
  gate.bad += look.bad;
  gate.score += increment(test, look);
  const refused = test.rule.relative?.refused;
  if (compare && refused !== undefined) {
    gate.comparison -= test.scale * logEvidence(look.paired, test.rule.relative!.tolerated, refused);
  }
}

/** The absolute log-likelihood ratio of one look, divided by phi. */
function increment(test: CountingTest, { requests, bad }: Look): number {
  return bad * test.perBad + (requests - bad) * test.perGood;
}

/**
 * A canary's samples are counted later than stable's of the same moment, see `looksBack`. A window that began with the
 * canary's first bad request would miss the bad ones that stable had at the same time but counted looks earlier, and
 * take an outage of both for the canary's own. So its comparison begins that many looks earlier.
 */
function reachBack(test: CountingTest, { recent, past }: TestState): void {
  recent.evidence.fill(0);
  for (const look of past.looks) addEvidence(recent.evidence, look, test.rule.relative!.tolerated, test.scale);
}

function remember(test: CountingTest, past: TestState["past"], counts: PairedCounts): void {
  const oldest = past.looks[past.next];
  if (past.looks.length <= test.looksBack || oldest === undefined) {
    past.looks.push({ ...counts });
    return;
  }
  oldest.canaryRequests = counts.canaryRequests;
  oldest.canaryBad = counts.canaryBad;
  oldest.stableRequests = counts.stableRequests;
  oldest.stableBad = counts.stableBad;
  past.next = (past.next + 1) % past.looks.length;
}

function restart(window: Window): void {
  window.score = 0;
  window.requests = 0;
  window.bad = 0;
  window.evidence.fill(0);
}
