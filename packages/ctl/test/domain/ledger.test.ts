import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type LedgerEntry,
  ledgerEntryName,
  ledgerToPrune,
  newestFirst,
  rollbackTarget,
  type Verdict,
  verdictOf,
} from "../../src/domain/ledger.ts";
import { entry } from "../fixtures/ledger.ts";

/** `a+ b- b!`: content a passed, content b failed, content b was marked bad; numbered from 1. */
function ledger(text: string): LedgerEntry[] {
  const verdicts: Record<string, Verdict> = { "+": "pass", "-": "fail", "!": "bad" };
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word, index) => entry(index + 1, word.slice(0, -1), verdicts[word.slice(-1)] ?? "fail"));
}

describe("the target of a rollback", () => {
  test.each([
    ["a+ b+", "b", 1, "the one before"],
    ["a+ b+ c-", "c", 2, "the newest verified one, when what is live failed"],
    ["a+ b+ b!", "b", 1, "not what was marked bad"],
    ["a+ b+ b! a+", "a", undefined, "never back to what a rollback came from"],
    ["a+ b+ c+ c! b+", "b", 1, "further back at the second rollback in a row"],
    ["a+ b+ b- a+", "a", undefined, "not what failed after it had passed"],
    ["a- a+ b+", "b", 2, "what passed after it had failed"],
    ["a+ a+ a+", "a", undefined, "not the live content under another number"],
    ["", "a", undefined, "nowhere without a ledger"],
    ["a- b-", "b", undefined, "nowhere when nothing ever passed"],
    ["a+", undefined, 1, "the newest verified one when nothing is live"],
  ])("%s with %s live: %s (%4$s)", (text, live, number, _why) => {
    expect(rollbackTarget(ledger(text), live).target?.number).toBe(number);
  });

  test("passes over what cannot be brought back, and says so when nothing else is left", () => {
    const entries = ledger("a+ b+ c+");
    expect(rollbackTarget(entries, "c", ({ content }) => content !== "b").target?.content).toBe("a");
    expect(rollbackTarget(entries, "c", () => false)).toEqual({
      target: undefined,
      why: "Helm no longer has the revisions of the verified releases",
    });
  });

  test("says why there is none", () => {
    expect(rollbackTarget(ledger("a- b+ b!"), "b")).toMatchObject({
      why: expect.stringContaining("ever been verified") as string,
    });
    expect(rollbackTarget(ledger("a+"), "a")).toMatchObject({
      why: expect.stringContaining("the one that is live") as string,
    });
  });
});

test("the verdict on a content is the newest one", () => {
  const entries = ledger("a+ b- a!").toReversed();
  expect(verdictOf(entries, "a")?.verdict).toBe("bad");
  expect(verdictOf(entries, "b")?.verdict).toBe("fail");
  expect(verdictOf(entries, "c")).toBeUndefined();
  expect(verdictOf(entries, undefined)).toBeUndefined();
});

test("names sort as their numbers", () => {
  expect([ledgerEntryName("a", 10), ledgerEntryName("a", 9)].sort()).toEqual(["a-ledger-000009", "a-ledger-000010"]);
});

describe("pruning", () => {
  test.each([
    ["a+ b+ c+ d+", 2, [1, 2]],
    ["a+ b+ c- d- e-", 2, [3]],
    ["a+ b+ b! c+ d+", 3, [1, 2]],
    ["a+ b+", 10, []],
    ["a+ a+ b+ b+ b+", 1, [1, 3, 4]],
  ])("%s, keeping %i: removes %j, oldest first", (text, keep, numbers) => {
    expect(ledgerToPrune(ledger(text), keep).map(({ number }) => number)).toEqual(numbers);
  });
});

type Act = { act: "deploy"; content: string; good: boolean } | { act: "rollback" } | { act: "mark"; content: string };

