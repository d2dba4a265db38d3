import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashLabel, type KubeObject, type Pod, resources, type Rollout } from "@safe-deploy/kube";
import { inFullRun, isFull } from "../src/full-run.ts";
import { helmArguments, release } from "../src/app-release.ts";
import { rolloutArguments, routing, traefikService, values } from "../src/rollout-release.ts";
import { type Ran, words } from "../src/run.ts";
import { World } from "../src/world.ts";

// What the chart promises under plain Helm, without ctl: whom the fields belong to, which pods are behind which Service
// at every moment, that no gate is skipped, and how a mode may change.

const deadlineMs = 120_000;
let world: World;

beforeAll(async () => {
  world = await World.attach();
});

function upgradeWith(major: 3 | 4, namespace: string) {
  return async (version: string, more: string[] = []): Promise<Ran> =>
    await world.helm(
      helmArguments(namespace, version, [
        ...values("rollout"),
        ...["--set", `ingress.hosts[0].host=${namespace}.local`],
        ...more,
      ]),
      { major },
    );
}

/** The Rollout as soon as it is as asked for; fails with what it was last. */
async function rolloutThat(namespace: string, isAsked: (rollout: Rollout) => boolean): Promise<Rollout> {
  let last: Rollout | undefined;
  try {
    const signal = AbortSignal.timeout(deadlineMs);
    for await (const event of world.kube.watch(resources.Rollout, { namespace, signal })) {
      const found = event.type === "sync" ? event.items : event.type === "deleted" ? [] : [event.object];
      for (const rollout of found) {
        last = rollout;
        if (rollout.status?.observedGeneration === String(rollout.metadata.generation) && isAsked(rollout)) {
          return rollout;
        }
      }
    }
  } catch (cause) {
    throw new Error(`the Rollout is not as asked for: ${JSON.stringify(last?.status)}`, { cause });
  }
  throw new Error(`the Rollout is not as asked for: ${JSON.stringify(last?.status)}`);
}

const hasPhase = (phase: string) => (rollout: Rollout) => rollout.status?.phase === phase;
const isFullyPromoted = (rollout: Rollout) =>
  rollout.status?.phase === "Healthy" && rollout.status.stableRS === rollout.status.currentPodHash;
/** It waits at its first weight, with pods of the template that is asked for. */
const waitsWith = (other: string) => (rollout: Rollout) =>
  rollout.status?.phase === "Paused" && rollout.status.currentPodHash !== other;

