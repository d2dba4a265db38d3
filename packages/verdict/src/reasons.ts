import type { CountingTest, FailedBy, TestState } from "./counting-test.ts";
import type { HardEvidence, Policy, Rule } from "./policy.ts";

/** Reasons in plain words: what was seen, against what, and what follows. */

export function fail(
  test: CountingTest,
  state: TestState,
  by: FailedBy,
  { policy, weight }: { policy: Policy; weight: number },
): string {
  const { rule } = test;
  const { bad, requests } = by === "fromStart" ? state.fromStart : state.recent;
  const sure = `(a good version is failed in at most ${percent(policy.alpha)} of rollouts)`;
  if (rule.bad.kind === "silence") {
    return `the new version does not answer: ${bad} of ${requests} answers were its own, although it is given ${number(weight)} % of the requests ${sure}`;
  }
  const later = rule.absolute === undefined ? "since the last change of weight" : "since it turned bad";
  const since = by === "fromStart" ? "since it started" : later;
  const seen = `${counted(bad, requests)} ${what(rule)} ${since}`;
  const comparison =
    rule.relative === undefined ? "" : `more than ${number(rule.relative.tolerated)} times what stable has`;
  const allowed = rule.absolute === undefined ? "" : `more than the ${percent(rule.absolute.p0)} that is allowed`;
  const bound = state.compared
    ? [allowed, comparison].filter((part) => part !== "").join(" and ")
    : `${allowed}; no stable version serves to compare with, so an outage that hits every version looks the same`;
  return `the new version is bad: ${seen}; that is ${bound} ${sure}`;
}

export function pass(
  tests: readonly CountingTest[],
  states: readonly TestState[],
  stableServes: boolean,
  beta: number,
): string {
  const parts = tests.map((test, index) => {
    const { requests, bad } = states[index]!.gate;
    const { absolute, relative } = test.rule;
    const ruledOut =
      absolute === undefined ? `${number(relative!.refused!)} times stable's share` : percent(absolute.p1);
    if (test.rule.bad.kind === "silence") return `${bad} of ${requests} answers were the new version's`;
    return `${counted(bad, requests)} ${what(test.rule)}, which rules out ${ruledOut} or more`;
  });
  const left = stableServes ? "" : "; no stable version serves to compare with";
  return `good so far: ${parts.join("; ")} (a bad version passes in at most ${percent(beta)} of gates)${left}`;
}

export function open(test: CountingTest, state: TestState, missing: number, overSeconds: number | undefined): string {
  const { gate } = state;
  const seen = `${counted(gate.bad, gate.requests)} ${what(test.rule)} since the last change of weight`;
  const need =
    missing > 0
      ? `at least ${missing} more requests are needed to rule out ${percent(test.rule.absolute!.p1)}`
      : test.rule.bad.kind === "silence"
        ? "too few to tell whether it answers its share"
        : `stable and the new version have too few bad requests to rule out ${number(test.rule.relative?.refused ?? 1)} times stable's share`;
  const aside =
    gate.setAside === 0 ? "" : `; ${gate.setAside} more were set aside, because stable was bad at the same time`;
  const suspicious = aside + suspicion(test, state);
  return overSeconds === undefined
    ? `not decided yet: ${seen}; ${need}${suspicious}`
    : `not decided within ${number(overSeconds)} s: ${seen}; ${need}${suspicious}`;
}

export function blind(why: string, seconds: number, { seconds: limit, atDeadline }: Policy["blind"]): string {
  const meaning =
    seconds < limit
      ? `nothing is concluded from that; after ${number(limit)} s it becomes ${atDeadline}`
      : `it has been so for ${Math.round(seconds)} s, and what cannot be seen is not called good`;
  return `cannot see: ${why}; ${meaning}`;
}

export function hardEvidence({ kind, pod, message }: { kind: HardEvidence; pod: string; message: string }): string {
  const happened = { outOfMemory: "ran out of memory", crash: "crashed", restart: "restarted" }[kind];
  return `the new version's pod ${pod} ${happened}: ${message}`;
}

/** What a person should know who waits: one test would fail the version, the other does not. */
function suspicion(test: CountingTest, { recent, fromStart, compared }: TestState): string {
  if (!compared || test.rule.absolute === undefined) return "";
  const over = recent.score >= test.boundaries.cusum || (!fromStart.retired && fromStart.score >= test.boundaries.sprt);
  return over
    ? `; there are more bad requests than allowed, but stable's are too alike or too few to call it the new version's own fault`
    : "";
}

function what({ name, bad }: Rule): string {
  switch (bad.kind) {
    case "errors":
      return "requests failed";
    case "slower":
      return `requests took longer than ${number(bad.than)} s`;
    case "event":
      return `requests counted as ${name}`;
    case "silence":
      return "answers were the new version's";
  }
}

const counted = (bad: number, requests: number) =>
  `${bad} of ${requests}${requests > 0 ? ` (${percent(bad / requests)})` : ""}`;

function percent(ratio: number): string {
  return `${number(ratio * 100)} %`;
}

/** Three significant digits, without an exponent where a person can read the number. */
function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}
