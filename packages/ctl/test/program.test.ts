import { spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { temporaryFile, temporaryFolder } from "./fixtures/files.ts";

// Each test starts a process, which takes its time on a machine that is at work.
vi.setConfig({ testTimeout: 60_000 });

const root = join(import.meta.dirname, "..");
const chart = join(root, "../../charts/myapp");

let bundle: string;
/** An address on this machine that nothing listens at. */
let nobody: string;

beforeAll(async () => {
  bundle = await mkdtemp(join(tmpdir(), "ctl-bundle-"));
  const built = await run(process.execPath, ["build.ts", bundle], {});
  if (built.code !== 0) throw new Error(built.stderr);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  nobody = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
}, 60_000);

afterAll(() => rm(bundle, { recursive: true, force: true }));

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

async function run(binary: string, args: string[], environment: Record<string, string | undefined>): Promise<Ran> {
  const child = spawn(binary, args, { cwd: root, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const ran = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => (ran[stream] += chunk.toString()));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, ...ran };
}

/** Runs the bundle with nothing of this machine's settings. */
async function ctl(args: string[], environment: Record<string, string> = {}): Promise<Ran> {
  const home = await temporaryFolder();
  return await run(process.execPath, [join(bundle, "ctl.mjs"), ...args], {
    PATH: process.env["PATH"],
    HOME: home,
    KUBECONFIG: join(home, "none"),
    ...environment,
  });
}

async function kubeconfig(server = nobody): Promise<string> {
  const content = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "one", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "one", user: { token: "secret-token" } }],
    contexts: [{ name: "one", context: { cluster: "one", user: "one", namespace: "shop" } }],
    "current-context": "one",
  };
  return await temporaryFile("config", JSON.stringify(content), 0o600);
}

/** A program that answers `helm version` with this, and nothing else. */
async function helmThatSays(version: string): Promise<string> {
  return await temporaryFile("helm", `#!/bin/sh\nprintf '%s' '${version}'\n`, 0o755);
}

test("asking a cluster loads no more than the kubeconfig's part of the client, and not undici", async () => {
  const script = 'process.on("exit", () => console.log(process.moduleLoadList.join("\\n")));';
  const tell = await temporaryFile("tell.mjs", script);
  const asked = await ctl(["status", "--kubeconfig", await kubeconfig()], { NODE_OPTIONS: `--import=${tell}` });
  expect(asked.stderr).toContain("CTL_E_CLUSTER");
  expect(asked.stdout).toContain("NativeModule http\n");
  expect(asked.stdout).not.toContain("undici");
  const sizes = readdirSync(bundle).map((name) => statSync(join(bundle, name)).size);
  expect(Math.max(...sizes)).toBeLessThan(300_000);
});

test("output that nobody reads any more is no error", async () => {
  const script = '{ "$0" "$1" --help; echo "ended with $?" >&2; } | true';
  const { stderr } = await run("sh", ["-c", script, process.execPath, join(bundle, "ctl.mjs")], {
    PATH: process.env["PATH"],
  });
  expect(stderr).toBe("ended with 0\n");
});

describe("help", () => {
  test("names every command and exit code, on stdout", async () => {
    const ran = await ctl(["--help"]);
    expect(ran.code).toBe(0);
    for (const command of ["deploy", "rollback|undo", "status", "preflight", "set-image", "completion"])
      expect(ran.stdout).toContain(command);
    expect(ran.stdout).toMatch(/Exit codes:[\s\S]*130 interrupted/);
    expect(ran.stderr).toBe("");
  });

  test("of a command has its own options and those of all", async () => {
    const ran = await ctl(["deploy", "--help"]);
    expect(ran.code).toBe(0);
    for (const option of ["--no-rollback", "--skip-preflight", "--namespace", "--timeout"])
      expect(ran.stdout).toContain(option);
  });
});

describe("wrong usage exits with 2, and says what is wrong", () => {
  test.each<[string[], RegExp]>([
    [[], /Usage: ctl/],
    [["deplyo"], /unknown command 'deplyo'[\s\S]*deploy/],
    [["status", "--nope"], /unknown option '--nope'/],
    [["status", "extra"], /too many arguments/],
    [["status", "-o", "xml"], /'xml' is invalid.*text, json/],
    [["set-image"], /missing required argument 'image'/],
    [["verify"], /required option '--facts <file>'/],
    [["completion", "tcsh"], /there is no completion for "tcsh"/],
    [["set-image", "My App"], /"My App" is not an image reference/],
    [["rollback", "--to", "yesterday"], /--to yesterday is neither a revision nor "verified"/],
    [["logs", "--tail", "many"], /--tail many is not a number of lines/],
    [["deploy", "--chart", chart, "--timeout", "soon"], /--timeout soon is not a duration/],
    [["deploy", "--chart", chart, "--image", "My App"], /"My App" is not an image reference/],
    [["deploy", "--chart", chart, "-f", "/nonexistent.yaml"], /no values file \/nonexistent.yaml/],
    [["deploy", "--chart", "/nonexistent"], /CTL_E_NO_CHART: there is no chart at \/nonexistent/],
    [["verify", "--facts", "/nonexistent", "--checks", "/nonexistent"], /\/nonexistent cannot be read/],
  ])("%j", async (args, words) => {
    const ran = await ctl(args);
    expect(ran.stderr).toMatch(words);
    expect(ran.code).toBe(2);
    expect(ran.stdout).toBe("");
  });
});

