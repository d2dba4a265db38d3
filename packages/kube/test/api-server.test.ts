import { readFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, expectTypeOf, inject, onTestFinished, test, vi } from "vitest";
import {
  acquireLease,
  eventsOf,
  holderOf,
  Kube,
  LeaseHeld,
  LeaseLost,
  observe,
  resources,
  waitUntil,
  type ConfigMap,
  type Deployment,
  type KubeObject,
  type Lease,
  type Pod,
} from "../src/index.ts";

const { kubeconfig, pidFile } = inject("apiServer");
let admin: Kube;

beforeAll(async () => {
  admin = await Kube.connect({ kubeconfig });
  await admin.apply(namespace("test"));
});

describe("objects", () => {
  test("are created, read, changed and deleted", async () => {
    const made = await admin.create<ConfigMap>(configMap("crud", { n: "1" }));
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    await expect(admin.create(configMap("crud", {}))).rejects.toMatchObject({ status: 409, reason: "AlreadyExists" });

    const patched = await admin.patch(resources.ConfigMap, "crud", { data: { m: "2" } });
    expectTypeOf(patched).toEqualTypeOf<ConfigMap>();
    expect(patched.data).toEqual({ n: "1", m: "2" });
    const operations = [{ op: "remove", path: "/data/m" }];
    expect((await admin.patch(resources.ConfigMap, "crud", operations, { type: "json" })).data).toEqual({ n: "1" });

    await expect(admin.replace({ ...made, data: { n: "late" } })).rejects.toMatchObject({ reason: "Conflict" });
    const current = (await admin.get(resources.ConfigMap, "crud")) as ConfigMap;
    expect((await admin.replace<ConfigMap>({ ...current, data: { n: "3" } })).data).toEqual({ n: "3" });

    expect(await admin.delete(resources.ConfigMap, "crud", { uid: "another" })).toBe(false);
    expect(await admin.delete(resources.ConfigMap, "crud", { uid: made.metadata.uid })).toBe(true);
    expect(await admin.delete(resources.ConfigMap, "crud")).toBe(false);
    expect(await admin.get(resources.ConfigMap, "crud")).toBeUndefined();
  });

  test("are listed by label, with their kind, across pages and namespaces", async () => {
    const count = 510;
    await Promise.all(
      Array.from({ length: count }, (_, n) => admin.apply(configMap(`page-${n}`, {}, { set: "pages" }))),
    );
    const { items, resourceVersion } = await admin.list(resources.ConfigMap, { labelSelector: "set=pages" });
    expect(new Set(items.map((item) => item.metadata.name)).size).toBe(count);
    expect(items[0]).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
    expect(Number(resourceVersion)).toBeGreaterThan(0);
    const some = await admin.list(resources.ConfigMap, { labelSelector: "set=pages", limit: 7, namespace: null });
    expect(some.items).toHaveLength(7);
  });

  test("are not changed by a dry run", async () => {
    await admin.create(configMap("dry", {}), { dryRun: true });
    await admin.apply(configMap("dry", {}), { dryRun: true });
    expect(await admin.get(resources.ConfigMap, "dry")).toBeUndefined();
    await admin.apply(configMap("dry", { n: "1" }));
    await admin.patch(resources.ConfigMap, "dry", { data: { n: "2" } }, { dryRun: true });
    await admin.delete(resources.ConfigMap, "dry", { dryRun: true });
    expect((await admin.get(resources.ConfigMap, "dry"))?.data).toEqual({ n: "1" });
  });

  test("with a misspelt field are refused", async () => {
    const wrong = { ...deployment("misspelt"), spec: { ...deployment("misspelt").spec, replica: 2 } };
    await expect(admin.apply(wrong)).rejects.toMatchObject({
      message: expect.stringContaining("replica"),
      hint: expect.stringContaining("spelling"),
    });
    await expect(admin.create(wrong)).rejects.toMatchObject({ status: 400 });
  });

  test("that are invalid are refused with every field at fault", async () => {
    const wrong = { ...deployment("Invalid_Name"), spec: { ...deployment("x").spec, replicas: -1 } };
    const error = await admin.create(wrong).catch((error: unknown) => error);
    expect(error).toMatchObject({ status: 422, reason: "Invalid" });
    expect(error).toMatchObject({
      causes: expect.arrayContaining([
        expect.objectContaining({ field: "metadata.name" }),
        expect.objectContaining({ field: "spec.replicas" }),
      ]),
    });
  });

  test("of custom resources are found by discovery", async () => {
    const kind = { apiVersion: "example.com/v1", kind: "Widget" };
    const widget = { ...kind, metadata: { name: "w" }, spec: { size: 1 } };
    await expect(admin.create(widget)).rejects.toMatchObject({
      status: 404,
      hint: expect.stringContaining("CustomResourceDefinition of example.com"),
    });
    await admin.apply(widgetDefinition);
    const definition = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
    await waitUntil(admin, { crd: { resource: definition } }, { what: "the CRD", timeoutMs: 10_000 }, ({ crd }) =>
      JSON.stringify(crd[0]?.["status"]).includes('"type":"Established"') ? true : undefined,
    );
    // Established is set before every part of the server knows: its documentation speaks of up to five seconds.
    await vi.waitFor(() => admin.create(widget), { timeout: 10_000, interval: 50 });
    expect(await admin.get(kind, "w")).toMatchObject({ kind: "Widget", spec: { size: 1 } });
    expect((await admin.list(kind)).items).toHaveLength(1);
  });

  test("have their events", async () => {
    const made = await admin.create<ConfigMap>(configMap("eventful", {}));
    const { apiVersion, kind, metadata } = made;
    const event = (name: string, reason: string, lastTimestamp: string) => ({
      ...resources.Event,
      metadata: { name, namespace: "test" },
      involvedObject: { apiVersion, kind, name: metadata.name, namespace: "test", uid: metadata.uid },
      reason,
      lastTimestamp,
    });
    await admin.create(event("e2", "Second", "2026-01-01T00:00:02Z"));
    await admin.create(event("e1", "First", "2026-01-01T00:00:01Z"));
    await admin.create({
      ...event("e3", "Other", "2026-01-01T00:00:03Z"),
      involvedObject: { name: "other", namespace: "test" },
    });
    expect((await eventsOf(admin, made)).map(({ reason }) => reason)).toEqual(["First", "Second"]);
  });
});

