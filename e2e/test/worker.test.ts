import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isFull } from "../src/full-run.ts";
import { deployArguments } from "../src/app-release.ts";
import { askForJobs, type Effects, effectsOf, noteEffects } from "../src/jobs.ts";
import { dsn, startPostgres } from "../src/postgres.ts";
import { parseReport } from "../src/report.ts";
import { recordRow } from "../src/results.ts";
import { values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { aloneAt, workerArguments, type Working, working } from "../src/worker-release.ts";
import { World } from "../src/world.ts";

const rollouts = "e2e-worker";
const deployments = "e2e-worker-deployment";
/** Jobs a second, at most. */
const rate = 20;
/** With each attempt a prefix of its own for its jobs. */
let attempt = 0;
let world: World;

/** The app with its database, and the first version of a worker beside it. */
async function start(namespace: string, more: string[]): Promise<void> {
  await world.namespace(namespace);
  await startPostgres(world, namespace);
  const app = await world.ctl(
    deployArguments(namespace, "v1", [
      ...["--set", "replicaCount=1,migrations.enabled=true", "--set-string", `secrets.DB_DSN=${dsn}`],
    ]),
  );
  expect(app.code, words(app)).toBe(0);
  await noteEffects(world, namespace);
  const worker = await world.ctl(workerArguments(namespace, "v1", more));
  expect(worker.code, words(worker)).toBe(0);
}

/** Deploys a version of the worker while jobs are asked for, and waits until all of them are done, by whomever. */
async function underJobs(namespace: string, version: string, more: string[]): Promise<{ ran: Ran; effects: Effects }> {
  const prefix = `attempt${++attempt}`;
  const asking = askForJobs(world, namespace, { prefix, rate });
  const ran = await world.ctl(workerArguments(namespace, version, more));
  const { accepted, refused } = await asking.stop();
  expect(refused).toEqual([]);
  await vi.waitFor(
    async () => {
      const { undone } = await effectsOf(world, namespace, prefix);
      expect(undone, `jobs without a result after\n${words(ran)}`).toBe(0);
    },
    { timeout: 180_000, interval: 1_000 },
  );
  const effects = await effectsOf(world, namespace, prefix);
  // None was lost: all that the API has said yes to are there, and done. None was done twice, whoever took it again.
  expect(effects.jobs).toBe(accepted.length);
  expect(effects.twice).toEqual([]);
  expect(Object.values(effects.byVersion).reduce((sum, count) => sum + count, 0)).toBe(accepted.length);
  return { ran, effects };
}

function record(version: string, mode: string, ran: Ran, effects: Effects): void {
  recordRow(`A worker's release while up to ${rate} jobs a second are asked for`, {
    version,
    mode,
    "exit code": ran.code ?? "a signal",
    seconds: Math.round(ran.seconds),
    jobs: effects.jobs,
    "done by this version": effects.byVersion[version === "good" ? "v2" : "v3"] ?? 0,
    lost: effects.undone,
    "done twice": effects.twice.length,
  });
}

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  for (const namespace of [rollouts, deployments]) await world?.removeNamespace(namespace);
});

interface Bad {
  version: string;
  /** Environment of the worker. */
  config: string[];
  /** What ctl has to say of it. */
  cause: RegExp;
}

const failing: Bad = {
  version: "fails half of its jobs",
  config: ["FAULT_ERRORS=jobs=0.5"],
  cause: /job-failure-ratio/,
};
const others: Bad[] = [
  { version: "is slow", config: ["FAULT_LATENCY_MS=11000", "WORKER_CONCURRENCY=32"], cause: /job-duration/ },
  { version: "dies in the middle of jobs", config: ["FAULT_JOB_CRASHES=0.05"], cause: /restart|crash|exit/i },
];

describe("a worker as a canary of pods, while jobs are asked for", () => {
  beforeAll(async () => {
    await start(rollouts, []);
    expect(await working(world, rollouts)).toMatchObject({ ...aloneAt("v1"), isStable: true });
  });

  test("that is good is promoted; no job is lost or done twice", async () => {
    const { ran, effects } = await underJobs(rollouts, "v2", []);
    expect(ran.code, words(ran)).toBe(0);
    expect(parseReport(ran).result).toBe("verified");
    expect(await working(world, rollouts)).toMatchObject({ ...aloneAt("v2"), isStable: true });
    expect(effects.byVersion["v2"]).toBeGreaterThan(0);
    record("good", "rollout", ran, effects);
  });

  test.each([failing, ...(isFull ? others : [])])(
    "that $version is taken back; no job is lost or done twice",
    async ({ version, config, cause }) => {
      const before: Working = await working(world, rollouts);
      const { ran, effects } = await underJobs(rollouts, "v3", asConfig(config));
      expect(ran.code, words(ran)).toBe(5);
      const report = parseReport(ran);
      expect(report.result).toBe("restored");
      expect(report.fault?.message, words(ran)).toMatch(cause);
      expect(await working(world, rollouts)).toEqual(before);
      record(version, "rollout", ran, effects);
    },
  );
});

describe.each(isFull ? [values("worker-deployment")] : [])(
  "a worker as a Deployment, with a check that a job was done, while jobs are asked for",
  (...mode) => {
    beforeAll(async () => {
      // No job is asked for yet, so the check could not pass.
      await start(deployments, ["--set", "mode=deployment,replicaCount=2"]);
      expect(await working(world, deployments)).toMatchObject(aloneAt("v1"));
    });

    test("that is good is verified; no job is lost or done twice", async () => {
      const { ran, effects } = await underJobs(deployments, "v2", mode);
      expect(ran.code, words(ran)).toBe(0);
      expect(await working(world, deployments)).toMatchObject(aloneAt("v2"));
      record("good", "deployment", ran, effects);
    });

    test.each<Bad>([
      { version: "fails all of its jobs", config: ["FAULT_SICK=true"], cause: /works/ },
      { version: "dies in the middle of jobs", config: ["FAULT_JOB_CRASHES=0.3"], cause: /restart|crash|exit/i },
    ])("that $version is taken back; no job is lost or done twice", async ({ version, config, cause }) => {
      const before = await working(world, deployments);
      const { ran, effects } = await underJobs(deployments, "v3", [...mode, ...asConfig(config)]);
      expect(ran.code, words(ran)).toBe(5);
      const report = parseReport(ran);
      expect(report.result).toBe("restored");
      expect(report.fault?.message, words(ran)).toMatch(cause);
      expect(await working(world, deployments)).toEqual(before);
      record(version, "deployment", ran, effects);
    });
  },
);

function asConfig(config: string[]): string[] {
  return config.flatMap((line) => ["--set-string", `config.${line}`]);
}
