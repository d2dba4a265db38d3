import { expect, test } from "vitest";
import type { Rollout } from "@safe-deploy/kube";
import { updateOf } from "../src/update.ts";
import { rollout } from "./fixtures.ts";

test("a canary behind a router has the router's weight, and stable serves until it is 100", () => {
  expect(updateOf(rollout({ weight: 30 }), 1)).toMatchObject({
    canary: "new",
    stable: "old",
    weight: 30,
    stableServes: true,
  });
  expect(updateOf(rollout({ weight: 100 }), 1)).toMatchObject({ weight: 100, stableServes: false });
});

test("without a router the step's weight counts as soon as a pod of the canary serves", () => {
  const plain = (index: number): Rollout => {
    const { spec, status, ...rest } = rollout({});
    const steps = [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }];
    return {
      ...rest,
      spec: { ...spec, strategy: { canary: { steps } } },
      status: { ...status, currentStepIndex: index },
    };
  };
  expect(updateOf(plain(0), 0)).toMatchObject({ weight: 0 });
  expect([0, 1, 2, 3].map((index) => updateOf(plain(index), 1)?.weight)).toEqual([20, 20, 60, 100]);
});

test("a preview is compared with nothing, and has all the traffic once it is active", () => {
  const blueGreen = (activeSelector: string): Rollout => {
    const { spec, status, ...rest } = rollout({});
    return {
      ...rest,
      spec: { ...spec, strategy: { blueGreen: { activeService: "a" } } },
      status: { ...status, blueGreen: { activeSelector } },
    };
  };
  expect(updateOf(blueGreen("old"), 1)).toMatchObject({ weight: 0, stableServes: false });
  expect(updateOf(blueGreen("new"), 1)).toMatchObject({ weight: 100, stableServes: false });
});

test("one version alone is no update: before the first, and after a promotion", () => {
  expect(updateOf(rollout({ stable: "" }), 1)).toBeUndefined();
  expect(updateOf(rollout({ canary: "old" }), 1)).toBeUndefined();
  expect(updateOf(rollout({ aborted: true }), 1)).toMatchObject({ isAborted: true });
});
