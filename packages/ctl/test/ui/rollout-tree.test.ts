import { expect, test } from "vitest";
import { rolloutState } from "../../src/domain/rollout.ts";
import { rolloutVerdict } from "../../src/domain/rollout-verdict.ts";
import { rolloutTree } from "../../src/ui/rollout-tree.ts";
import { at, ms } from "../fixtures/cluster.ts";
import { analysis, blueGreen, canary, objects, podOf, set } from "../fixtures/rollout.ts";

const images = new Map([
  ["old", "registry.local/myapp:1"],
  ["new", "registry.local/myapp:2"],
]);

function tree(...parts: Parameters<typeof objects>): string {
  const state = rolloutState(objects(...parts));
  const now = ms(60);
  return rolloutTree({ namespace: "shop", state, verdict: rolloutVerdict(state, now), images, now }).join("\n");
}

test("a canary is drawn with its steps, weight, values against limits, and pods", () => {
  const rollout = canary({
    currentStepIndex: 1,
    pauseConditions: [{ reason: "CanaryPauseStep", startTime: at(10) }],
    controllerPause: true,
    canary: { weights: { canary: { weight: 10 }, stable: { weight: 90 } } },
  });
  const drawn = tree(rollout, {
    replicaSets: [set("old", 1), set("new", 2, { available: 1 })],
    pods: [podOf("new", "a"), podOf("new", "b", false), podOf("old", "x")],
    analysisRuns: [analysis("Running", { name: "myapp-new-2", type: "Background", value: "[0.01]" })],
  });
  expect(drawn).toBe(`… Rollout myapp in shop: waiting for step 2 of 5 (pause 2m) to end in 1m10s
  strategy:   canary
  weight:     canary 10 % of the requests, by the router (wanted: 10 %)
  new pods:   1 of 3 available
  steps:
    ✓ 1 setWeight 10
    ▶ 2 pause 2m, 1m10s left
    · 3 setWeight 50
    · 4 pause until promoted
    · 5 analysis myapp-error-ratio
  analyses:
    ▶ background  myapp-new-2  Running
        ▶ error-ratio  [0.01], wanted len(result) > 0 && result[0] < 0.05  (0 good, 0 failed, 0 inconclusive, 0 without an answer)
  pods:
    canary  myapp-new  revision 2  1/3 ready  registry.local/myapp:2
      ● a  Running
      ○ b  Running
    stable  myapp-old  revision 1  1/3 ready  registry.local/myapp:1
      ● x  Running`);
});

test("one that was aborted has no step done, and says why", () => {
  const drawn = tree(canary({ abort: true }));
  expect(drawn).toMatch(/^✗ Rollout myapp in shop: aborted: /);
  expect(drawn).toContain("    · 1 setWeight 10");
  expect(drawn).not.toContain("▶");
});

test("one that is promoted has every step done", () => {
  const drawn = tree(canary({ stableRS: "new", currentStepIndex: 5 }));
  expect(drawn).toMatch(/^✓ Rollout myapp in shop: promoted: /);
  expect(drawn.match(/ {4}✓ \d/g)).toHaveLength(5);
});

test("blue-green is drawn with where its Services lead, and when the pods before end", () => {
  const drawn = tree(blueGreen({ blueGreen: { activeSelector: "new", previewSelector: "new" } }), {
    replicaSets: [set("old", 1, { scaleDownAt: at(90) }), set("new", 2)],
  });
  expect(drawn).toContain("active:     new (new)");
  expect(drawn).toContain("stable  myapp-old  revision 1  0/3 ready, ends in 30s");
  expect(drawn).not.toContain("steps:");
});

test("without a router the weight is the share of the pods", () => {
  expect(tree(canary({}, { router: false }))).toContain("canary 50 % of the pods; there is no router (wanted: 10 %)");
});
