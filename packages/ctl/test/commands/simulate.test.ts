import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runSimulate, type SimulateOptions } from "../../src/commands/simulate.ts";
import { temporaryFile, temporaryFolder } from "../fixtures/files.ts";

// Thousands of rollouts take their time on a machine that is at work.
vi.setConfig({ testTimeout: 60_000 });

/** As the chart's values are when they are merged; only what a rollout's course depends on. */
function values(changes: Record<string, unknown> = {}) {
  const canary = {
    steps: [{ setWeight: 10 }, { pause: { seconds: 30 } }, { analysis: ["errorRatio"] }],
    background: ["errorRatio", "restarts"],
    backgroundFromStep: 1,
  };
  return {
    mode: "rollout",
    worker: false,
    replicaCount: 3,
    verify: { enabled: true },
    rollout: { strategy: "canary", router: "traefik", waitScale: 1, canary },
    analysis: {
      engine: "thresholds",
      onNoData: "abort",
      noDataSeconds: 60,
      minRequests: 50,
      intervalSeconds: 3,
      warmUpSeconds: 8,
      windowSeconds: 120,
      limits: { failure: 0, inconclusive: 20, consecutiveError: null },
      names: { statusLabel: "status", errorStatus: "5.." },
      metrics: { errorRatio: { forgive: 4, doubt: 2, pass: 0.025, fail: 0.025 }, restarts: { pass: 1 } },
    },
    ...changes,
  };
}

/** A helm that takes every chart and prints these values, as Helm prints those of a chart that does nothing else. */
async function helmWith(merged: unknown): Promise<void> {
  const encoded = Buffer.from(JSON.stringify(merged)).toString("base64");
  const helm = await temporaryFile(
    "helm",
    `#!/bin/sh\ncase "$1" in version) printf v4.3.1 ;; show) echo "{}" ;; template) cat > /dev/null; echo "values: ${encoded}" ;; esac\n`,
    0o755,
  );
  vi.stubEnv("CTL_HELM", helm);
}

async function simulate(changes: Partial<SimulateOptions> = {}, signal = new AbortController().signal) {
  const options: SimulateOptions = {
    release: "myapp",
    output: "text",
    timeout: "5m",
    chart: await temporaryFolder(),
    values: [],
    set: [],
    setString: [],
    against: [],
    scenario: [],
    errors: [],
    stableErrors: "0.1%",
    requestsPerSecond: "100",
    rollouts: "40",
    seed: "1",
    scrape: "5s",
    podsReady: "2s",
    faults: "2%",
    confidence: "99%",
    ...changes,
  };
  return await runSimulate(options, signal);
}

beforeEach(() => helmWith(values()));
afterEach(() => vi.unstubAllEnvs());

