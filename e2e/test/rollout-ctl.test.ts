import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inFullRun, isFull } from "../src/full-run.ts";
import { faultValues, image, release } from "../src/app-release.ts";
import { parseReport } from "../src/report.ts";
import { rolloutArguments, routerUrl, type Routing, routing, traefikService, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { killedAfter } from "../src/killed-after.ts";
import { seededNumbers } from "../src/seed.ts";
import { chart, World } from "../src/world.ts";

const canaries = "e2e-rollout-canary";
const colours = "e2e-rollout-blue-green";
const kills = "e2e-rollout-kills";
const modes = "e2e-rollout-modes";
/** A deploy of a canary on the lab takes about this long, in milliseconds. */
const spanMs = 15_000;
let world: World;

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  for (const namespace of [canaries, colours, kills, modes]) await world?.removeNamespace(namespace);
});

async function ctl(namespace: string, ...args: string[]): Promise<Ran> {
  return await world.ctl([...args, "-n", namespace, "--release", release, "-o", "json"]);
}

async function deploy(namespace: string, version: string, more: string[] = []): Promise<Ran> {
  return await world.ctl(rolloutArguments(namespace, version, more));
}

async function started(namespace: string, more: string[] = []): Promise<Routing> {
  await world.namespace(namespace);
  const first = await deploy(namespace, "v1", more);
  expect(first.code, words(first)).toBe(0);
  return await routing(world, namespace);
}

/** Everything goes to one version, which is the one asked for. */
function expectAlone(found: Routing, version: string): void {
  expect(found).toMatchObject({ image: image(version), isStable: true, canaryWeight: 0, serving: [image(version)] });
  for (const [service, hash] of Object.entries(found.services)) expect(hash, service).toBe(found.stable);
}

const slowToTell: [string, string[], string, RegExp][] = [
  ["whose image does not exist", ["--skip-preflight"], "never-built", /never-built/],
  ["whose pods are ready and answer nothing but errors", ["--set-string", "config.FAULT_SICK=true"], "v3", /health/],
  ["that is never ready", ["--set-string", "config.FAULT_UNREADY=true"], "v3", /probe failed/i],
];

