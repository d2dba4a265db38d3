import { expect, test } from "vitest";
import { defaultPolicy, type Policy, PolicyError, type Rule } from "../src/policy.ts";
import { start, type State, step } from "../src/verdict.ts";
import { epoch, plan, playRollout } from "./rollout.ts";

const always = (ratio: number) => () => ratio;
const good = { canary: always(0.001), stable: always(0.001) };

test("a good version passes each gate, on the requests since the weight changed", () => {
  const { results } = playRollout({ ...good, seconds: 300, weight: (second) => (second < 150 ? 10 : 50) });
  const verdicts = results.map(({ verdict }) => verdict);
  expect(verdicts).not.toContain("fail");
  expect(verdicts[148]).toBe("pass");
  expect(verdicts[149]).toBe("continue");
  expect(verdicts.at(-1)).toBe("pass");
  expect(results.at(-1)!.reason).toMatch(
    /^good so far: \d+ of \d+ \(.+ %\) requests failed, which rules out 2 % or more \(a bad version passes in at most 5 % of gates\)$/,
  );
});

test("what was served before the weight changed passes nothing after it", () => {
  const { results } = playRollout({
    canary: always(0),
    stable: always(0),
    requestsPerSecond: 2000,
    seconds: 130,
    weight: (second) => (second < 100 ? 10 : 50),
  });
  expect(results[98]!.verdict).toBe("pass");
  // The first samples after the change hold 1,000 requests of before it, five times what a pass needs.
  const after = results.slice(99).map(({ verdict }) => verdict);
  expect(after.indexOf("pass")).toBeGreaterThanOrEqual(10);
  expect(after.at(-1)).toBe("pass");
});

test("a bad version fails, with the evidence and the numbers in plain words", () => {
  const { last, seconds } = playRollout({ canary: always(0.2), stable: always(0.001) });
  expect(last.verdict).toBe("fail");
  expect(last.statistic).toBeGreaterThanOrEqual(last.boundary);
  expect(last.reason).toMatch(
    /^the new version is bad: \d+ of \d+ \(.+ %\) requests failed since it started; that is more than the 0.5 % that is allowed and more than 1.5 times what stable has \(a good version is failed in at most 0.1 % of rollouts\)$/,
  );
  expect(seconds).toBeLessThan(30);
});

test("a version that turns bad late fails", () => {
  const { last } = playRollout({ canary: (second) => (second < 900 ? 0.001 : 0.05), stable: always(0.001) });
  expect(last.verdict).toBe("fail");
  expect(last.reason).toContain("since it turned bad");
});

test("an outage of both versions does not fail the new one, nor passes it; nor does one of a lagging canary", () => {
  for (const skew of [false, true]) {
    const outage = (second: number) => (second >= 600 && second < 720 ? 0.3 : 0.001);
    const { results } = playRollout({ canary: outage, stable: outage, skew, canaryPods: 2, seconds: 900 });
    expect(results.some(({ verdict }) => verdict === "fail")).toBe(false);
    const changed = playRollout({
      canary: outage,
      stable: outage,
      weight: (s) => (s < 620 ? 10 : 20),
      seconds: 900,
      skew,
    });
    expect(changed.results[699]!.verdict).toBe("continue");
    expect(changed.results[699]!.reason).toContain("because stable was bad at the same time");
    expect(changed.results[699]!.reason).toContain("stable's are too alike or too few");
    // Once the outage is over, a good version passes as soon as ever.
    expect(changed.results[779]!.verdict).toBe("pass");
  }
});

test("without a serving stable the absolute test is left, and the reason says so", () => {
  const { last } = playRollout({
    canary: always(0.2),
    stable: always(0.2),
    stableServes: () => false,
    weight: always(100),
  });
  expect(last.verdict).toBe("fail");
  expect(last.reason).toContain(
    "no stable version serves to compare with, so an outage that hits every version looks the same",
  );
  const passed = playRollout({ ...good, stableServes: () => false, seconds: 60 });
  expect(passed.last.reason).toContain("no stable version serves to compare with");
});

