import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ctlTag } from "../src/images.ts";
import { image, release, valuesFiles } from "../src/app-release.ts";
import { must, run } from "../src/run.ts";
import { World, chart, root } from "../src/world.ts";

let world: World;
const namespaces: string[] = [];

async function fresh(name: string): Promise<string> {
  namespaces.push(name);
  await world.namespace(name);
  return name;
}

beforeAll(async () => {
  world = await World.attach();
});

afterAll(async () => {
  for (const name of namespaces) await world?.removeNamespace(name);
});

/** The API server's authorizer learns of a Role a moment after it is written. */
async function untilMayTakeLeases(namespace: string, expected: boolean): Promise<void> {
  const account = `--as=system:serviceaccount:${namespace}:deployer`;
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const asked = await run(
      "kubectl",
      ["auth", "can-i", "create", "leases.coordination.k8s.io", "-n", namespace, account],
      {
        env: world.env,
      },
    );
    if ((asked.stdout.trim() === "yes") === expected) return;
  }
  throw new Error(`the authorizer still has not learned that deployer may${expected ? "" : " not"} create leases`);
}

describe("another image", () => {
  test("podinfo deploys, verifies and goes back through values alone", async () => {
    const namespace = await fresh("e2e-podinfo");
    await world.lab(["image", "build", "podinfo"]);
    const args = [
      ...["deploy", "-n", namespace, "--release", "podinfo", "--chart", chart, "-o", "json", "--timeout", "120s"],
      ...[
        "-f",
        `${chart}/ci/lab-values.yaml`,
        "-f",
        `${chart}/ci/podinfo-values.yaml`,
        "--set",
        `hooks.image.tag=${ctlTag}`,
      ],
    ];
    const good = await world.ctl(args);
    expect(good.code, good.stdout + good.stderr).toBe(0);
    const bad = await world.ctl([...args, "--set", "args={--unready}", "--set", "probes.startup.failureThreshold=4"]);
    expect(bad.code, bad.stdout + bad.stderr).toBe(5);
    expect(bad.stdout).toMatch(/probe failed/i);
  });
});

describe("kubectl alone", () => {
  test("the rendered manifests apply twice and serve, without a hook among them", async () => {
    const namespace = await fresh("e2e-manifests");
    const rendered = await must(
      process.execPath,
      [
        ...["charts/manifests.ts", "--release", release, "--namespace", namespace],
        ...valuesFiles.flatMap((file) => ["-f", file]),
        ...["--set", "image.tag=v1"],
      ],
      { cwd: root, env: world.env },
    );
    expect(rendered.stdout).not.toContain("helm.sh/hook");
    for (let time = 0; time < 2; time++) {
      const applied = await world.kubectl(["apply", "-n", namespace, "-f", "-"], { stdin: rendered.stdout });
      expect(applied.code, applied.stderr).toBe(0);
    }
    await world.kubectl(["rollout", "status", "-n", namespace, `deploy/${release}`, "--timeout=90s"]);
    const image1 = await world.kubectl(["get", "deploy", release, "-n", namespace, "-o", "jsonpath={..image}"]);
    expect(image1.stdout).toBe(image("v1"));
  });
});

describe("an account with rights in one namespace only", () => {
  test("deploys and goes back; a missing right is named", async () => {
    const namespace = await fresh("e2e-rights");
    await world.kubectl(["apply", "-n", namespace, "-f", path.join(root, "docs/rights.yaml")]);
    const token = (await world.kubectl(["create", "token", "deployer", "-n", namespace])).stdout.trim();
    const server = world.kube.server;
    const ca = (
      await world.kubectl([
        "config",
        "view",
        "--raw",
        "-o",
        "jsonpath={.clusters[0].cluster.certificate-authority-data}",
      ])
    ).stdout;
    const kubeconfig = path.join(root, "deploy", "rights.kubeconfig");
    const { mkdir, writeFile } = await import("node:fs/promises");
    await mkdir(path.dirname(kubeconfig), { recursive: true });
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "lab", cluster: { server, "certificate-authority-data": ca } }],
        users: [{ name: "deployer", user: { token } }],
        contexts: [{ name: "lab", context: { cluster: "lab", user: "deployer", namespace } }],
        "current-context": "lab",
      }),
      { mode: 0o600 },
    );
    await untilMayTakeLeases(namespace, true);
    const as = { env: { KUBECONFIG: kubeconfig } };
    const common = [
      "--chart",
      chart,
      ...valuesFiles.flatMap((file) => ["-f", file]),
      "--set",
      `hooks.image.tag=${ctlTag}`,
    ];
    const deploy = (version: string) =>
      world.ctl(["deploy", ...common, "--image", image(version), "--timeout", "120s"], as);
    for (const version of ["v1", "v2"]) {
      const ran = await deploy(version);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    }
    const back = await world.ctl(["rollback"], as);
    expect(back.code, back.stdout + back.stderr).toBe(0);

    const role = JSON.parse(
      (await world.kubectl(["get", "role", "deployer", "-n", namespace, "-o", "json"])).stdout,
    ) as {
      rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
    };
    const without = role.rules.filter(({ apiGroups }) => !apiGroups.includes("coordination.k8s.io"));
    await world.kube.apply(
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "Role",
        metadata: { name: "deployer", namespace },
        rules: without,
      },
      { force: true, fieldManager: "kubectl-client-side-apply" },
    );
    await untilMayTakeLeases(namespace, false);
    const refused = await deploy("v2");
    expect(refused.code, refused.stdout + refused.stderr).toBe(3);
    expect(refused.stderr).toContain("CTL_E_FORBIDDEN");
    expect(refused.stderr).toMatch(/leases/);
  });
});

describe("the command line", () => {
  test("a release that is not there, a chart that is not there, a dead server: each says what to do", async () => {
    const namespace = await fresh("e2e-command-line");
    const none = await world.ctl(["status", "-n", namespace]);
    expect(none.code).toBe(3);
    expect(none.stderr).toContain("CTL_E_NO_RELEASE");
    const noChart = await world.ctl(["deploy", "-n", namespace, "--chart", "/nowhere"]);
    expect(noChart.code).toBe(2);
    expect(noChart.stderr).toContain("CTL_E_NO_CHART");
    const helmOff = await world.ctl(["deploy", "-n", namespace], { env: { CTL_HELM: "/nowhere/helm" } });
    expect(helmOff.code).toBe(3);
    expect(helmOff.stderr).toContain("CTL_E_HELM_MISSING");
    const dry = await world.ctl([
      "deploy",
      "-n",
      namespace,
      "--chart",
      chart,
      ...valuesFiles.flatMap((file) => ["-f", file]),
      "--set",
      `hooks.image.tag=${ctlTag}`,
      "--image",
      image("v1"),
      "--dry-run",
    ]);
    expect(dry.code, dry.stderr).toBe(0);
    expect(dry.stdout).toContain("1. helm upgrade --install");
    expect((await run("kubectl", ["get", "deploy", "-n", namespace, "-o", "name"], { env: world.env })).stdout).toBe(
      "",
    );
  });
});