describe("a canary", () => {
  beforeAll(async () => {
    expectAlone(await started(canaries), "v1");
  });

  test("that is good goes through its steps, is promoted and verified", async () => {
    const ran = await deploy(canaries, "v2");
    expect(ran.code, words(ran)).toBe(0);
    const report = parseReport(ran);
    expect(report.result).toBe("verified");
    const what = report.timeline.map((entry) => entry.what);
    for (const line of ["20 % of the requests are the canary's", "60 % of the requests are the canary's", "promoted"])
      expect(what).toContain(line);
    expectAlone(await routing(world, canaries), "v2");
    const status = await ctl(canaries, "status");
    expect(status.code, words(status)).toBe(0);
  });

  test.each([
    ["that crashes", ["-f", faultValues("crash")], "v3", /licence file/],
    [
      "that a declared check fails",
      ["--set-string", "flags.FEATURE_NEW=true"],
      "v3",
      /^declared check failed: new feature: GET .*\/feature\/new: .*500/,
    ],
    ...(isFull ? slowToTell : []),
  ])("%s is taken back: what was there serves, the weights and Services with it", async (_, more, version, cause) => {
    const before = await routing(world, canaries);
    const ran = await deploy(canaries, version, more);
    expect(ran.code, words(ran)).toBe(5);
    const report = parseReport(ran);
    expect(report).toMatchObject({
      result: "restored",
      live: { image: expect.stringContaining(image("v2")) as string },
    });
    expect(`${report.fault?.message}\n${report.log}`).toMatch(cause);
    const after = await routing(world, canaries);
    expectAlone(after, "v2");
    expect(after).toEqual(before);
  });

  test("that waits for a person says so, splits the requests by its weight, and can be aborted, retried and promoted", async () => {
    const paused = await deploy(canaries, "v3", values("rollout-waits"));
    expect(paused.code, words(paused)).toBe(7);
    expect(parseReport(paused)).toMatchObject({ result: "paused", code: "CTL_E_PAUSED" });
    for (const command of [["status"], ["wait"], ["get"], ["get", "--watch"]]) {
      const ran = await ctl(canaries, ...command);
      expect(ran.code, command.join(" ") + words(ran)).toBe(7);
    }
    expect(await routing(world, canaries)).toMatchObject({ canaryWeight: 20, serving: [image("v2")] });

    const host = ["--host", `${canaries}.local`];
    const split = await ctl(canaries, "traffic", await routerUrl(world), ...host, "--header", "x-canary: true");
    expect(split.code, words(split)).toBe(0);
    const { plain, withHeader } = JSON.parse(split.stdout) as Record<
      string,
      { counts: { version: string; answers: number }[] }
    >;
    expect(plain?.counts.map(({ version }) => version)).toEqual(["v2", "v3"]);
    expect(withHeader?.counts).toEqual([{ version: "v3", answers: 100, errors: 0 }]);

    for (const _ of ["once", "again"]) {
      const aborted = await ctl(canaries, "abort");
      expect(aborted.code, words(aborted)).toBe(0);
    }
    expect(await routing(world, canaries)).toMatchObject({ canaryWeight: 0, serving: [image("v2")] });
    expect((await ctl(canaries, "status")).code).toBe(6);
    const refused = await ctl(canaries, "promote");
    expect(refused.code, words(refused)).toBe(3);
    expect(refused.stdout).toContain("CTL_E_NOT_NOW");

    const retried = await ctl(canaries, "retry");
    expect(retried.code, words(retried)).toBe(7);
    const promoted = await ctl(canaries, "promote");
    expect(promoted.code, words(promoted)).toBe(0);
    expectAlone(await routing(world, canaries), "v3");
  });

  test("is promoted in full past every step, and verified all the same; then goes back to the revision named", async () => {
    const paused = await deploy(canaries, "v1", [...values("rollout-waits"), "--set-string", "config.TRY=full"]);
    expect(paused.code, words(paused)).toBe(7);
    const full = await ctl(canaries, "promote", "--full");
    expect(full.code, words(full)).toBe(0);
    expect(parseReport(full).result).toBe("verified");
    expectAlone(await routing(world, canaries), "v1");

    const { revisions } = JSON.parse((await ctl(canaries, "history")).stdout) as {
      revisions: { revision: number; image: string; verdict: string }[];
    };
    const second = revisions.find((one) => one.image.includes(image("v2")) && one.verdict === "pass");
    const undone = await ctl(canaries, "undo", "--to-revision", String(second?.revision));
    expect(undone.code, words(undone)).toBe(0);
    expectAlone(await routing(world, canaries), "v2");
  });

  test("that is rolled back in the middle leaves nothing of itself", async () => {
    const before = await routing(world, canaries);
    expect((await deploy(canaries, "v3", [...values("rollout-waits"), "--set-string", "config.TRY=back"])).code).toBe(
      7,
    );
    const back = await ctl(canaries, "rollback");
    expect(back.code, words(back)).toBe(0);
    expect(await routing(world, canaries)).toEqual(before);
  });
});