describe("server-side apply", () => {
  test("refuses to take another manager's fields, says which, and takes them when forced", async () => {
    await admin.apply(deployment("owned", { replicas: 1 }), { fieldManager: "helm" });
    const error = await admin.apply(deployment("owned", { replicas: 2 })).catch((error: unknown) => error);
    expect(error).toMatchObject({ status: 409, reason: "Conflict", hint: expect.stringContaining("force") });
    expect(error).toMatchObject({
      message: expect.stringContaining('"helm"'),
      causes: [expect.objectContaining({ field: ".spec.replicas", reason: "FieldManagerConflict" })],
    });
    const forced = await admin.apply<Deployment>(deployment("owned", { replicas: 2 }), { force: true });
    expect(forced.spec.replicas).toBe(2);
  });

  test("accepts what was read from the server", async () => {
    await admin.apply(configMap("again", { n: "1" }));
    const read = (await admin.get(resources.ConfigMap, "again")) as ConfigMap;
    expect((await admin.apply<ConfigMap>({ ...read, data: { n: "2" } })).data).toEqual({ n: "2" });
  });
});

describe("a login", () => {
  test("without a right is told the rule to add", async () => {
    const viewer = await Kube.connect({ kubeconfig, context: "viewer" });
    await expect(viewer.get(resources.Deployment, "web")).rejects.toMatchObject({
      status: 403,
      hint: [
        '"viewer" may not get deployments. Add to its Role in namespace "test":',
        '  - apiGroups: ["apps"]',
        '    resources: ["deployments"]',
        '    verbs: ["get"]',
      ].join("\n"),
    });
    await expect(viewer.logs("web-1")).rejects.toMatchObject({
      hint: expect.stringContaining('resources: ["pods/log"]'),
    });
    await expect(viewer.list(resources.Node)).rejects.toMatchObject({ hint: expect.stringContaining("ClusterRole:") });
    const events = viewer.watch(resources.Pod, { signal: new AbortController().signal });
    await expect(events.next()).rejects.toMatchObject({
      status: 403,
      hint: expect.stringContaining('verbs: ["list"]'),
    });
  });

  test("may do what that rule allows, and asks the server whether it may", async () => {
    const robot = await Kube.connect({ kubeconfig, context: "robot" });
    expect(await robot.can("list", { resource: "secrets" })).toBe(false);
    await grant("robot", [{ apiGroups: [""], resources: ["secrets"], verbs: ["list"] }]);
    await vi.waitFor(async () => expect(await robot.can("list", { resource: "secrets" })).toBe(true));
    expect((await robot.list(resources.Secret)).items).toEqual([]);
    expect(await robot.can("list", { resource: "secrets", namespace: "default" })).toBe(false);
    await expect(robot.list(resources.Secret, { namespace: null })).rejects.toMatchObject({ status: 403 });
  });

  test("with only list gets the watch's missing right named", async () => {
    const robot = await Kube.connect({ kubeconfig, context: "robot" });
    await grant("robot", [{ apiGroups: [""], resources: ["secrets"], verbs: ["list"] }]);
    const state = observe(robot, { secrets: { resource: resources.Secret } }, new AbortController().signal);
    const wait = state.until({ what: "what never comes", timeoutMs: 10_000 }, () => undefined);
    await expect(wait).rejects.toMatchObject({ status: 403, hint: expect.stringContaining('verbs: ["watch"]') });
  });

  test("whose certificate has expired is told when", async () => {
    const expired = await Kube.connect({ kubeconfig, context: "expired" });
    await expect(expired.get(resources.Pod, "web")).rejects.toMatchObject({
      status: 401,
      hint: expect.stringMatching(/client certificate of user "expired" .* expired on /),
    });
  });

  test("to a server with another authority is refused by this side", async () => {
    const config = JSON.parse(await readFile(kubeconfig, "utf8")) as {
      clusters: { cluster: Record<string, string> }[];
    };
    const [entry] = config.clusters;
    delete entry?.cluster["certificate-authority-data"];
    const path = `${kubeconfig}-without-ca`;
    await writeFile(path, JSON.stringify(config));
    const kube = await Kube.connect({ kubeconfig: path });
    await expect(kube.get(resources.Pod, "web")).rejects.toMatchObject({
      status: 0,
      reason: "TLS",
      hint: expect.stringContaining("certificate-authority"),
    });
  });
});