async function pods(namespace: string): Promise<Pod[]> {
  const { items } = await world.kube.list(resources.Pod, {
    namespace,
    labelSelector: "app.kubernetes.io/component=server",
  });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** The roles of the pods of each template. */
async function roles(namespace: string): Promise<Record<string, string[]>> {
  const found: Record<string, Set<string>> = {};
  for (const { metadata } of await pods(namespace)) {
    (found[metadata.labels?.[hashLabel] ?? ""] ??= new Set()).add(metadata.labels?.["role"] ?? "none");
  }
  return Object.fromEntries(Object.entries(found).map(([hash, set]) => [hash, [...set].toSorted()]));
}

/** Managers of a Service's selector, as the API server keeps them. */
async function selectorManagers(namespace: string, service: string): Promise<string[]> {
  const { stdout } = await world.kubectl([
    ...["get", "service", service, "-n", namespace, "--show-managed-fields", "-o", "json"],
  ]);
  const object = JSON.parse(stdout) as {
    metadata: { managedFields: { manager: string; fieldsV1: { "f:spec"?: Record<string, unknown> } }[] };
  };
  return object.metadata.managedFields
    .filter(({ fieldsV1 }) => fieldsV1["f:spec"]?.["f:selector"] !== undefined)
    .map(({ manager }) => manager);
}

/** Every set of templates that was behind the main Service with ready pods while something went on. */
async function behindServiceDuring(
  namespace: string,
  act: (seen: readonly string[][]) => Promise<void>,
): Promise<string[][]> {
  const seen: string[][] = [];
  const end = new AbortController();
  const slices = new Map<string, string[]>();
  const hashOf = (pod: string) => pod.split("-").at(-2) ?? "";
  const watching = (async () => {
    const labelSelector = `kubernetes.io/service-name=${release}`;
    for await (const event of world.kube.watch(resources.EndpointSlice, {
      namespace,
      labelSelector,
      signal: end.signal,
    })) {
      const changed = event.type === "sync" ? event.items : [event.object];
      for (const slice of changed) {
        const ready = (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready === true);
        slices.set(
          slice.metadata.name,
          event.type === "deleted" ? [] : ready.map(({ targetRef }) => hashOf(targetRef?.name ?? "")),
        );
      }
      seen.push([...new Set([...slices.values()].flat())].toSorted());
    }
  })().catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  try {
    await act(seen);
  } finally {
    end.abort();
    await watching;
  }
  return seen;
}

async function analysisRuns(namespace: string, hash: string) {
  const { items } = await world.kube.list(resources.AnalysisRun, { namespace });
  return items.filter(({ metadata }) => metadata.labels?.[hashLabel] === hash);
}

/** Adds every weight that the router has for the canary, until told to end. */
async function watchWeights(namespace: string, signal: AbortSignal, seen: Set<number>): Promise<void> {
  try {
    for await (const event of world.kube.watch(traefikService, { namespace, signal })) {
      for (const route of event.type === "sync" ? event.items : [event.object]) {
        const { weighted } = route["spec"] as { weighted?: { services?: { name: string; weight?: number }[] } };
        for (const { name, weight } of weighted?.services ?? [])
          if (name === `${release}-canary` && weight !== undefined) seen.add(weight);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function promote(namespace: string, rollout: Rollout): Promise<void> {
  await world.kube.patch(
    resources.Rollout,
    rollout.metadata.name,
    { status: { pauseConditions: null } },
    { type: "merge", namespace, subresource: "status" },
  );
}

/** Helm 3 owns no fields, so Helm 4 is the harder case. */
const helms = isFull ? ([3, 4] as const) : ([4] as const);

describe.each(helms)("a canary under Helm %d alone", (major) => {
  const namespace = `chart-canary-${major}`;
  const upgrade = upgradeWith(major, namespace);
  const waiting = values("rollout-waits");
  let stable = "";

  const weights = async (): Promise<(number | undefined)[]> => {
    const route = await world.kube.get(traefikService, release, { namespace });
    const spec = route?.["spec"] as { weighted: { services: { weight?: number }[] } } | undefined;
    return spec?.weighted.services.map(({ weight }) => weight) ?? [];
  };

  beforeAll(async () => {
    await world.namespace(namespace);
    const ran = await upgrade("v1");
    expect(ran.code, words(ran)).toBe(0);
    stable = (await rolloutThat(namespace, isFullyPromoted)).status?.stableRS ?? "";
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  test("the selectors of the Services for the router belong to Argo Rollouts alone, the main one to Helm", async () => {
    for (const service of [`${release}-stable`, `${release}-canary`]) {
      expect(await selectorManagers(namespace, service)).toEqual(["rollouts-controller"]);
      const found = await world.kube.get(resources.Service, service, { namespace });
      expect(found?.spec.selector).toEqual({ [hashLabel]: stable });
    }
    expect(await selectorManagers(namespace, release)).toEqual([expect.stringMatching(/^helm/)]);
    expect(await roles(namespace)).toEqual({ [stable]: ["stable"] });
  });

  test("an upgrade in the middle conflicts with nothing, and neither it nor a rollback touches the weights", async () => {
    const seen = await behindServiceDuring(namespace, async () => {
      let other = stable;
      for (const version of ["v2", "v3"]) {
        const ran = await upgrade(version, waiting);
        expect(ran.code, words(ran)).toBe(0);
        const rollout = await rolloutThat(namespace, waitsWith(other));
        other = rollout.status?.currentPodHash ?? "";
        expect(rollout.status?.stableRS).toBe(stable);
        expect(await weights()).toEqual([80, 20]);
        expect(await roles(namespace)).toMatchObject({ [stable]: ["stable"], [other]: ["canary"] });
      }
      // Revision 2 was v2: a rollback from one canary to another.
      const toCanary = await world.helm(["rollback", release, "2", "-n", namespace], { major });
      expect(toCanary.code, words(toCanary)).toBe(0);
      await rolloutThat(namespace, waitsWith(other));
      expect(await weights()).toEqual([80, 20]);
      const back = await world.helm(["rollback", release, "1", "-n", namespace], { major });
      expect(back.code, words(back)).toBe(0);
      const rollout = await rolloutThat(namespace, isFullyPromoted);
      expect(rollout.status?.stableRS).toBe(stable);
      await expect.poll(weights, { timeout: 60_000 }).toEqual([100, 0]);
    });
    // All the time in-cluster callers met the verified version and no other.
    expect(seen).not.toEqual([]);
    for (const templates of seen) expect(templates).toEqual([stable]);
  });

  test("a good version ends at the last gate, which writes the verdict, and old pods leave the Service first", async () => {
    const seen = await behindServiceDuring(namespace, async (seen) => {
      const ran = await upgrade("v2", ["--set", "rollout.canary.scaleDownDelaySeconds=30"]);
      expect(ran.code, words(ran)).toBe(0);
      const { status } = await rolloutThat(
        namespace,
        (rollout) => rollout.status?.currentPodHash !== stable && isFullyPromoted(rollout),
      );
      // The pods of the old version still run, and are behind the Service no more.
      await expect.poll(async () => (await roles(namespace))[stable], { timeout: 60_000 }).toEqual(["none"]);
      await expect.poll(() => seen.at(-1), { timeout: 60_000 }).toEqual([status?.stableRS]);
    });
    const { status } = await rolloutThat(namespace, isFullyPromoted);
    const promoted = status?.stableRS ?? "";
    for (const templates of seen) expect(templates.length, JSON.stringify(seen)).toBeGreaterThan(0);
    const runs = await analysisRuns(namespace, promoted);
    const gate = runs.find(({ spec }) => spec.metrics.some(({ name }) => name === "verified"));
    expect(gate?.status?.phase).toBe("Successful");
    const ledger = await world.kube.list(resources.ConfigMap, {
      namespace,
      labelSelector: `safe-deploy.dev/ledger=${release},safe-deploy.dev/verdict=pass`,
    });
    expect(ledger.items).toHaveLength(2);
    const serving = await routing(world, namespace);
    expect(serving).toMatchObject({ isStable: true, canaryWeight: 0, stable: promoted });
  });

  test("a rollback after it is a version like any other: it takes every step and passes the last gate", async () => {
    const { metadata, status } = await rolloutThat(namespace, isFullyPromoted);
    const promoted = status?.stableRS ?? "";
    const weightsSeen = new Set<number>();
    const end = new AbortController();
    const watching = watchWeights(namespace, end.signal, weightsSeen);
    const back = await world.helm(["rollback", release, "1", "-n", namespace], { major });
    expect(back.code, words(back)).toBe(0);
    const old = await rolloutThat(
      namespace,
      (rollout) => rollout.status?.currentPodHash !== promoted && isFullyPromoted(rollout),
    );
    end.abort();
    await watching;
    expect(old.metadata.uid).toBe(metadata.uid);
    expect(old.status?.stableRS).toBe(stable);
    for (const weight of [20, 60, 100]) expect([...weightsSeen]).toContain(weight);
    expect((await routing(world, namespace)).image).toMatch(/:v1$/);
  });

  test.each(inFullRun)("a revert to a version that was aborted before is judged again, and aborted again", async () => {
    const bad = ["--set-string", "flags.FEATURE_NEW=true"];
    const isAborted = (rollout: Rollout) => rollout.status?.abort === true && hasPhase("Degraded")(rollout);
    const first = await upgrade("v3", bad);
    expect(first.code, words(first)).toBe(0);
    const aborted = (await rolloutThat(namespace, isAborted)).status?.currentPodHash;
    expect((await routing(world, namespace)).stable).toBe(stable);

    const good = await upgrade("v2");
    expect(good.code, words(good)).toBe(0);
    const next = await rolloutThat(
      namespace,
      (rollout) => rollout.status?.currentPodHash !== aborted && isFullyPromoted(rollout),
    );
    const judgedBefore = (await analysisRuns(namespace, aborted ?? "")).length;

    // Its ReplicaSet is older than the stable one: a rollback window would let it in without a look.
    const again = await upgrade("v3", bad);
    expect(again.code, words(again)).toBe(0);
    const taken = await rolloutThat(
      namespace,
      (rollout) => rollout.status?.currentPodHash === aborted && isAborted(rollout),
    );
    expect(taken.status?.stableRS).toBe(next.status?.stableRS);
    expect((await analysisRuns(namespace, aborted ?? "")).length).toBeGreaterThan(judgedBefore);
    await expect.poll(weights, { timeout: 30_000 }).toEqual([100, 0]);
    expect(await routing(world, namespace)).toMatchObject({ stable: next.status?.stableRS });
  });

  test("uninstalling in the middle of one removes the route that Helm created once, and a new install creates it again", async () => {
    const { status } = await rolloutThat(namespace, () => true);
    const under = await upgrade("v1", [...waiting, "--set-string", "config.TRY=uninstall"]);
    expect(under.code, words(under)).toBe(0);
    await rolloutThat(namespace, waitsWith(status?.currentPodHash ?? ""));
    await expect.poll(weights, { timeout: 30_000 }).toEqual([80, 20]);
    const gone = await world.helm(["uninstall", release, "-n", namespace, "--wait"], { major });
    expect(gone.code, words(gone)).toBe(0);
    expect(await world.kube.get(traefikService, release, { namespace })).toBeUndefined();
    await expect.poll(() => pods(namespace), { timeout: 60_000 }).toEqual([]);
    const again = await upgrade("v1");
    expect(again.code, words(again)).toBe(0);
    expect(await weights()).toEqual([100, 0]);
  });
});

describe.each(helms)("blue-green under Helm %d alone", (major) => {
  const namespace = `chart-colours-${major}`;
  const upgradeOnce = upgradeWith(major, namespace);
  const upgrade = async (version: string, more: string[] = []) =>
    await upgradeOnce(version, [
      ...[...values("blue-green"), "--set", "rollout.blueGreen.autoPromotion=false"],
      ...["--set", "rollout.blueGreen.prePromotion={smoke}", ...more],
    ]);
  const selected = async (role: string) =>
    (await world.kube.get(resources.Service, `${release}-${role}`, { namespace }))?.spec.selector?.[hashLabel];
  let stable = "";

  beforeAll(async () => {
    await world.namespace(namespace);
    const ran = await upgrade("v1");
    expect(ran.code, words(ran)).toBe(0);
    stable = (await rolloutThat(namespace, isFullyPromoted)).status?.stableRS ?? "";
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  test("an upgrade in the middle conflicts with nothing, and no gate is skipped", async () => {
    let other = stable;
    for (const version of ["v2", "v3"]) {
      const ran = await upgrade(version);
      expect(ran.code, words(ran)).toBe(0);
      const rollout = await rolloutThat(namespace, waitsWith(other));
      other = rollout.status?.currentPodHash ?? "";
      expect({ active: await selected("active"), preview: await selected("preview") }).toEqual({
        active: stable,
        preview: other,
      });
      expect(await selectorManagers(namespace, `${release}-active`)).toEqual(["rollouts-controller"]);
      const [smoke] = await analysisRuns(namespace, other);
      expect(smoke?.status?.phase).toBe("Successful");
      expect((await roles(namespace))[other]).toEqual(["canary"]);
    }
  });

  test("the Service follows when the analysis after the promotion has passed, with no moment without a pod", async () => {
    const waits = await rolloutThat(namespace, hasPhase("Paused"));
    const next = waits.status?.currentPodHash ?? "";
    const seen = await behindServiceDuring(namespace, async (seen) => {
      await promote(namespace, waits);
      await rolloutThat(namespace, isFullyPromoted);
      // The old pods run on for their minute.
      await expect
        .poll(async () => await roles(namespace), { timeout: 40_000 })
        .toMatchObject({
          [stable]: ["none"],
          [next]: ["stable"],
        });
      await expect.poll(() => seen.at(-1), { timeout: 60_000 }).toEqual([next]);
    });
    expect(seen.at(0)).toEqual([stable]);
    for (const templates of seen) expect(templates.length, JSON.stringify(seen)).toBeGreaterThan(0);
    const runs = await analysisRuns(namespace, next);
    expect(runs.map(({ status }) => status?.phase)).toEqual(["Successful", "Successful"]);
    stable = next;
  });

  test("a preview that fails its gate never becomes active", async () => {
    const ran = await upgrade("v2", ["--set-string", "config.FAULT_SICK=true"]);
    expect(ran.code, words(ran)).toBe(0);
    const aborted = await rolloutThat(namespace, hasPhase("Degraded"));
    expect(aborted.status?.message).toMatch(/smoke/);
    expect(await selected("active")).toBe(stable);
    expect(await routing(world, namespace)).toMatchObject({ stable });
  });
});

describe("the mode", () => {
  const namespace = "chart-mode";
  const toRollout = ["--set", "rollout.router=traefik"];
  const inMode = (mode: string, handover: boolean) => [
    ...["--set", `mode=${mode}`, "--set", `rollout.handover=${handover}`],
    ...toRollout,
  ];
  const kinds = async (): Promise<string[]> => {
    const found: (KubeObject | undefined)[] = [
      await world.kube.get(resources.Deployment, release, { namespace }),
      await world.kube.get(resources.Rollout, release, { namespace }),
    ];
    return found.flatMap((object) => (object === undefined ? [] : [object.kind]));
  };

  beforeAll(async () => {
    await world.namespace(namespace);
    const ran = await upgradeWith(4, namespace)("v1", inMode("deployment", false));
    expect(ran.code, words(ran)).toBe(0);
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  test.each([3, 4] as const)("is not changed by a plain upgrade (Helm %d)", async (major) => {
    const ran = await upgradeWith(major, namespace)("v1", inMode("rollout", false));
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain("mode: is rollout, but a Deployment serves this release");
    expect(ran.stderr).toContain(`pnpm ctl mode rollout -n ${namespace} --release ${release}`);
    expect(await kinds()).toEqual(["Deployment"]);
  });

  test("is not changed by ctl deploy either, which says so before anything happens", async () => {
    const ran = await world.ctl(rolloutArguments(namespace, "v1", inMode("rollout", false)));
    expect(ran.code, words(ran)).toBe(3);
    expect(ran.stdout).toContain("ctl mode rollout");
    expect(await kinds()).toEqual(["Deployment"]);
  });

  test("is not changed together with the version", async () => {
    const ran = await upgradeWith(4, namespace)("v2", inMode("rollout", true));
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/rollout\.handover: the Deployment runs .*myapp:v1.* would skip every gate/);
    expect(await kinds()).toEqual(["Deployment"]);
  });

  test("is changed there and back by a hand-over, and no request fails", async () => {
    const upgrade = upgradeWith(4, namespace);
    const load = await world.routerLoad(`${namespace}.local`, {
      scenario: "failure",
      rate: 50,
      duration: "5m",
      paths: ["/version"],
    });
    await delay(2_000);
    for (const [mode, kind] of [
      ["rollout", "Rollout"],
      ["deployment", "Deployment"],
    ] as const) {
      const both = await upgrade("v1", inMode(mode, true));
      expect(both.code, words(both)).toBe(0);
      expect(await kinds()).toEqual(["Deployment", "Rollout"]);
      await rolloutThat(namespace, isFullyPromoted);
      await world.kubectl(["rollout", "status", `deployment/${release}`, "-n", namespace, "--timeout=60s"]);
      const one = await upgrade("v1", inMode(mode, false));
      expect(one.code, words(one)).toBe(0);
      expect(await kinds()).toEqual([kind]);
      await delay(3_000);
    }
    const { totals } = await load.stop();
    expect(totals.requests).toBeGreaterThan(0);
    expect(totals.failed, JSON.stringify(totals)).toBe(0);
  });
});

describe("a router that does not run here", () => {
  const namespace = "chart-routers";
  const waits = [
    ...["--set", "verify.enabled=false", "--set", "replicaCount=2"],
    ...[...values("rollout-waits"), "--set", "ingress.hosts[0].host=routers.local"],
  ];
  const upgrade = async (router: string, version: string): Promise<Ran> => {
    const args = helmArguments(namespace, version, [
      ...values("rollout"),
      ...waits,
      "--set",
      `rollout.router=${router}`,
    ]);
    return await world.helm(args.with(args.indexOf(release), `${release}-${router}`));
  };

  beforeAll(async () => {
    await world.namespace(namespace);
  });

  afterAll(async () => {
    await world?.removeNamespace(namespace);
  });

  /** The weight of the canary as the controller wrote it for the router to read. */
  const writtenWeight: Record<string, (name: string) => Promise<number | undefined>> = {
    istio: async (name) => {
      const kind = { apiVersion: "networking.istio.io/v1", kind: "VirtualService" };
      const found = await world.kube.get(kind, name, { namespace });
      const spec = found?.["spec"] as { http: { name: string; route: { weight?: number }[] }[] } | undefined;
      return spec?.http.find((route) => route.name === "primary")?.route[1]?.weight;
    },
    nginx: async (name) => Number((await annotations(`${name}-${name}-canary`))["canary-weight"]),
    alb: async (name) => {
      const action = (await annotations(name))[`actions.${name}-stable`] ?? "{}";
      const written = JSON.parse(action) as {
        ForwardConfig?: { TargetGroups: { ServiceName: string; Weight: number }[] };
      };
      return written.ForwardConfig?.TargetGroups.find((group) => group.ServiceName === `${name}-canary`)?.Weight;
    },
  };

  /** Of an Ingress, without the controllers' prefixes. */
  async function annotations(name: string): Promise<Record<string, string>> {
    const found = await world.kube.get({ apiVersion: "networking.k8s.io/v1", kind: "Ingress" }, name, { namespace });
    const all = Object.entries(found?.metadata.annotations ?? {});
    return Object.fromEntries(all.map(([key, value]) => [key.replace(/^.*\//, ""), value]));
  }

  test.each(isFull ? ["istio", "nginx", "alb"] : ["nginx"])(
    "%s: its objects are accepted, and get their weights",
    async (router) => {
      const name = `${release}-${router}`;
      const isMine = (rollout: Rollout) => rollout.metadata.name === name;
      const first = await upgrade(router, "v1");
      expect(first.code, words(first)).toBe(0);
      await rolloutThat(namespace, (rollout) => isMine(rollout) && isFullyPromoted(rollout));
      // The second upgrade meets the weights that were written after the first.
      for (const version of ["v2", "v3"]) {
        const ran = await upgrade(router, version);
        expect(ran.code, words(ran)).toBe(0);
        await rolloutThat(namespace, (rollout) => isMine(rollout) && hasPhase("Paused")(rollout));
        await expect.poll(async () => await writtenWeight[router]?.(name), { timeout: 60_000 }).toBe(20);
      }
      const gone = await world.helm(["uninstall", name, "-n", namespace]);
      expect(gone.code, words(gone)).toBe(0);
    },
  );

  test("the Gateway API: its objects are accepted; its plugin, which would write the weights, is not there", async () => {
    const args = ["--set", "rollout.gatewayAPI.parentRefs[0].name=public"];
    const rendered = await world.helm([
      ...["template", release, ...helmArguments(namespace, "v1").slice(3, 4), "-n", namespace],
      ...helmArguments(namespace, "v1").slice(6),
      ...[...values("rollout"), ...waits, "--set", "rollout.router=gatewayAPI", ...args],
    ]);
    expect(rendered.code, words(rendered)).toBe(0);
    const applied = await world.kubectl(["apply", "--dry-run=server", "-n", namespace, "-f", "-"], {
      stdin: rendered.stdout,
    });
    expect(applied.stdout).toMatch(/httproute\.gateway\.networking\.k8s\.io\/myapp created/);
  });
});