describe("blue-green", () => {
  beforeAll(async () => {
    expectAlone(await started(colours, values("blue-green")), "v1");
  });

  test("that is good is switched to and verified", async () => {
    const ran = await deploy(colours, "v2", values("blue-green"));
    expect(ran.code, words(ran)).toBe(0);
    expectAlone(await routing(world, colours), "v2");
  });

  test.each([
    ["before", "crash", false],
    ["after", "crash-later", true],
  ])("that crashes %s the switch is taken back", async (_, fault, isSwitched) => {
    const before = await routing(world, colours);
    const ran = await deploy(colours, "v3", [...values("blue-green"), "-f", faultValues(fault)]);
    expect(ran.code, words(ran)).toBe(5);
    const report = parseReport(ran);
    expect(report.fault?.kind).toBe("CrashLoop");
    const switched = report.timeline.some(({ what }) => what === "the active Service leads to the new pods");
    expect(switched).toBe(isSwitched);
    expect(await routing(world, colours)).toEqual(before);
  });

  test("that nobody promotes in the time given for it is taken back", async () => {
    const before = await routing(world, colours);
    const limit = "rollout.blueGreen.autoPromotion=false,rollout.blueGreen.autoPromotionSeconds=5";
    const ran = await deploy(colours, "v3", [...values("blue-green"), "--set", limit]);
    expect(ran.code, words(ran)).toBe(5);
    expect(parseReport(ran).fault?.message).toMatch(/nobody promoted the preview within 5s/);
    expect(await routing(world, colours)).toEqual(before);
  });

  test("that waits to be promoted is promoted by a person", async () => {
    const waits = [...values("blue-green"), "--set", "rollout.blueGreen.autoPromotion=false"];
    const paused = await deploy(colours, "v3", waits);
    expect(paused.code, words(paused)).toBe(7);
    expect(await routing(world, colours)).toMatchObject({ serving: [image("v2")] });
    const promoted = await ctl(colours, "promote");
    expect(promoted.code, words(promoted)).toBe(0);
    expectAlone(await routing(world, colours), "v3");
  });
});

describe("ctl killed in the middle", () => {
  const moments = isFull ? 5 : 1;

  beforeAll(async () => {
    await started(kills);
  });

  test.each(seededNumbers("rollout deploy", moments))(
    "of a good canary, at %d of its way: the same command finishes it",
    async (at) => {
      const args = rolloutArguments(kills, "v2", ["--set-string", `config.AT=${at}`]);
      const killed = await killedAfter(world, at * spanMs, args);
      const again = await world.ctl(args);
      expect(again.code, `first ended with ${killed.code}\n${words(again)}`).toBe(0);
      expectAlone(await routing(world, kills), "v2");
    },
  );

  test.each(seededNumbers("rollout bad deploy", moments))(
    "of a bad canary, at %d of its way: the same command restores",
    async (at) => {
      const args = rolloutArguments(kills, "v3", ["-f", faultValues("crash"), "--set-string", `config.AT=${at}`]);
      const before = await routing(world, kills);
      const killed = await killedAfter(world, at * spanMs, args);
      const again = await world.ctl(args);
      expect(again.code, `first ended with ${killed.code}\n${words(again)}`).toBe(5);
      expect(await routing(world, kills)).toEqual(before);
    },
  );

  test.each(seededNumbers("rollout rollback", moments))(
    "of a rollback, at %d of its way: the same command finishes it",
    async (at) => {
      const waits = [...values("rollout-waits"), "--set-string", `config.AT=back${at}`];
      const before = await routing(world, kills);
      expect((await deploy(kills, "v3", waits)).code).toBe(7);
      const args = ["rollback", "-n", kills, "--release", release, "-o", "json"];
      const killed = await killedAfter(world, at * 9_000, args);
      // A rollback that had ended already is a whole one, and a second would go one further back.
      if (killed.code !== 0) {
        const again = await world.ctl(args);
        expect(again.code, words(again)).toBe(0);
      }
      expect(await routing(world, kills)).toEqual(before);
    },
  );
});

describe.each(inFullRun)("ctl killed in the middle of what a person asks for (%s)", () => {
  test.each(seededNumbers("rollout person", 5))(
    "an abort and a retry, at %d of their way: the same command ends as it would have",
    async (at) => {
      await started(kills);
      const before = await routing(world, kills);
      expect((await deploy(kills, "v2", values("rollout-waits"))).code).toBe(7);
      const killed = async (command: string) => {
        const args = [command, "-n", kills, "--release", release, "-o", "json"];
        await killedAfter(world, at * 3_000, args);
        return await world.ctl(args);
      };
      const aborted = await killed("abort");
      expect(aborted.code, words(aborted)).toBe(0);
      expect(await routing(world, kills)).toMatchObject({ canaryWeight: 0, stable: before.stable });
      const retried = await killed("retry");
      expect(retried.code, words(retried)).toBe(7);
      expect(await routing(world, kills)).toMatchObject({ canaryWeight: 20, stable: before.stable });
      const back = await ctl(kills, "rollback");
      expect(back.code, words(back)).toBe(0);
      expect(await routing(world, kills)).toEqual(before);
    },
  );
});