test("a failure stays, whatever comes after", () => {
  const { state } = playRollout({ canary: always(0.5), stable: always(0.001) });
  const reloaded = JSON.parse(JSON.stringify(state)) as State;
  const after = step(reloaded, { now: epoch + 10_000_000, weight: 0, stableServes: true, samples: [] });
  expect(after.result.verdict).toBe("fail");
  expect(after.state).toEqual(state);
});

test("state that went through JSON at every look judges the same, and no look changes the state it was given", () => {
  const world = { canary: always(0.02), stable: always(0.004), seconds: 200, seed: 5 };
  const plain = playRollout(world);
  let state = start("attempt-1", defaultPolicy, plan, epoch);
  const seen: unknown[] = [];
  playRollout({
    ...world,
    see: ({ second, samples }) => {
      const observation = { now: epoch + second * 1000, weight: 10, stableServes: true, samples };
      const frozen = JSON.stringify(state);
      const next = step(state, observation);
      expect(JSON.stringify(state)).toBe(frozen);
      state = JSON.parse(JSON.stringify(next.state)) as State;
      seen.push(next.result);
      return {};
    },
  });
  expect(seen).toEqual(plain.results);
});

test("too little traffic ends inconclusive, with the number that was missing", () => {
  const { last } = playRollout({ ...good, requestsPerSecond: 2, seconds: 310 });
  expect(last.verdict).toBe("inconclusive");
  expect(last.missing).toBeGreaterThan(50);
  expect(last.reason).toContain(`at least ${last.missing} more requests are needed to rule out 2 %`);
  expect(last.reason).toMatch(/^not decided within 300 s: /);
});

test("no request at all never passes", () => {
  const { results } = playRollout({ ...good, requestsPerSecond: 0, seconds: 400 });
  expect(new Set(results.map(({ verdict }) => verdict))).toEqual(new Set(["continue", "inconclusive", "blind"]));
  expect(results.at(-1)!.missing).toBe(198);
});

test.each([
  [
    "the metrics' server does not answer",
    () => ({ samples: [], problems: ["Prometheus refused the connection"] }),
    "Prometheus refused",
  ],
  [
    "the canary is not scraped",
    ({ samples }: { samples: { version: string }[] }) => ({ samples: samples.filter((s) => s.version === "stable") }),
    "canary version",
  ],
  [
    "stable is not scraped",
    ({ samples }: { samples: { version: string }[] }) => ({ samples: samples.filter((s) => s.version === "canary") }),
    "stable version",
  ],
  ["nothing is scraped", () => ({ samples: [] }), "canary version"],
] as const)("blind because %s: it waits, then fails at the deadline", (_, see, words) => {
  const { results, last } = playRollout({
    ...good,
    see: (look) => (look.second < 100 ? {} : (see as (l: unknown) => object)(look)),
  });
  const verdicts = results.map(({ verdict }) => verdict);
  expect(verdicts[98]).toBe("pass");
  const from = verdicts.indexOf("blind", 99);
  expect(from).toBeGreaterThan(0);
  expect(verdicts.slice(from, -1).every((verdict) => verdict === "blind")).toBe(true);
  expect(last.verdict).toBe("fail");
  expect(last.rule).toBe("blind");
  expect(last.reason).toContain(words);
  expect(last.reason).toContain("what cannot be seen is not called good");
});

test("blindness that ends in time is forgotten, and what was missed is counted then", () => {
  const { results, state } = playRollout({
    ...good,
    seconds: 250,
    see: ({ second }) => (second > 100 && second < 200 ? { samples: [], problems: ["timeout"] } : {}),
  });
  expect(results.at(-1)!.verdict).toBe("pass");
  expect(state.totals.canary.requests).toBeGreaterThan(2200);
});

