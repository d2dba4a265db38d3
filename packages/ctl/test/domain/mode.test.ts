import { describe, expect, test } from "vitest";
import { modeOf, modeSteps } from "../../src/domain/mode.ts";
import { servesBeside } from "../../src/domain/serving.ts";
import { deployment, endpoints, pod, running, snapshot } from "../fixtures/cluster.ts";
import { helmRelease } from "../fixtures/helm.ts";
import { canary, podOf, rolloutSnapshot } from "../fixtures/rollout.ts";

const chart = (values: object) => ({ metadata: { name: "myapp", version: "0.1.0" }, values });
const release = (config: Record<string, unknown>, status: "deployed" | "failed" = "deployed") =>
  helmRelease({ config, info: { status } });

describe("the mode of a revision", () => {
  test.each([
    ["the chart's default", helmRelease({ chart: chart({ mode: "deployment" }) }), "deployment", false],
    [
      "the user's, over the chart's",
      helmRelease({ chart: chart({ mode: "deployment" }), config: { mode: "rollout" } }),
      "rollout",
      false,
    ],
    ["a hand-over", release({ mode: "rollout", rollout: { handover: true } }), "rollout", true],
    ["that of a chart without modes", helmRelease({ config: null }), "deployment", false],
  ])("is %s", (_, revision, mode, isHandover) => {
    expect(modeOf(revision)).toEqual({ mode, isHandover });
  });
});

describe("what is left to do for mode rollout", () => {
  test.each([
    ["everything, from the other mode", release({}), false, ["begin", "complete"]],
    ["the rest, from a hand-over", release({ mode: "rollout", rollout: { handover: true } }), true, ["complete"]],
    ["nothing, when it is done", release({ mode: "rollout" }), true, []],
    ["nothing, when the last upgrade failed for another reason", release({ mode: "rollout" }, "failed"), false, []],
    [
      "everything again, when Helm was killed in the middle",
      release({ mode: "rollout" }, "failed"),
      true,
      ["begin", "complete"],
    ],
    [
      "everything again, from a hand-over of the way back",
      release({ mode: "deployment", rollout: { handover: true } }),
      false,
      ["begin", "complete"],
    ],
  ])("%s", (_, newest, isResumed, steps) => {
    expect(modeSteps(newest, "rollout", isResumed)).toEqual(steps);
  });
});

describe("a workload serves beside another", () => {
  const fresh = ["a", "b", "c"].map((name) => podOf("new", name));
  const other = pod({
    name: "x",
    ready: true,
    owner: { kind: "ReplicaSet", name: "else", uid: "else" },
    statuses: [running(1)],
  });
  const done = rolloutSnapshot({
    rollout: canary({ stableRS: "new" }),
    pods: [...fresh, other],
    endpoints: [endpoints([...fresh, other])],
  });

  test("when all its pods do", () => {
    expect(servesBeside(done)).toEqual({ done: true });
  });

  test.each([
    ["the workload to exist", { rollout: undefined }],
    ["its ReplicaSet", { replicaSets: [] }],
    ["the rollout to be promoted", { rollout: canary() }],
    ["2 of 3 of its pods to serve", { endpoints: [endpoints([...fresh.slice(1), other])] }],
    ["1 of 3 of its pods to serve", { pods: fresh.slice(2) }],
  ])("not while it waits for %s", (waitingFor, change) => {
    expect(servesBeside({ ...done, ...change })).toEqual({ done: false, waitingFor });
  });

  test("as a Deployment too", () => {
    const one = pod({ name: "a", ready: true, statuses: [running(1, { ready: true, started: true })] });
    const state = snapshot({
      deployment: deployment({ replicas: 1 }),
      pods: [one, other],
      endpoints: [endpoints([one, other])],
    });
    expect(servesBeside(state)).toEqual({ done: true });
  });
});