describe("a refusal that is not about rights", () => {
  test("names the quota", async () => {
    const quota = {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "none", namespace: "full" },
      spec: { hard: { pods: "0" } },
    };
    await admin.apply(namespace("full"));
    await admin.apply(quota);
    const status = { hard: { pods: "0" }, used: { pods: "0" } };
    await admin.patch(resources.ResourceQuota, "none", { status }, { namespace: "full", subresource: "status" });
    const error = await admin.create(pod("p", "full")).catch((error: unknown) => error);
    expect(error).toMatchObject({ status: 403, hint: expect.stringContaining("ResourceQuota") });
  });

  test("names the Pod Security level", async () => {
    await admin.apply(namespace("strict", { "pod-security.kubernetes.io/enforce": "restricted" }));
    const error = await admin.create(pod("p", "strict")).catch((error: unknown) => error);
    expect(error).toMatchObject({ status: 403, hint: expect.stringContaining("Pod Security") });
  });
});

describe("an observation", () => {
  test("sees several kinds as one typed state", async () => {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const state = observe(
      admin,
      {
        web: { resource: resources.Deployment, fieldSelector: "metadata.name=observed" },
        pods: { resource: resources.Pod, labelSelector: "app=observed" },
      },
      stop.signal,
    );
    const seen = state.until({ what: "a deployment with a pod", timeoutMs: 10_000 }, ({ web, pods }) => {
      expectTypeOf(web).toEqualTypeOf<readonly Deployment[]>();
      expectTypeOf(pods).toEqualTypeOf<readonly Pod[]>();
      return web[0]?.spec.replicas === 3 && pods.length === 1 ? pods[0]?.metadata.name : undefined;
    });
    await admin.apply(deployment("observed", { replicas: 3 }));
    await admin.apply(pod("observed-1", "test", { app: "observed" }));
    expect(await seen).toBe("observed-1");
  });
});