test("a clock that goes back is blindness", () => {
  const { results } = playRollout({
    ...good,
    seconds: 120,
    see: ({ second }) => (second === 110 ? { now: epoch + 50_000 } : {}),
  });
  expect(results[109]!.verdict).toBe("blind");
  expect(results[109]!.reason).toContain("the clock went back");
  expect(results[119]!.verdict).toBe("pass");
});

test("a clock that goes back does not put the end of blindness off", () => {
  const hour = 3_600_000;
  const { results } = playRollout({
    ...good,
    seconds: 110 + defaultPolicy.blind.seconds,
    see: ({ second }) => ({
      ...(second < 100 ? {} : { samples: [], problems: ["timeout"] }),
      ...(second < 110 ? {} : { now: epoch + second * 1000 - hour }),
    }),
  });
  expect(results.at(-2)!.verdict).toBe("blind");
  expect(results.at(-1)!.verdict).toBe("fail");
});

test("a canary that is given no requests yet need not be seen, and passes nothing", () => {
  const { results } = playRollout({
    ...good,
    weight: always(0),
    seconds: 280,
    see: ({ samples }) => ({ samples: samples.filter(({ version }) => version === "stable") }),
  });
  expect(new Set(results.slice(10).map(({ verdict }) => verdict))).toEqual(new Set(["continue"]));
});

test("blindness may end inconclusive by policy", () => {
  const policy: Policy = { ...defaultPolicy, blind: { seconds: 20, atDeadline: "inconclusive" } };
  const { last } = playRollout({ ...good, policy, seconds: 100, see: () => ({ samples: [] }) });
  expect(last.verdict).toBe("inconclusive");
});

test("a crash, a restart, or memory that ran out fails at once, outside alpha; kinds that the policy leaves out do not", () => {
  const incidents = [{ kind: "outOfMemory" as const, pod: "canary-0", message: "its limit is 256Mi" }];
  const see = ({ second }: { second: number }) => (second === 50 ? { incidents } : {});
  const { last, seconds } = playRollout({ ...good, see });
  expect(last).toMatchObject({ verdict: "fail", rule: "hard evidence" });
  expect(last.reason).toBe("the new version's pod canary-0 ran out of memory: its limit is 256Mi");
  expect(seconds).toBe(50);
  const lenient = playRollout({ ...good, see, seconds: 60, policy: { ...defaultPolicy, hardEvidence: ["crash"] } });
  expect(lenient.last.verdict).toBe("pass");
});

test("requests of pods that warm up stay out of the comparison, and are counted", () => {
  const cold = (second: number) => (second < 30 ? 0.5 : 0.001);
  const policy: Policy = { ...defaultPolicy, warmUpSeconds: 40, budget: 60 };
  const world = { canary: cold, stable: always(0.001), seconds: 400 };
  const { results, last, trueBad } = playRollout({ ...world, policy });
  expect(results.some(({ verdict }) => verdict === "fail")).toBe(false);
  expect(last.spent.of).toBe(60);
  expect(Math.abs(last.spent.bad - trueBad)).toBeLessThan(20);
  expect(playRollout(world).last.verdict).toBe("fail");
});

test("a rule that only compares fails on the ratio to stable, and passes when it rules the refused one out", () => {
  const compare: Rule = {
    name: "client errors",
    bad: { kind: "event", name: "clientErrors" },
    source: "app",
    relative: { tolerated: 1.5, refused: 4 },
  };
  const policy: Policy = { ...defaultPolicy, rules: [...defaultPolicy.rules, compare] };
  const withEvents = (times: number) => ({
    ...good,
    policy,
    seconds: 280,
    see: ({ samples }: { samples: { version: string; requests: number; events?: Record<string, number> }[] }) => {
      for (const sample of samples) {
        const share = sample.version === "canary" ? 0.05 * times : 0.05;
        sample.events = { clientErrors: Math.round(sample.requests * share) };
      }
      return {};
    },
  });
  const bad = playRollout(withEvents(4));
  expect(bad.last).toMatchObject({ verdict: "fail", rule: "client errors" });
  expect(bad.last.reason).toContain("that is more than 1.5 times what stable has");
  const fine = playRollout(withEvents(1));
  expect(fine.last.verdict).toBe("pass");
  expect(fine.last.reason).toContain("which rules out 4 times stable's share or more");
});

