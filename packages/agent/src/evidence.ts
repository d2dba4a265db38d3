import { type CountingTest, logMixture, recentBoundary, type TestState } from "@safe-deploy/verdict";

/** What the sequential tests know, each as a share of what it must reach: from 1 on it decides. */
export interface Evidence {
  /** Against the version since its start; -1 once it has shown not to be bad from the start. */
  fromStart: number;
  /** Against the version since it last looked good. */
  recent: number;
  /** Against the version in comparison with stable; 0 while there is nothing to compare with. */
  relative: number;
  /** How much of what a failure needs is there: of the nearer of the two windows, the lesser of both tests. */
  suspicion: number;
  /** For the version, since the last change of weight. */
  gate: number;
}

export function evidenceOf(test: CountingTest, state: TestState): Evidence {
  const recentNeeds = recentBoundary(test, state);
  const fromStartNeeds = test.boundaries.sprt;
  const fromStart = state.fromStart.retired ? -1 : state.fromStart.score / fromStartNeeds;
  const recent = state.recent.score / recentNeeds;
  const relative = (evidence: readonly number[], needs: number) =>
    state.compared ? Math.max(0, logMixture(evidence)) / needs : 0;
  const relativeFromStart = state.fromStart.retired ? 0 : relative(state.fromStart.evidence, fromStartNeeds);
  const relativeRecent = relative(state.recent.evidence, recentNeeds);
  const both = (absolute: number, compared: number) => (state.compared ? Math.min(absolute, compared) : absolute);
  return {
    fromStart,
    recent,
    relative: Math.max(relativeFromStart, relativeRecent),
    suspicion: Math.max(0, both(fromStart, relativeFromStart), both(recent, relativeRecent)),
    gate: state.gate.score / test.gateBoundary,
  };
}
