import { parseQuantity } from "@safe-deploy/kube";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quotaProblems, rolloutShape, type Strategy, usageOf } from "../../src/preflight/quota.ts";

describe("what a quota counts for a pod", () => {
  test("requests and limits of all its containers, under both names of a request", () => {
    const usage = usageOf({
      containers: [
        { resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } } },
        { resources: { requests: { cpu: 1 } } },
        {},
      ],
    });
    expect(usage).toMatchObject({
      pods: parseQuantity(1),
      cpu: parseQuantity("1100m"),
      "requests.cpu": parseQuantity("1100m"),
      "requests.memory": parseQuantity("64Mi"),
      "limits.memory": parseQuantity("128Mi"),
    });
    expect(usage["limits.cpu"]).toBeUndefined();
  });

  test("a limit stands for the request that is left out", () => {
    const usage = usageOf({ containers: [{ resources: { limits: { memory: "1Gi" } } }] });
    expect(usage["requests.memory"]).toBe(parseQuantity("1Gi"));
  });

  test("an init container counts where it needs more than all that run together", () => {
    const usage = usageOf({
      initContainers: [{ resources: { requests: { cpu: "500m", memory: "1Mi" } } }],
      containers: [{ resources: { requests: { cpu: "200m", memory: "64Mi" } } }],
    });
    expect(usage["requests.cpu"]).toBe(parseQuantity("500m"));
    expect(usage["requests.memory"]).toBe(parseQuantity("64Mi"));
  });
});

describe("how a strategy replaces pods", () => {
  test.each<[Strategy | undefined, number, number]>([
    [undefined, 3, 0],
    [undefined, 4, 1],
    [{ type: "Recreate" }, 3, 3],
    [{ rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } }, 3, 1],
    [{ rollingUpdate: { maxUnavailable: "50%", maxSurge: 0 } }, 3, 1],
    // Kubernetes lets one go where rounding would leave nothing to move.
    [{ rollingUpdate: { maxUnavailable: "25%", maxSurge: 0 } }, 3, 1],
    [{ rollingUpdate: { maxUnavailable: 5, maxSurge: 1 } }, 3, 3],
    [{ canary: { maxUnavailable: 1, maxSurge: 0 } }, 3, 1],
    [{ canary: { maxUnavailable: 0, trafficRouting: {}, dynamicStableScale: true } }, 3, 0],
  ])("%j with %i replicas: %i may be missing", (strategy, replicas, maxUnavailable) => {
    expect(rolloutShape(strategy, replicas)).toEqual({ replicas, maxUnavailable });
  });

  test.each<Strategy>([{ blueGreen: {} }, { canary: { maxUnavailable: 1, trafficRouting: {} } }])(
    "%j keeps every old pod until all new ones serve",
    (strategy) => {
      const shape = rolloutShape(strategy, 3);
      expect(shape).toEqual({ replicas: 3, maxUnavailable: 0, keepsOld: true });
      const usage = { pods: parseQuantity(1) };
      const pods = { old: [usage, usage, usage], fresh: usage, hook: {} };
      const quota = (hard: number) => [{ name: "q", hard: { pods: String(hard) }, used: { pods: "3" } }];
      expect(quotaProblems(quota(6), pods, shape)).toEqual([]);
      expect(quotaProblems(quota(5), pods, shape)).toHaveLength(1);
    },
  );
});

interface Rollout {
  old: number;
  replicas: number;
  maxUnavailable: number;
  maxSurge: number;
  oldSize: number;
  newSize: number;
  hookSize: number;
}

/** Plays the Deployment controller's rolling update against a quota; every new pod is available at once. */
function fits(r: Rollout, room: number): boolean {
  let old = r.old;
  let fresh = 0;
  const used = () => old * r.oldSize + fresh * r.newSize + r.hookSize;
  for (;;) {
    const before = [old, fresh].join();
    old -= Math.max(0, Math.min(old, old + fresh - (r.replicas - r.maxUnavailable)));
    const wanted = Math.min(r.replicas, r.replicas + r.maxSurge - old);
    while (fresh < wanted && used() + r.newSize <= room) fresh++;
    if (fresh === r.replicas && old === 0) return used() <= room;
    if (before === [old, fresh].join()) return false;
  }
}

const size = fc.integer({ min: 1, max: 6 });
const rollout: fc.Arbitrary<Rollout> = fc
  .record({
    old: fc.integer({ min: 0, max: 6 }),
    replicas: fc.integer({ min: 1, max: 6 }),
    maxUnavailable: fc.integer({ min: 0, max: 6 }),
    maxSurge: fc.integer({ min: 0, max: 3 }),
    oldSize: size,
    newSize: size,
    hookSize: fc.integer({ min: 0, max: 3 }),
  })
  .map((r) => ({ ...r, maxUnavailable: Math.min(r.maxUnavailable, r.replicas) }))
  .filter((r) => r.maxSurge > 0 || r.maxUnavailable > 0);

function problems(r: Rollout, room: number, others = 0) {
  const usage = (amount: number) => ({ "requests.memory": parseQuantity(amount) });
  return quotaProblems(
    [
      {
        name: "small",
        hard: { "requests.memory": String(room + others) },
        used: { "requests.memory": String(r.old * r.oldSize + others) },
      },
    ],
    { old: Array.from({ length: r.old }, () => usage(r.oldSize)), fresh: usage(r.newSize), hook: usage(r.hookSize) },
    { replicas: r.replicas, maxUnavailable: r.maxUnavailable },
  );
}

describe("whether a rollout fits a quota", () => {
  test("is said as the Deployment controller would find it", () => {
    fc.assert(
      fc.property(rollout, fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 9 }), (r, room, others) => {
        expect(problems(r, room, others).length === 0).toBe(fits(r, room));
      }),
      { numRuns: 5_000 },
    );
  });

  test("what it needs is exactly enough", () => {
    fc.assert(
      fc.property(rollout, (r) => {
        const [problem] = problems(r, 0);
        const needed = Number((problem?.needed ?? 0n) / parseQuantity(1));
        expect(fits(r, needed)).toBe(true);
        expect(fits(r, needed - 1)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a resource that the quota does not limit, or the pods do not ask for, is no problem", () => {
    const usage = usageOf({ containers: [{ resources: { requests: { cpu: "1" } } }] });
    const quotas = [{ name: "other", hard: { "requests.memory": "1Mi", services: "0" }, used: {} }];
    expect(quotaProblems(quotas, { old: [], fresh: usage, hook: {} }, { replicas: 3, maxUnavailable: 0 })).toEqual([]);
  });

  test("the problem names quota and resource, with what is left beside the other users", () => {
    const usage = usageOf({ containers: [{ resources: { requests: { cpu: "200m" } } }] });
    const quotas = [{ name: "small", hard: { "requests.cpu": "600m" }, used: { "requests.cpu": "150m" } }];
    expect(quotaProblems(quotas, { old: [], fresh: usage, hook: {} }, { replicas: 3, maxUnavailable: 1 })).toEqual([
      { quota: "small", resource: "requests.cpu", needed: parseQuantity("600m"), available: parseQuantity("450m") },
    ]);
  });
});