describe("a simulation", () => {
  test("says for each scenario how rollouts end, after how long and with how many bad requests", async () => {
    const { exit, text, json } = await simulate();
    expect(exit).toBe(0);
    expect(text).toContain("the chart's own values: canary by a router, thresholds,");
    expect(text).toContain("10 %, 30s, gate errorRatio, 100 %, gate verified");
    expect(text).toContain("watched all the time: errorRatio");
    expect(text).toContain("not simulated, taken as good: restarts");
    expect(text).toMatch(/^healthy +promoted +100 % \(91\.2–100\)/m);
    expect(text).toMatch(/^buggy 20 % +aborted +100 % \(91\.2–100\)/m);
    expect(text).toMatch(/^False aborts: healthy 0 % \(0–8\.8\)/m);
    const { kind, schemaVersion, simulations } = json as {
      kind: string;
      schemaVersion: number;
      simulations: unknown[];
    };
    expect([kind, schemaVersion, simulations.length]).toEqual(["simulation", 1, 10]);
    expect(simulations[0]).toMatchObject({
      values: "the chart's own values",
      scenario: "healthy",
      engine: "thresholds",
      rollouts: 40,
      seed: 1,
      notSimulated: ["restarts"],
      ends: { promoted: { count: 40, share: 1, high: 1 } },
      falseAborts: { count: 0, low: 0 },
    });
  });

  test("is judged by the engine of the values, or by the one asked for", async () => {
    const engineOf = async (changes: Partial<SimulateOptions> = {}) =>
      ((await simulate({ scenario: ["healthy"], ...changes })).json as { simulations: { engine: string }[] })
        .simulations[0]?.engine;
    const own = values();
    const rules = {
      errors: { bad: "errors", p0: 0.005, p1: 0.02 },
      slow: { bad: "slower", seconds: 1, p0: 0.01, p1: 0.05 },
    };
    const sequential = { policy: { rules } };
    await helmWith({ ...own, analysis: { ...own.analysis, engine: "sequential", sequential } });
    expect(await engineOf()).toBe("sequential");
    expect(await engineOf({ engine: "thresholds" })).toBe("thresholds");
    expect((await simulate({ scenario: ["healthy"] })).text).toMatch(
      /watched all the time: sequential\n {2}not simulated, taken as good: restarts, slow\n/,
    );
    await helmWith({ ...own, analysis: { ...own.analysis, engine: "both" } });
    expect(await engineOf()).toBe("thresholds");
    await helmWith({ ...own, analysis: { ...own.analysis, engine: null } });
    expect(await engineOf()).toBe("sequential");
  });

  test("plays the agent where the values let it steer, and a person's pause where it advises", async () => {
    const own = values();
    const tens = Array.from({ length: 9 }, (_, index) => [{ setWeight: 10 * (index + 1) }, { pause: {} }]).flat();
    const canary = { ...own.rollout.canary, steps: [...tens, { setWeight: 100 }] };
    const agent = { enabled: true, stepIntervalSeconds: 10, maxSteps: 100, sloLatencyMs: 200, ownAbort: "advises" };
    const withMode = (mode: string) =>
      helmWith({ ...own, rollout: { ...own.rollout, canary }, agent: { ...agent, mode } });
    await withMode("steer");
    const steered = await simulate({ scenario: ["healthy", "buggy"], errors: ["20%"] });
    expect(steered.text).toContain("canary by a router, thresholds, steered by the agent,");
    expect(steered.text).toContain("10 %, until the agent moves, 20 %");
    expect(steered.text).toMatch(/^healthy +promoted +100 %/m);
    expect(steered.text).toMatch(/^buggy 20 % +aborted +100 %/m);
    await withMode("advise");
    const advised = await simulate({ scenario: ["healthy"] });
    expect(advised.text).toContain("10 %, until promoted, 20 %");
    expect(advised.text).toMatch(/^healthy +paused +100 %/m);
  });

  test("says how often the budget that the values state is exceeded", async () => {
    const own = values();
    await helmWith({ ...own, analysis: { ...own.analysis, sequential: { policy: { budget: 10 } } } });
    const { text, json } = await simulate({ scenario: ["healthy", "buggy"], errors: ["100%"] });
    expect(text).toMatch(/^Over the budget of 10: healthy .*, buggy 100 % 100 % \(91\.2–100\)$/m);
    const { simulations } = json as { simulations: { overBudget?: { count: number } }[] };
    expect(simulations[1]?.overBudget?.count).toBe(40);
    await helmWith(own);
    expect((await simulate({ scenario: ["buggy"], errors: ["100%"] })).text).not.toContain("budget");
  });

  test("is the same for the same seed, and another for another", async () => {
    const badOf = async (seed: string) =>
      (await simulate({ seed, scenario: ["flaky"] })).json as { simulations: { bad: unknown }[] };
    const once = await badOf("7");
    expect((await badOf("7")).simulations).toEqual(once.simulations);
    expect((await badOf("8")).simulations[0]!.bad).not.toEqual(once.simulations[0]!.bad);
  });

  test("puts a second values file beside the first", async () => {
    const [one, two] = [await temporaryFile("one.yaml", ""), await temporaryFile("two.yaml", "")];
    const { text } = await simulate({ values: [one], against: [two], scenario: ["healthy"] });
    expect(text).toMatch(/^A = one\.yaml: canary/m);
    expect(text).toMatch(/^B = two\.yaml: canary/m);
    expect(text).toMatch(/^healthy +A +promoted.*\n +B +promoted/m);
  });

  test("is drawn as a file, or as a page, that needs no network", async () => {
    const folder = await temporaryFolder();
    const [svg, page] = [join(folder, "plot.svg"), join(folder, "plot.html")];
    await simulate({ plot: svg, scenario: ["healthy", "buggy"] });
    await simulate({ plot: page, scenario: ["healthy"] });
    const drawing = await readFile(svg, "utf8");
    expect(drawing).toMatch(/^<svg xmlns/);
    for (const words of ["healthy", "buggy 5 %", 'class="promoted"', 'class="aborted"', 'class="bad"']) {
      expect(drawing).toContain(words);
    }
    expect(drawing).not.toContain("NaN");
    const text = await readFile(page, "utf8");
    expect(text).toMatch(/^<!doctype html>/);
    expect(text).toContain("default-src 'none'");
    expect(text.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
  });

  test("replays what Prometheus recorded", async () => {
    const counter = (metric: Record<string, string>, perStep: number) => ({
      metric,
      values: Array.from({ length: 61 }, (_, index) => [1000 + 5 * index, String(perStep * index)]),
    });
    const dump = (...result: unknown[]) => ({ status: "success", data: { resultType: "matrix", result } });
    const healthy = await temporaryFile("dump.json", JSON.stringify(dump(counter({ status: "200" }, 500))));
    const { text, json } = await simulate({ replay: healthy, errors: ["50%"] });
    expect(text).toMatch(/^recording +promoted +100 %/m);
    expect(text).toMatch(/^recording \+ 50 % +aborted +100 %/m);
    expect(json).toMatchObject({ requestsPerSecond: null });
    const faulty = await temporaryFile(
      "dump.json",
      JSON.stringify(
        dump(counter({ status: "200", role: "stable" }, 450), counter({ status: "503", role: "canary" }, 50)),
      ),
    );
    expect((await simulate({ replay: faulty })).text).toMatch(/^recording +aborted +100 %/m);
  });

  test("tells of a recording how many of stable's errors share one fate", async () => {
    const counter = (status: string, perStep: (index: number) => number) => {
      let sum = 0;
      const values = Array.from({ length: 61 }, (_, index) => [1000 + 5 * index, String((sum += perStep(index)))]);
      return { metric: { status }, values };
    };
    const replayed = async (...result: unknown[]) => {
      const dump = { status: "success", data: { resultType: "matrix", result } };
      return await simulate({ replay: await temporaryFile("dump.json", JSON.stringify(dump)), rollouts: "1" });
    };
    const answered = counter("200", () => 100_000);
    // Eight at once in every fourth window: a variance of twelve about a mean of two.
    const bursts = await replayed(
      answered,
      counter("500", (index) => (index % 4 === 0 ? 8 : 0)),
    );
    expect(bursts.text).toContain("Bursts: stable's errors come as if 6.2 shared one fate (60 windows");
    expect(bursts.text).toContain("analysis.sequential.policy.phi is 1: set 6.2");
    expect(bursts.json).toMatchObject({ bursts: { windows: 60 } });
    const few = await replayed(answered);
    expect(few.text).toContain("Bursts: too few errors of stable");
    expect(few.json).toMatchObject({ bursts: null });
    expect((await simulate()).text).not.toContain("Bursts");
  });
});

describe("a budget", () => {
  test("that settings keep is found, with the values to merge", async () => {
    const { exit, text, json } = await simulate({ budget: "90", faults: "50%" });
    expect(exit).toBe(0);
    expect(text).toMatch(/^✗ {2}as it is +\d+/m);
    expect(text).toContain("Merge this over the values:");
    const { settings } = json as { settings: { fits: boolean; values: object; costs: { bad: number }[] }[] };
    const best = settings.find(({ fits }) => fits)!;
    expect(Math.max(...best.costs.map(({ bad }) => bad))).toBeLessThanOrEqual(90);
    expect(best.values).toMatchObject({ rollout: { canary: { steps: [{ setWeight: expect.any(Number) }, {}, {}] } } });
  });

  test("that nothing keeps is refused, with what the best settings keep", async () => {
    await helmWith(values({ rollout: { ...values().rollout, router: "none" } }));
    await expect(simulate({ budget: "3", faults: "50%" })).rejects.toMatchObject({
      code: "CTL_E_BUDGET",
      exit: 3,
      next: expect.stringMatching(/keeps \d+.*rollout\.router/),
      details: { kind: "budget" },
    });
  });

  test("of the sequential engine holds whenever the version turns bad", async () => {
    const { text } = await simulate({ budget: "300", faults: "50%", engine: "sequential" });
    expect(text).toMatch(/Whenever it turns bad: (at most )?300 bad requests/);
  });
});

test.each<[string, Record<string, unknown>, string[]]>([
  ["a mode without steps", { mode: "deployment" }, ["mode is deployment"]],
  ["a worker", { worker: true }, ["a worker takes jobs"]],
  ["a blue-green", { rollout: { ...values().rollout, strategy: "blueGreen" } }, ["blue-green"]],
  [
    "no weight and a metric that is not there",
    { rollout: { ...values().rollout, canary: { steps: [{ analysis: ["typo"] }] } } },
    ["none sets a weight", "no metric of analysis.metrics is named typo"],
  ],
])("values with %s are refused, with what and what to do", async (_, changes, words) => {
  await helmWith(values(changes));
  const error = await simulate().then(
    () => undefined,
    (thrown: unknown) => thrown as { code: string; exit: number; message: string; next: string },
  );
  expect(error).toMatchObject({ code: "CTL_E_NO_SIMULATION", exit: 3 });
  for (const word of words) expect(error!.message).toContain(word);
  expect(error!.next).not.toBe("");
});

test.each<[Partial<SimulateOptions>, string]>([
  [{ scenario: ["sunny"] }, 'no scenario "sunny"'],
  [{ errors: ["150%"] }, "--errors 150% is no share"],
  [{ stableErrors: "a bit" }, "--stable-errors a bit is no share"],
  [{ rollouts: "0" }, "--rollouts 0 is no whole number above 0"],
  [{ rollouts: "2.5" }, "--rollouts 2.5 is no whole number"],
  [{ requestsPerSecond: "" }, "--requests-per-second  is no number"],
  [{ seed: "x" }, "--seed x"],
  [{ scrape: "soon" }, "--scrape soon is not a duration"],
  [{ plot: "plot.png" }, "--plot plot.png"],
  [{ plot: "/nowhere/plot.svg" }, "--plot"],
  [{ values: ["/nowhere.yaml"] }, "no values file /nowhere.yaml"],
  [{ against: ["/nowhere.yaml"] }, "no values file /nowhere.yaml"],
  [{ replay: "/nowhere.json" }, "--replay /nowhere.json"],
  [{ budget: "many" }, "--budget many"],
  [{ budget: "9", faults: "0" }, "--faults 0"],
  [{ budget: "9", confidence: "99.999%" }, "--confidence 99.999%"],
])("%j is refused as wrong usage", async (options, words) => {
  await expect(simulate({ rollouts: "2", ...options })).rejects.toMatchObject({
    code: "CTL_E_USAGE",
    exit: 2,
    message: expect.stringContaining(words),
    next: expect.stringMatching(/./),
  });
});

test.each([{ rollouts: "1000000" }, { budget: "1", faults: "0.1%" }])(
  "%j ends when it is interrupted",
  async (options) => {
    await expect(simulate(options, AbortSignal.timeout(500))).rejects.toThrow("aborted");
  },
);
