import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { CHART, HELM_VERSIONS, type HelmVersion } from "./support/helm.ts";

const ctl = join(CHART, "../../packages/ctl/src/main.ts");
const presetA = join(CHART, "presets/a.yaml");

/** Runs `ctl simulate` of this chart without a cluster. */
function simulate(helm: HelmVersion, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { PATH: process.env["PATH"], HOME: tmpdir(), CTL_HELM: inject("helm")[helm] };
  return new Promise((resolve) => {
    execFile(process.execPath, [ctl, "simulate", "--rollouts", "20", ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function valuesFile(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "simulate-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "values.yaml");
  await writeFile(file, content);
  return file;
}

test.each(HELM_VERSIONS)(
  "values are merged as Helm %d does: later files win over earlier ones, settings over files",
  async (helm) => {
    const changes = await valuesFile(`
rollout: {waitScale: 0.5, canary: {background: [watch]}}
analysis:
  windowSeconds: 90
  metrics:
    errorRatio: {intervalSeconds: 10}
    watch: {type: errorRatio, forgive: 4, doubt: 2, pass: 0.025, fail: 0.025}
`);
    const { code, stdout, stderr } = await simulate(
      helm,
      ...[
        "-f",
        presetA,
        "-f",
        changes,
        "--set",
        "rollout.canary.background={watch,errorRatio}",
        "--scenario",
        "healthy",
        // The watch of preset A's own bound bears no error among its first hundred requests.
        "--stable-errors",
        "0%",
      ],
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("10 %, 1m, gate errorRatio, 50 %, 2m30s, gate errorRatio, 100 %, gate verified");
    expect(stdout).toContain("watched all the time: watch, errorRatio");
    expect(stdout).toMatch(/^healthy +promoted +100 %/m);
  },
);

test("the presets with weights are simulated, beside each other too", async () => {
  const canary = join(CHART, "presets/b-canary.yaml");
  const { code, stdout } = await simulate(
    4,
    "-f",
    presetA,
    "--against",
    canary,
    "--scenario",
    "buggy",
    "--errors",
    "1",
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^buggy 100 % +A +aborted/m);
  expect(stdout).toMatch(/^ +B +aborted/m);
});

test.each<[string, string[], string, string]>([
  ["of another mode", [], "CTL_E_NO_SIMULATION", "mode is deployment"],
  ["of a blue-green", ["-f", join(CHART, "presets/d-blue-green.yaml")], "CTL_E_NO_SIMULATION", "blue-green"],
  ["of a worker", ["-f", join(CHART, "presets/d-worker.yaml")], "CTL_E_NO_SIMULATION", "a worker"],
  ["with an unknown key", ["-f", presetA, "--set", "rollot.x=1"], "CTL_E_RENDER", "rollot"],
  [
    "that null out a metric in use",
    ["--set", "mode=rollout,analysis.metrics.errorRatio=null"],
    "CTL_E_RENDER",
    "errorRatio",
  ],
  ["that the chart refuses", ["-f", presetA, "--set", "ingress.hosts=null"], "CTL_E_RENDER", "nothing to route"],
])("values %s are refused with exit code 3", async (_, args, errorCode, words) => {
  const { code, stderr } = await simulate(4, ...args);
  expect(code).toBe(3);
  expect(stderr).toContain(errorCode);
  expect(stderr).toContain(words);
  expect(stderr).toContain("next: ");
});