describe("a lease", () => {
  test("has one holder at a time, and passes on when released", async () => {
    const first = await acquireLease(admin, { name: "one", holder: "first", about: { pid: "1" } });
    const error = await acquireLease(admin, { name: "one", holder: "second" }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LeaseHeld);
    expect(error).toMatchObject({ holder: { holder: "first", about: { pid: "1" } } });
    const waiting = acquireLease(admin, { name: "one", holder: "second", waitMs: 15_000 });
    await first.release();
    const second = await waiting;
    expect(second.takenOverFrom).toBeUndefined();
    expect(first.signal.aborted).toBe(false);
    await second.release();
    expect(holderOf((await admin.get(resources.Lease, "one")) as Lease)).toBeUndefined();
  });

  test("is won by exactly one of many who try at once", async () => {
    const tries = Array.from({ length: 12 }, (_, n) => acquireLease(admin, { name: "race", holder: `runner-${n}` }));
    const results = await Promise.allSettled(tries);
    const won = results.filter((result) => result.status === "fulfilled");
    expect(won).toHaveLength(1);
    const refusals = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
    expect(refusals.map(({ name }) => name)).toEqual(Array.from({ length: 11 }, () => "LeaseHeld"));
    await won[0]?.value.release();
  });

  test("is renewed for as long as it is held", async () => {
    const lease = await acquireLease(admin, { name: "renewed", holder: "me", durationSeconds: 3 });
    onTestFinished(() => lease.release());
    const first = holderOf((await admin.get(resources.Lease, "renewed")) as Lease);
    await waitUntil(
      admin,
      { leases: { resource: resources.Lease, fieldSelector: "metadata.name=renewed" } },
      { what: "renewals past the first duration", timeoutMs: 10_000 },
      ({ leases: [now] }) => (now && first && (holderOf(now)?.renewedAt ?? 0) > first.expiresAt ? true : undefined),
    );
    expect(lease.signal.aborted).toBe(false);
    await expect(acquireLease(admin, { name: "renewed", holder: "other" })).rejects.toBeInstanceOf(LeaseHeld);
  });

  test("is taken over when its time is over", async () => {
    const time = (ms: number) => new Date(Date.now() + ms).toISOString().replace("Z", "000Z");
    const spec = { holderIdentity: "gone/1", leaseDurationSeconds: 2, renewTime: time(-500), acquireTime: time(-5000) };
    await admin.create({ ...resources.Lease, metadata: { name: "old" }, spec });
    await expect(acquireLease(admin, { name: "old", holder: "hasty" })).rejects.toBeInstanceOf(LeaseHeld);
    const taken = await acquireLease(admin, { name: "old", holder: "patient", waitMs: 10_000 });
    expect(taken.takenOverFrom).toMatchObject({ holder: "gone" });
    await taken.release();
  });

  test("is taken over at once when its holder is known to be dead, who then learns that it is lost", async () => {
    const before = await acquireLease(admin, {
      name: "dead",
      holder: "killed",
      about: { pid: "42" },
      durationSeconds: 2,
    });
    const lost = new Promise((resolve) => before.signal.addEventListener("abort", () => resolve(before.signal.reason)));
    const asked: string[] = [];
    await using taken = await acquireLease(admin, {
      name: "dead",
      holder: "heir",
      canTakeOver: (holder) => asked.push(holder.about["pid"] ?? "") > 0,
    });
    expect(asked).toEqual(["42"]);
    expect(taken.takenOverFrom?.holder).toBe("killed");
    const reason = await lost;
    expect(reason).toBeInstanceOf(LeaseLost);
    expect((reason as LeaseLost).message).toContain("taken over by heir");
  });

  test("that is deleted is lost", async () => {
    const lease = await acquireLease(admin, { name: "deleted", holder: "me", durationSeconds: 2 });
    await admin.delete(resources.Lease, "deleted");
    await vi.waitFor(() => expect(lease.signal.aborted).toBe(true), { timeout: 5000 });
    await lease.release();
  });
});

describe("when the API server is killed and comes back", () => {
  test("a watch and a lease go on, and requests wait for it", { timeout: 60_000 }, async () => {
    await grant("viewer", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] }]);
    const viewer = await Kube.connect({ kubeconfig, context: "viewer" });
    const lease = await acquireLease(admin, { name: "survivor", holder: "me", durationSeconds: 30 });
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    await admin.apply(configMap("kept", { n: "0" }, { set: "restart" }));
    const state = observe(
      viewer,
      { all: { resource: resources.ConfigMap, labelSelector: "set=restart" } },
      stop.signal,
    );
    const until = (n: string) =>
      state.until({ what: `n=${n}`, timeoutMs: 40_000 }, ({ all }) => (all[0]?.data?.["n"] === n ? true : undefined));
    await vi.waitFor(() => until("0"), { timeout: 5000 });

    const before = Number(await readFile(pidFile, "utf8"));
    process.kill(before, "SIGKILL");
    await vi.waitFor(async () => expect(Number(await readFile(pidFile, "utf8"))).not.toBe(before), { timeout: 5000 });
    await admin.patch(resources.ConfigMap, "kept", { data: { n: "1" } });
    await until("1");
    await admin.patch(resources.ConfigMap, "kept", { data: { n: "2" } });
    await until("2");
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
  });
});

function namespace(name: string, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

function configMap(name: string, data: Record<string, string>, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data };
}

function pod(name: string, namespace: string, labels: Record<string, string> = {}): KubeObject {
  const containers = [{ name: "app", image: "app" }];
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels }, spec: { containers } };
}

function deployment(name: string, { replicas = 1 } = {}): KubeObject & Pick<Deployment, "spec"> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "app", image: "app" }] } },
    },
  };
}

async function grant(
  user: string,
  rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[],
): Promise<void> {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: user };
  await admin.apply({ apiVersion, kind: "Role", metadata: { name: user }, rules });
  await admin.apply({
    apiVersion,
    kind: "RoleBinding",
    metadata: { name: user },
    roleRef,
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
  });
}

const widgetDefinition: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets", singular: "widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