describe("the cluster", () => {
  test.each([["status"], ["history"], ["wait"], ["smoke"], ["logs"], ["migrate", "downgrade", "-1"]])(
    "that is not there: %s exits with 1 and names its address",
    async (...args) => {
      const ran = await ctl(args, { KUBECONFIG: await kubeconfig() });
      expect(ran.stderr).toContain("CTL_E_CLUSTER");
      expect(ran.stderr).toContain(nobody);
      expect(ran.stderr).toMatch(/next: \S/);
      expect(ran.code).toBe(1);
      expect(ran.stdout).toBe("");
    },
  );

  test("that is not there is one JSON document with -o json", async () => {
    const ran = await ctl(["status", "-o", "json"], { KUBECONFIG: await kubeconfig() });
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      schemaVersion: 1,
      error: { code: "CTL_E_CLUSTER", exit: 1, message: expect.stringContaining(nobody) as string },
    });
    expect(ran.stderr).toBe("");
  });

  test("never sees its token in what is printed", async () => {
    const ran = await ctl(["status"], { KUBECONFIG: await kubeconfig() });
    expect(ran.stdout + ran.stderr).not.toContain("secret-token");
  });

  test("whose kubeconfig does not exist, or is broken, is named by the file", async () => {
    const missing = await ctl(["status", "--kubeconfig", "/nonexistent/config"]);
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/CTL_E_CLUSTER.*\/nonexistent\/config/) as string,
    });
    const file = await temporaryFile("config", "clusters: [unclosed", 0o600);
    const broken = await ctl(["status"], { KUBECONFIG: file });
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining(file) as string });
    expect(broken.stderr).toContain("CTL_E_CLUSTER");
  });

  test("by a context that the kubeconfig does not have", async () => {
    const ran = await ctl(["status", "--context", "other"], { KUBECONFIG: await kubeconfig() });
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/CTL_E_CLUSTER.*other/) as string });
  });

  test("that refuses: the missing right is named, and the exit code is 3", async () => {
    const server = createServer((_request, response) => {
      const message =
        'secrets is forbidden: User "ci" cannot list resource "secrets" in API group "" in the namespace "shop"';
      response.writeHead(403, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "Status", status: "Failure", reason: "Forbidden", code: 403, message }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ran = await ctl(["status"], { KUBECONFIG: await kubeconfig(address) });
    expect(ran.stderr).toMatch(/CTL_E_FORBIDDEN[\s\S]*next: "ci" may not list secrets/);
    expect(ran.code).toBe(3);
  });
});

describe("helm", () => {
  const deploy = ["deploy", "--chart", chart];

  test("that is not there is refused before anything is asked of the cluster", async () => {
    const ran = await ctl(deploy, { CTL_HELM: "/nonexistent", KUBECONFIG: await kubeconfig() });
    expect(ran.stderr).toMatch(/CTL_E_HELM_MISSING: "\/nonexistent" cannot be run/);
    expect(ran.stderr).toMatch(/next: install Helm/);
    expect(ran.code).toBe(3);
  });

  test.each(["v4.1.2", "v3.21.0", "v4.0.4"])("%s is refused, with the versions that will do", async (version) => {
    const ran = await ctl(deploy, { CTL_HELM: await helmThatSays(version), KUBECONFIG: await kubeconfig() });
    expect(ran.stderr).toContain(`CTL_E_HELM_VERSION: Helm ${version.slice(1)} fails to roll back`);
    expect(ran.stderr).toContain(">= 3.22.0");
    expect(ran.code).toBe(3);
  });

  test("that is no helm is refused", async () => {
    const ran = await ctl(deploy, { CTL_HELM: await helmThatSays("hello"), KUBECONFIG: await kubeconfig() });
    expect(ran.stderr).toContain("CTL_E_HELM_MISSING");
    expect(ran.code).toBe(3);
  });

  test("is not needed to look at a release", async () => {
    const ran = await ctl(["status"], { CTL_HELM: "/nonexistent", KUBECONFIG: await kubeconfig() });
    expect(ran.stderr).toContain("CTL_E_CLUSTER");
  });
});

test("set-image works without a cluster, from the command line to the file", async () => {
  const file = await temporaryFile("values.yaml", "image:\n  tag: old # keep\n");
  const ran = await ctl(["set-image", "registry.local/myapp:2", "--file", file, "-o", "json"]);
  expect(ran.code).toBe(0);
  expect(JSON.parse(ran.stdout)).toMatchObject({ kind: "setImage", changed: true });
});

test("a completion script comes on stdout", async () => {
  const ran = await ctl(["completion", "bash"]);
  expect(ran).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringContaining("complete -o default -F _ctl ctl") as string,
  });
});
