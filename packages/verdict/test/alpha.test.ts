import * as fc from "fast-check";
import { expect, test } from "vitest";
import { divideAlpha } from "../src/alpha.ts";
import { defaultPolicy } from "../src/policy.ts";
import { seed } from "./seed.ts";

const plan = { pollSeconds: 1, scrapeSeconds: 1, horizonSeconds: 1800, gateSeconds: 300 };

test("whatever the rules and their shares, the chances to fail a good version add up to alpha", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 1, maxLength: 8 }),
      fc.double({ min: 1e-6, max: 0.1, noNaN: true }),
      fc.integer({ min: 1, max: 100_000 }),
      (shares, alpha, horizonSeconds) => {
        const rules = shares.map((alphaShare, index) => ({ ...defaultPolicy.rules[0]!, name: `${index}`, alphaShare }));
        const all = divideAlpha({ ...defaultPolicy, alpha, rules }, { ...plan, horizonSeconds });
        const chances = all.map(({ sprt, cusum, starts }) => Math.exp(-sprt) + starts * Math.exp(-cusum));
        expect(chances.reduce((sum, chance) => sum + chance, 0) / alpha).toBeCloseTo(1, 9);
        expect(all[0]!.starts).toBe(horizonSeconds);
      },
    ),
    { seed },
  );
});

test("one look each 30 s makes fewer starts than one each second, and lower boundaries", () => {
  const [often] = divideAlpha(defaultPolicy, plan);
  const [seldom] = divideAlpha(defaultPolicy, { ...plan, pollSeconds: 30 });
  expect(seldom!.starts).toBe(60);
  expect(seldom!.cusum).toBeLessThan(often!.cusum);
  expect(seldom!.sprt).toBe(often!.sprt);
});
