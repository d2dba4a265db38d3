import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ctlTag } from "../src/images.ts";
import { dsn, startPostgres } from "../src/postgres.ts";
import { run } from "../src/run.ts";
import { World, root } from "../src/world.ts";

const namespace = "e2e-make";
let world: World;
const values = path.join(root, "deploy/e2e.yaml");
const make = async (...args: string[]) =>
  await run("make", [...args, `NS=${namespace}`, `VALUES=${values}`], { cwd: root, env: world.env });

/** One answer from the live release, asked from inside the cluster's network. */
async function ask(url: string): Promise<{ status: number; body: string }> {
  const { stdout } = await world.lab(["exec", "--", "curl", "-s", "-m", "5", "-w", "\n%{http_code}", url]);
  const at = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
}

beforeAll(async () => {
  world = await World.attach();
  await world.namespace(namespace);
  await startPostgres(world, namespace);
});

afterAll(async () => {
  await make("clean");
  await world?.removeNamespace(namespace);
});

describe("the make targets, in the order a person uses them", () => {
  const base = `http://myapp.${namespace}.svc.cluster.local`;

  test("build, push, set-image, deploy, wait, smoke", async () => {
    const built = await make("build", "push", "set-image");
    expect(built.code, built.stdout + built.stderr).toBe(0);
    const tag = (await readFile(path.join(root, "deploy/tag"), "utf8")).trim();
    expect(tag).toMatch(/^\d{8}\.\d+$/);
    const written = await readFile(values, "utf8");
    expect(written).toContain(tag);
    await world.ctl(["set-image", `registry.local/myapp:${tag}`, "--file", values]);
    const more = `
replicaCount: 2
resources: {requests: {cpu: 20m, memory: 48Mi}, limits: {cpu: 300m, memory: 192Mi}}
preStop: {sleepSeconds: 2}
terminationGracePeriodSeconds: 15
secrets: {DB_DSN: "${dsn}"}
config: {BOOT_DELAY: 1, FEATURE_ERROR_RATIO: 0.5}
flags: {FEATURE_NEW: false}
migrations: {enabled: true}
hooks: {image: {tag: ${ctlTag}}}
`;
    const { writeFile } = await import("node:fs/promises");
    await writeFile(values, written + more);

    const deployed = await make("deploy", "wait");
    expect(deployed.code, deployed.stdout + deployed.stderr).toBe(0);
    const smoke = await make("smoke");
    expect(smoke.code, smoke.stdout + smoke.stderr).toBe(0);
    expect(smoke.stdout).toContain("Job Complete");
    expect((await ask(`${base}/healthz`)).status).toBe(200);
  });

  test("fail-on: the failure stays live, /feature/new answers some requests with 500", async () => {
    const on = await make("fail-on");
    expect(on.code, on.stdout + on.stderr).toBe(0);
    const statuses = [];
    for (let i = 0; i < 40; i++) statuses.push((await ask(`${base}/feature/new`)).status);
    expect(statuses).toContain(500);
    expect(statuses).toContain(200);
    expect((await ask(`${base}/healthz`)).status).toBe(200);
  });

  test("undo, wait, fail-off: /healthz answers 200 and /feature/new is stable again", async () => {
    const undone = await make("undo", "wait");
    expect(undone.code, undone.stdout + undone.stderr).toBe(0);
    const off = await make("fail-off");
    expect(off.code, off.stdout + off.stderr).toBe(0);
    expect(off.stdout).toContain("already false");
    expect((await ask(`${base}/healthz`)).status).toBe(200);
    for (let i = 0; i < 20; i++) expect((await ask(`${base}/feature/new`)).status).toBe(200);
  });

  test("history and logs tell what happened", async () => {
    const history = await make("history");
    expect(history.code, history.stderr).toBe(0);
    expect(history.stdout).toMatch(/bad.*a person rolled it back/);
    const logs = await make("logs");
    expect(logs.code, logs.stderr).toBe(0);
    expect(logs.stdout).toContain("myapp-");
  });
});