const contents = fc.constantFrom("a", "b", "c", "d", "e");
const acts = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ act: fc.constant("deploy" as const), content: contents, good: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant("rollback" as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("mark" as const), content: contents }) },
  ),
  { maxLength: 40 },
);

/** What a release goes through: every entry is written, then the ledger is pruned, perhaps not to the end. */
class Release {
  /** Everything ever judged: the truth that a pruned ledger must not contradict. */
  readonly all: LedgerEntry[] = [];
  kept: LedgerEntry[] = [];
  live: string | undefined;
  readonly #keep: number;
  readonly #interruptAfter: () => number;

  constructor(keep: number, interruptAfter: () => number) {
    this.#keep = keep;
    this.#interruptAfter = interruptAfter;
  }

  judge(content: string, verdict: Verdict): void {
    const made = entry((newestFirst(this.kept)[0]?.number ?? 0) + 1, content, verdict);
    this.all.push(made);
    this.kept = [...this.kept, made];
    const target = rollbackTarget(this.kept, this.live).target;
    const needed = this.lastVerified(2);
    for (const gone of ledgerToPrune(this.kept, this.#keep).slice(0, this.#interruptAfter())) {
      this.kept = this.kept.filter(({ number }) => number !== gone.number);
      expect(rollbackTarget(this.kept, this.live).target).toBe(target);
      for (const one of needed) expect(this.kept).toContain(one);
    }
    if (target !== undefined) {
      expect(this.truth(target.content)).toBe("pass");
      expect(target.content).not.toBe(this.live);
    }
  }

  /** The newest entries of that many contents which are verified still, of those that the ledger has. */
  lastVerified(count: number): LedgerEntry[] {
    const entries = newestFirst(this.kept);
    return entries
      .filter((one) => entries.find(({ content }) => content === one.content) === one)
      .filter(({ content }) => this.truth(content) === "pass")
      .slice(0, count);
  }

  truth(content: string | undefined): Verdict | undefined {
    return this.all.findLast((one) => one.content === content)?.verdict;
  }

  /** @returns the content that was left, when there was somewhere to go. */
  rollback(): string | undefined {
    const { target } = rollbackTarget(this.kept, this.live);
    if (target === undefined) return undefined;
    const left = this.live;
    if (left !== undefined && this.truth(left) === "pass") this.judge(left, "bad");
    this.live = target.content;
    this.judge(target.content, "pass");
    return left;
  }

  do(act: Act): void {
    if (act.act === "rollback") this.rollback();
    else if (act.act === "mark") this.judge(act.content, "bad");
    else {
      const before = this.live;
      this.live = act.content;
      this.judge(act.content, act.good ? "pass" : "fail");
      if (!act.good) this.live = this.truth(before) === "pass" ? before : this.live;
    }
  }
}

describe("over any history of deploys, verdicts, rollbacks and prunes", () => {
  const history = {
    acts,
    keep: fc.integer({ min: 1, max: 6 }),
    seeds: fc.array(fc.nat({ max: 3 }), { maxLength: 40 }),
  };

  function play({ acts: all, keep, seeds }: { acts: Act[]; keep: number; seeds: number[] }): Release {
    // Now and then a prune is interrupted after some deletions; mostly it ends.
    let next = 0;
    const release = new Release(keep, () => seeds[next++] ?? Infinity);
    for (const act of all) release.do(act);
    return release;
  }

  test("a rollback goes to a verified content that is not live, and no prune changes where, nor takes the last two verified", () => {
    fc.assert(
      fc.property(fc.record(history), (o) => void play(o)),
      { numRuns: 2_000 },
    );
  });

  test("rollbacks in a row never come back to where one of them came from", () => {
    fc.assert(
      fc.property(fc.record(history), (o) => {
        const release = play(o);
        const left = new Set<string>();
        for (;;) {
          const from = release.rollback();
          if (from === undefined) break;
          left.add(from);
          expect(left).not.toContain(release.live);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
