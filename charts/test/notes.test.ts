import { describe, expect, test } from "vitest";
import { CHART, runHelm, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

/** What `helm install` tells its user. Only Helm 4 does so without a cluster. */
async function notes(values: Values): Promise<string> {
  const args = ["install", "shop", CHART, "--namespace", "market", "--dry-run=client", "--values", "-"];
  const output = await runHelm(4, args, JSON.stringify(withImages(values)));
  return output.slice(output.indexOf("NOTES:"));
}

describe("the notes after an install", () => {
  test("say the next commands with the release's own names", async () => {
    const text = await notes({});
    for (const command of [
      "pnpm ctl status -n market --release shop",
      "pnpm ctl history -n market --release shop",
      "pnpm ctl rollback -n market --release shop",
      "kubectl logs -n market job/shop-myapp-verify",
      "helm test shop -n market",
      "kubectl port-forward -n market service/shop-myapp 8080:80",
    ]) {
      expect(text).toContain(`  ${command}`);
    }
  });

  test("say what runs, with which config, and what decides whether it is good", async () => {
    const text = await notes({});
    expect(text).toMatch(/registry\.local\/myapp:v1 as shop-myapp in market, config [0-9a-f]{10}\./);
    expect(text).toContain("this version alone must serve within 300 s, and 1 check must pass");
  });

  test("leave out what belongs to the verify hook when it is off, and warn", async () => {
    const text = await notes({ verify: { enabled: false } });
    expect(text).not.toMatch(/helm test|ctl history|-verify/);
    expect(text).toMatch(/Warnings:\n {2}- verify\.enabled is false/);
  });

  test("point to the Ingress where there is one", async () => {
    const hosts = [{ host: "shop.example.com" }];
    const plain = await notes({ ingress: { enabled: true, hosts } });
    const tls = await notes({ ingress: { enabled: true, hosts, tls: [{ hosts: ["shop.example.com"] }] } });
    expect(plain).toContain("  curl http://shop.example.com/\n");
    expect(tls).toContain("  curl https://shop.example.com/\n");
    expect(plain).not.toContain("port-forward");
  });

  test("have no warnings by default", async () => {
    expect(await notes({})).not.toContain("Warnings");
  });

  test.each<[Values, RegExp]>([
    [{ image: { tag: "latest" } }, /image\.tag is latest/],
    [{ replicaCount: 1 }, /One replica/],
    [{ strategy: { type: "Recreate" } }, /strategy\.type is Recreate/],
    [{ probes: { readiness: null } }, /probes\.readiness is unset/],
    [{ preStop: { sleepSeconds: 0 } }, /preStop\.sleepSeconds is 0/],
    [{ pdb: { maxUnavailable: 0 } }, /pdb\.maxUnavailable is 0/],
    [{ existingSecret: "db" }, /existingSecret: the content of db is not part of the config version/],
  ])("warn of %j", async (values, expected) => {
    const text = await notes(values);
    expect(text.match(/^ {2}- .*/gm)).toEqual([expect.stringMatching(expected)]);
  });

  test("do not ask of a worker to wait for requests before it stops", async () => {
    expect(await notes({ worker: true, preStop: { sleepSeconds: 0 } })).not.toContain("Warnings");
  });

  test("say how to remove what an uninstall leaves, in this release only", async () => {
    const text = await notes({});
    expect(text).toContain("-n market -l app.kubernetes.io/name=myapp,app.kubernetes.io/instance=shop");
    expect(text).toContain("-n market -l safe-deploy.dev/ledger=shop");
  });
});

describe("the notes of a rollout", () => {
  const ingress = { enabled: true, hosts: [{ host: "a.example.com" }] };
  const gated = { steps: [{ setWeight: 10 }, { analysis: ["errorRatio"] }] };
  const canary = (values: Values = {}) => ({
    mode: "rollout",
    ingress,
    rollout: { router: "traefik", canary: gated, ...values },
  });
  const warnings = async (values: Values) => (await notes(values)).match(/^ {2}- .*/gm);

  test("say that it goes on when Helm has ended, how to follow it, and that Helm's own waiting does not work", async () => {
    const text = await notes(canary());
    expect(text).toContain("The Rollout shop-myapp (canary, router traefik) goes on after Helm has ended.");
    expect(text).toContain("  pnpm ctl wait -n market --release shop");
    expect(await warnings(canary())).toEqual([expect.stringMatching(/--wait and --rollback-on-failure \(Helm 4\)/)]);
  });

  test.each<[string, Values, RegExp]>([
    [
      "a weight without a gate",
      { ...canary({ canary: { steps: [{ setWeight: 10 }, { setWeight: 50 }] } }), analysis: { engine: "thresholds" } },
      /without an analysis/,
    ],
    ["scaled waits", canary({ waitScale: 0.1 }), /rollout\.waitScale is 0\.1/],
    ["a hand-over", canary({ handover: true }), /rollout\.handover is true/],
    ["a route that is held", { ...canary(), ingress: { ...canary().ingress, held: true } }, /ingress\.held is true/],
    [
      "weights that shift with the autoscaler",
      { mode: "rollout", autoscaling: { enabled: true } },
      /rollout\.router is none and autoscaling\.enabled/,
    ],
    [
      "pods that are counted twice",
      { ...canary(), metrics: { serviceMonitor: { enabled: true } } },
      /metrics\.annotations and metrics\.serviceMonitor\.enabled/,
    ],
  ])("warn of %s", async (_, values, expected) => {
    const found = await warnings(values);
    expect(found).toHaveLength(2);
    expect(found).toContainEqual(expect.stringMatching(expected));
  });
});