test("a rule that only compares bears an outage of both, however the scrapes fall", () => {
  const { absolute: _, ...errors } = defaultPolicy.rules[0]!;
  const compare: Rule = { ...errors, name: "compared errors", relative: { tolerated: 1.5, refused: 10 } };
  const policy: Policy = { ...defaultPolicy, rules: [...defaultPolicy.rules, compare] };
  for (let seed = 1; seed <= 8; seed++) {
    const outage = (second: number) => (second >= 60 + seed && second < 60 + 4 * seed ? 0.3 : 0.002);
    const { last, seconds } = playRollout({
      canary: outage,
      stable: outage,
      requestsPerSecond: 1000,
      skew: true,
      canaryPods: 2,
      policy,
      seconds: 150,
      seed,
    });
    expect(last.verdict, `seed ${seed} at ${seconds} s: ${last.reason}`).not.toBe("fail");
  }
});

test("a policy that cannot be kept is refused with every reason", () => {
  const policy: Policy = {
    ...defaultPolicy,
    alpha: 0,
    rules: [
      { name: "a", bad: { kind: "errors" }, source: "app", absolute: { p0: 0.05, p1: 0.01 } },
      { name: "a", bad: { kind: "errors" }, source: "app", relative: { tolerated: 0.5 } },
    ],
  };
  const attempt = () => start("attempt-1", policy, { ...plan, gateSeconds: 0 }, epoch);
  expect(attempt).toThrow(PolicyError);
  for (const words of [
    "alpha: ",
    "0 < p0 < p1 < 1",
    "name of another rule",
    "at least 1 time",
    "relative.refused",
    "plan.gateSeconds",
  ]) {
    expect(attempt).toThrow(words);
  }
  expect(() => start("attempt-1", { ...defaultPolicy, rules: [] }, plan, epoch)).toThrow(
    "a release that nothing judges",
  );
});

const silence: Rule = {
  name: "silence",
  bad: { kind: "silence", settleSeconds: 10 },
  source: "app",
  relative: { tolerated: 3, refused: 10 },
};
const withSilence: Policy = { ...defaultPolicy, rules: [...defaultPolicy.rules, silence] };

test("a version that hangs counts no errors, and fails because it does not answer", () => {
  const answered = new Map<string, number>();
  const { last, seconds } = playRollout({
    ...good,
    policy: withSilence,
    see: ({ second, samples }) => {
      for (const sample of samples) {
        if (sample.version === "stable") continue;
        if (second <= 20) answered.set(sample.series, sample.requests);
        else sample.requests = answered.get(sample.series)!;
      }
      return {};
    },
  });
  expect(last).toMatchObject({ verdict: "fail", rule: "silence" });
  expect(last.reason).toMatch(
    /^the new version does not answer: \d+ of \d+ answers were its own, although it is given 10 % of the requests /,
  );
  expect(seconds).toBeLessThan(100);
});

test("a version that answers its share is not silent, whatever the weight and however it changes", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const weight = (second: number) => (second < 100 ? 5 : second < 200 ? 50 : 90);
    const { results, last } = playRollout({ ...good, policy: withSilence, weight, seconds: 300, seed });
    expect(results.some(({ verdict }) => verdict === "fail")).toBe(false);
    expect(last.verdict).toBe("pass");
    expect(last.reason).toContain("answers were the new version's");
  }
});

test("silence has no absolute test", () => {
  const rules: Rule[] = [...defaultPolicy.rules, { ...silence, absolute: { p0: 0.01, p1: 0.05 } }];
  expect(() => start("attempt-1", { ...defaultPolicy, rules }, plan, epoch)).toThrow(
    "compares answers with the weight",
  );
});