describe("under 50 requests/s at the router", () => {
  const load = async () =>
    await world.load("traefik", "traefik", {
      scenario: "baseline",
      rate: 50,
      duration: "5m",
      paths: ["/version"],
      headers: { host: `${modes}.local` },
    });

  const autoscaled = "autoscaling.enabled=true,autoscaling.minReplicas=2,autoscaling.maxReplicas=4";

  test.each([
    ["an autoscaler counts the pods", ["--set", autoscaled]],
    ...(isFull ? [["the chart counts the pods", []] satisfies [string, string[]]] : []),
  ])("the mode changes there and back, killed in between, and no request fails: %s", async (_, more) => {
    await started(modes, ["--set", "mode=deployment", ...more]);
    const traffic = await load();
    await delay(1_000);
    for (const mode of ["rollout", "deployment"]) {
      const args = ["mode", mode, "--chart", chart, "-n", modes, "--release", release, "-o", "json"];
      const [at = 0] = seededNumbers(`mode ${mode}`, 1);
      const killed = await killedAfter(world, at * spanMs, args);
      const again = await world.ctl(args);
      expect(again.code, `first ended with ${killed.code}\n${words(again)}`).toBe(0);
      // An autoscaler may be adding a pod.
      const ended = await ctl(modes, "wait");
      expect(ended.code, words(ended)).toBe(0);
      expect((await routing(world, modes)).serving).toEqual([image("v1")]);
      // Nothing of the mode before is left, and everything of the present one is there.
      const weighted = await world.kube.get(traefikService, release, { namespace: modes });
      expect(weighted === undefined, `TraefikService in mode ${mode}`).toBe(mode === "deployment");
    }
    await delay(1_000);
    const { totals } = await traffic.stop();
    expect(totals.failed, JSON.stringify(totals)).toBe(0);
    expect(Object.keys(totals.byVersion)).toEqual(["v1"]);
  });

  test.each(inFullRun)("what a person does to a canary fails no request: abort, retry, promote", async () => {
    await started(modes);
    const traffic = await load();
    await delay(1_000);
    expect((await deploy(modes, "v2", values("rollout-waits"))).code).toBe(7);
    for (const [command, code] of [
      ["abort", 0],
      ["retry", 7],
      ["promote", 0],
    ] as const) {
      const ran = await ctl(modes, command);
      expect(ran.code, command + words(ran)).toBe(code);
    }
    expectAlone(await routing(world, modes), "v2");
    await delay(1_000);
    const { totals } = await traffic.stop();
    expect(totals.failed, JSON.stringify(totals)).toBe(0);
    expect(Object.keys(totals.byVersion).toSorted()).toEqual(["v1", "v2"]);
  });

  test.each(inFullRun)("a good canary and the way back from it fail no request", async () => {
    await started(modes);
    const traffic = await load();
    await delay(1_000);
    const ran = await deploy(modes, "v2");
    expect(ran.code, words(ran)).toBe(0);
    const back = await ctl(modes, "rollback");
    expect(back.code, words(back)).toBe(0);
    expectAlone(await routing(world, modes), "v1");
    const bad = await deploy(modes, "v3", ["-f", faultValues("crash")]);
    expect(bad.code, words(bad)).toBe(5);
    const { totals } = await traffic.stop();
    expect(totals.failed, JSON.stringify(totals)).toBe(0);
    expect(Object.keys(totals.byVersion).toSorted()).toEqual(["v1", "v2"]);
  });
});
