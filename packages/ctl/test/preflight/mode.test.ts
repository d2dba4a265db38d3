import type { Deployment, Rollout } from "@safe-deploy/kube";
import { expect, test } from "vitest";
import { modeFinding } from "../../src/preflight/mode.ts";

const deployment = { kind: "Deployment" } as Deployment;
const rollout = { kind: "Rollout" } as Rollout;
const address = "--release myapp -n shop";

test.each([
  ["a first deploy", "Rollout" as const, {}],
  ["a Rollout over a Rollout", "Rollout" as const, { rollout }],
  ["a Deployment over a Deployment", "Deployment" as const, { deployment }],
])("%s goes on", (_what, wanted, live) => {
  expect(modeFinding(wanted, { deployment: undefined, rollout: undefined, ...live }, address).status).toBe("ok");
});

test.each([
  ["a Rollout over a Deployment", "Rollout" as const, { deployment }, /mode: rollout, but a Deployment/, "rollout"],
  ["a Deployment over a Rollout", "Deployment" as const, { rollout }, /mode: deployment, but a Rollout/, "deployment"],
  ["a deploy in a half-finished change", "Rollout" as const, { deployment, rollout }, /not finished/, "rollout"],
])("%s is refused with the command that changes the mode", (_what, wanted, live, words, mode) => {
  const finding = modeFinding(wanted, { deployment: undefined, rollout: undefined, ...live }, address);
  expect(finding).toMatchObject({ check: "mode", status: "refused", next: `ctl mode ${mode} ${address}, then deploy` });
  expect(finding.what).toMatch(words);
});
