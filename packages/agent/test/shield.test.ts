import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ABORT, actions, HOLD, includes, possibleActions, setOf, UP } from "../src/actions.ts";
import { allowedActions, vetoedFrom } from "../src/shield.ts";

const inputs = fc.record({
  weight: fc.integer({ min: 1, max: 10 }).map((tens) => 10 * tens),
  verdict: fc.constantFrom("pass", "fail", "continue", "inconclusive", "blind" as const),
  suspicion: fc.double({ min: 0, max: 2, noNaN: true }),
  isSlow: fc.boolean(),
});

test("something is always left, and only what means anything at the weight", () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const allowed = allowedActions(input);
      expect(allowed).not.toBe(0);
      for (const action of actions) {
        if (includes(allowed, action)) expect(includes(possibleActions(input.weight), action)).toBe(true);
      }
    }),
  );
});

test("a verdict of fail leaves ABORT alone, and blindness HOLD alone, whatever else is seen", () => {
  fc.assert(
    fc.property(inputs, (input) => {
      expect(allowedActions({ ...input, verdict: "fail" })).toBe(setOf(ABORT));
      expect(allowedActions({ ...input, verdict: "blind" })).toBe(setOf(HOLD));
    }),
  );
});

test("100 % is reached with a pass only", () => {
  fc.assert(
    fc.property(inputs, ({ verdict, ...input }) => {
      const isUp = includes(allowedActions({ ...input, verdict, weight: 90 }), UP);
      if (verdict !== "pass") expect(isUp).toBe(false);
    }),
  );
  expect(includes(allowedActions({ weight: 90, verdict: "pass", suspicion: 0, isSlow: false }), UP)).toBe(true);
});

test("half of the evidence that fails a version, or its slowness, keeps it from getting more requests", () => {
  const calm = { weight: 50, verdict: "continue", suspicion: 0, isSlow: false } as const;
  expect(includes(allowedActions(calm), UP)).toBe(true);
  expect(includes(allowedActions({ ...calm, suspicion: vetoedFrom }), UP)).toBe(false);
  expect(includes(allowedActions({ ...calm, isSlow: true }), UP)).toBe(false);
});
